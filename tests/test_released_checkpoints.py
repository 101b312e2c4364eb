"""The checkpoints in the repository work on a fresh clone, and do what their cards say."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from src.data.images import read_image
from src.data.streets.camera import CAMERA
from src.data.streets.game import GAME
from src.data.streets.render import render
from src.data.transforms import to_tensor
from src.metrics.sliced_wasserstein import sliced_wasserstein
from src.translate import chosen
from tests import labelled

FOLDER = Path(__file__).resolve().parent.parent / "checkpoints"
FRAMES = 12


def small(pixels: np.ndarray) -> Image.Image:
    """The streets at the height of training, square as the score wants them."""
    return Image.fromarray(pixels).resize((64, 64), Image.Resampling.BICUBIC)


def levels(folder: Path) -> torch.Tensor:
    return torch.stack([to_tensor(read_image(path)) for path in sorted(folder.glob("*.png"))])


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.safetensors")), ids=lambda path: path.name)
def test_it_brings_the_game_nearer_to_the_photographs(path: Path, tmp_path: Path):
    for name, domain in (("game", GAME), ("camera", CAMERA)):
        (tmp_path / name).mkdir()
        for index in range(FRAMES):
            small(render(domain, index)[0]).save(tmp_path / name / f"{index:02d}.png")
    overrides = (f"weights={path}", f"input={tmp_path / 'game'}", f"output={tmp_path / 'out'}", "accelerator=cpu")
    chosen(labelled.composed("translate", *overrides))
    real = levels(tmp_path / "camera")
    before, after = (sliced_wasserstein(levels(tmp_path / name), real, seeds=[0])[0] for name in ("game", "out"))
    assert after.unit < 0.8 * before.unit


def test_each_has_a_card_and_is_small():
    paths = sorted(FOLDER.glob("*.safetensors"))
    assert paths
    for path in paths:
        assert path.stat().st_size < 2e6
        card = path.with_name(f"{path.name}.md").read_text()
        assert f"weights={path.name}" in card
        assert "## Licence" in card
