"""A run with ignore masks, in miniature: it trains, resumes to the bit, and scores nothing of what is ignored."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from omegaconf import DictConfig
from PIL import Image
from torch import nn

from src.config.build import build
from src.data.images import read_image, write_image
from src.runs.folder import load_config
from src.system.errors import UserError
from src.training.callbacks.checkpoint import Interrupted
from src.training.run import train
from src.training.validation import Validation
from tests.conftest import TINY, UNDRAWN, config, cut
from tests.frames import write_frames
from tests.test_train import StopAfter, assert_equal_runs, interrupted_then_resumed
from tests.training.test_cuda_graph import shell


def masked(base: Path, *overrides: str) -> DictConfig:
    """Frames of 56x40 pixels; of x the lower quarter is ignored."""
    root = base / "frames"
    if not root.exists():
        write_frames(root)
        hood = np.zeros((40, 56), np.uint8)
        hood[32:] = 255
        Image.fromarray(hood).save(root / "hood.png")
    return config(
        *TINY,
        *("data=folders", f"data.root={root}", "data.size=32", "data.load=40", "data.num_workers=0"),
        *("data.samples_per_epoch=6", "data.ignore_x=hood.png", "trainer.max_epochs=2"),
        *("metrics.scores.seeds=1", UNDRAWN),
        *overrides,
    )


def changed(root: Path) -> None:
    """Other pixels under the hood of the validation source."""
    for number, path in enumerate((root / "testA").iterdir()):
        pixels = read_image(path)
        pixels[32:] = np.random.default_rng(number).integers(0, 256, pixels[32:].shape, dtype=np.uint8)
        write_image(path, pixels)


@pytest.mark.parametrize("choice", ["method=cut", "method=cyclegan"])
def test_a_run_with_masks_resumes_to_the_bit(choice: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    own = ["method.pool=2"] if "cyclegan" in choice else ["attention=triplet"]
    cfg = masked(tmp_path, choice, *own)
    (tmp_path / "whole").mkdir()
    train(cfg, tmp_path / "whole")
    interrupted_then_resumed(cfg, tmp_path / "parts", [2], monkeypatch)
    assert_equal_runs(tmp_path / "whole", tmp_path / "parts")
    content = json.loads((tmp_path / "whole/metrics.json").read_text())
    assert content["protocol"]["ignored"].startswith("masks of x: mid grey in outputs, source, references and real")
    kept = read_image(tmp_path / "whole/images/translated/0.png")
    assert kept[36:].std() > 0  # whole, not grey


def test_scores_do_not_see_ignored_pixels(tmp_path: Path):
    """Of a translator that looks at one pixel at a time; a deeper one sees the hood when it paints what lies beside."""
    torch.manual_seed(0)
    network = nn.Conv2d(3, 3, 1)

    def scores(*overrides: str) -> dict[str, float]:
        cfg = masked(tmp_path, "attention=none", *overrides)
        validation = Validation(build(cfg.data, "data"), build(cfg.metrics.scores, "metrics.scores"), 1.0)
        found = validation.score(network)
        references = validation.references(torch.device("cpu"))
        own = validation.own_size(network)
        return {**found, **{name: value for name, value in references.items() if "transfer" not in name}, **own}

    before, open_before = scores(), scores("data.ignore_x=null")
    changed(tmp_path / "frames")
    assert scores() == before
    after = scores("data.ignore_x=null")
    floor = {name for name in after if "_floor" in name}
    assert all(after[name] != open_before[name] for name in ("swd_unit", "swd_unit_source", "sharpness_own_source"))
    assert all(after[name] == open_before[name] for name in floor)
    # other masks, other features: nothing of what was kept serves them
    Image.fromarray(np.kron(np.eye(8, 7), np.full((5, 8), 255)).astype(np.uint8)).save(tmp_path / "frames/other.png")
    assert scores("data.ignore_x=other.png")["swd_unit_source"] != before["swd_unit_source"]


def test_a_run_does_not_go_on_under_other_masks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder, cfg = tmp_path / "run", masked(tmp_path, "attention=none")
    folder.mkdir()
    with monkeypatch.context() as patch:
        patch.setattr("src.training.trainer.Progress", lambda: StopAfter(2))
        with pytest.raises(Interrupted):
            train(cfg, folder)
    Image.fromarray(np.zeros((40, 56), np.uint8)).save(tmp_path / "frames/hood.png")
    with pytest.raises(
        UserError, match=r"not those that the run began with \(names, sizes or number differ, or a mask\)"
    ):
        train(load_config(folder), folder, resume=True)


def test_a_run_with_masks_and_without_scores_ends(tmp_path: Path):
    train(masked(tmp_path, "attention=none", "metrics.scores=null", "trainer.max_epochs=1"), tmp_path)
    assert "ignored" not in json.loads((tmp_path / "metrics.json").read_text())["protocol"]
    assert read_image(tmp_path / "images/translated/0.png")[36:].std() > 0


def test_a_recorded_step_with_masks_is_refused():
    with pytest.raises(UserError, match=r"module\.cuda_graph records no ignore masks; set it to false"):
        shell(cut(), cuda_graph=True).check(None, 1, masks=True)  # type: ignore[arg-type]
