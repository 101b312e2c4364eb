"""The scores of what learns nothing, which the next job takes from the cache where they are the same."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from src.config.build import build
from src.training.validation import Validation
from tests.test_train import tiny


def test_a_part_of_the_frames_is_not_served_what_another_part_had(
    frames: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Every second of ten frames is what the first of two processes has, and all that a limit of five leaves."""
    root = frames(test=10)

    def transferred(cache: Path | None, limit: int | float) -> list[float]:
        cfg = tiny(root, "metrics.scores.cache=" + ("null" if cache is None else str(cache)))
        validation = Validation(build(cfg.data, "data"), build(cfg.metrics.scores, "metrics.scores"), limit)
        references = validation.references(torch.device("cpu"))
        return [value for name, value in references.items() if name.endswith("_transfer")]

    with monkeypatch.context() as patch:
        patch.setattr("src.metrics.scores.share", lambda count: range(0, count, 2))
        patch.setattr("src.metrics.scores.Scores.again", lambda *_: {})  # which would wait for the other process
        patch.setattr("src.training.validation.floor", lambda *_: {})
        transferred(tmp_path / "cache", 1.0)
    assert transferred(tmp_path / "cache", 5) == transferred(None, 5)
