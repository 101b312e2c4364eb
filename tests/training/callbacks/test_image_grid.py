"""The panel shows, beside an output, what it has to be better than."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from src.data.colour_transfer import transfer_colours
from src.data.images import Pixels
from src.data.transforms import to_pixels
from src.tables.pictures import score_maps
from src.training.callbacks import image_grid
from src.training.run import train
from tests.test_train import DRAWN, tiny

KINDS = ["source", "colour transfer, learns nothing", "output", "a photograph, of another place"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Frames of the height of training, which change nothing on their way to it."""
    for number, folder in enumerate(("trainA", "trainB", "testA", "testB")):
        (tmp_path / "frames" / folder).mkdir(parents=True)
        for index in range(3):
            coarse = np.random.default_rng([number, index]).integers(0, 256, (4, 4, 3), dtype=np.uint8)
            smooth = Image.fromarray(coarse).resize((32, 32), Image.Resampling.BICUBIC)
            smooth.save(tmp_path / "frames" / folder / f"{index}.png")
    return tmp_path / "frames"


@pytest.mark.parametrize(
    ("settings", "photographs"), [([], "testB"), (["metrics.scores=null", "data.layout.y_val=null"], "trainB")]
)
def test_a_row_is_source_colour_transfer_output_and_photograph(
    settings: list[str], photographs: str, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    seen: list[list[dict[str, Pixels]]] = []

    def looked_at(names: Sequence[str], rows: Sequence[tuple[Mapping, Mapping]]) -> Pixels:
        seen.append([{kind: to_pixels(image) for kind, image in images.items()} for images, _ in rows])
        return score_maps.panel(names, rows)

    monkeypatch.setattr(image_grid, "panel", looked_at)
    train(tiny(root, "trainer.max_epochs=1", "data.aspect=1", *settings, panel=DRAWN), tmp_path / "run")

    (rows,) = seen
    assert [list(row) for row in rows] == [KINDS, KINDS]
    for number, row in enumerate(rows):
        source, transferred, output, photograph = row.values()
        assert (source == read(root / "testA" / f"{number}.png")).all()
        possible = [transfer_colours(source, read(path)) for path in (root / "trainB").iterdir()]
        assert sum((one == transferred).all() for one in possible) == 1
        assert (output == read(tmp_path / "run/images/translated" / f"{number}.png")).all()
        assert (photograph == read(root / photographs / f"{number}.png")).all()


def test_taps_without_attention_have_no_map(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Their scores are noise, and five pictures of noise would be most of CUT's panel."""
    seen: list[list[str]] = []

    def looked_at(names: Sequence[str], rows: Sequence[tuple[Mapping, Mapping]]) -> Pixels:
        seen.extend(list(maps) for _, maps in rows)
        return score_maps.panel(names, rows)

    monkeypatch.setattr(image_grid, "panel", looked_at)
    settings = ["attention=bam", "attention.taps=[down1,block5]", "trainer.max_epochs=1"]
    train(tiny(root, *settings, panel=DRAWN), tmp_path / "run")
    assert seen == [["down1", "block5"]] * 2


def read(path: Path) -> Pixels:
    return np.asarray(Image.open(path))
