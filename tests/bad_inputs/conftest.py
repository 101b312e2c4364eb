"""What every bad input meets: good data, an empty folder to work in, and a listing that must stay the same."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from src.metrics.efficientnet import EfficientNetLite0
from tests.bad_inputs.refusal import listing


@pytest.fixture(autouse=True, scope="package")
def _one_extractor() -> Iterator[None]:
    """Refusals compute no features, and building the network anew takes most of the time of each."""
    with pytest.MonkeyPatch.context() as patch:
        made = EfficientNetLite0()
        patch.setattr(EfficientNetLite0, "__init__", lambda self: self.__dict__.update(made.__dict__))
        yield


@pytest.fixture(scope="package")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with trainA, trainB, testA and testB."""
    root = tmp_path_factory.mktemp("bad_inputs") / "frames"
    for name, count in {"trainA": 4, "trainB": 5, "testA": 3, "testB": 4}.items():
        (root / name).mkdir(parents=True)
        for index in range(count):
            pixels = np.random.default_rng(index).integers(0, 256, (40, 56, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / name / f"{index}.png")
    return root


@pytest.fixture
def untouched(frames: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The working folder; whatever lies there and among the data before the test lies there unchanged after it."""
    monkeypatch.chdir(tmp_path)
    before = listing(frames, tmp_path)
    yield tmp_path
    assert listing(frames, tmp_path) == before
