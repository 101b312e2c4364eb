"""When last.ckpt is written."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from src.training.callbacks.checkpoint import LastCheckpoint


@pytest.mark.parametrize(
    ("every", "accumulate", "expected"),
    [
        (4, 1, [4, 8, 12, 16, 20, 24]),
        (4, 2, [4, 8, 12, 16, 20, 24]),
        (4, 3, [6, 9, 12, 18, 21, 24]),  # at the end of the window in which 4, 8, 12, ... fall
        (4, 8, [8, 16, 24]),
    ],
)
def test_windows_put_a_checkpoint_off_to_their_end_and_no_further(
    every: int, accumulate: int, expected: list[int], monkeypatch: pytest.MonkeyPatch
):
    callback = LastCheckpoint(Path("unused"), every_n_batches=every, accumulate=accumulate)
    saved: list[int] = []
    monkeypatch.setattr(callback, "_save", lambda trainer, module: saved.append(module.batches))
    trainer: Any = SimpleNamespace(is_last_batch=False)
    for index in range(24):
        module: Any = SimpleNamespace(batches=index + 1)
        callback.on_train_batch_end(trainer, module, None, None, index)
    assert saved == expected
