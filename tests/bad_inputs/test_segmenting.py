"""What src.segment refuses of its settings and of its label tables."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.bad_inputs.refusal import assert_refused, listing, run_composed
from tests.labelled import SMALL, write_pair


@pytest.mark.parametrize("key", ["train", "test"])
def test_train_ids_are_not_read_as_label_ids(key: str, tmp_path: Path):
    sets = {"train": (7, 21, 23, 26), "test": (7, 21, 23, 26), key: (0, 2, 8, 10, 13, 255)}
    for name, ids in sets.items():
        for folder in (name, f"{name}_labels"):
            (tmp_path / folder).mkdir()
        Image.fromarray(np.zeros((40, 48, 3), np.uint8)).save(tmp_path / name / "0.png")
        Image.fromarray(np.resize(np.array(ids, np.uint8), (40, 48))).save(tmp_path / f"{name}_labels/0.png")
    before = listing(tmp_path)
    own = [f"train={tmp_path}/train", f"test={tmp_path}/test"]
    answer = run_composed("segment", tmp_path / "run", ["labels=cityscapes", *SMALL, *own])
    assert_refused(answer, f"^{key}: .* ids 0, 2, 8, 10, 13, 255, .* those of labels=cityscapes_trainids; choose it$")
    assert listing(tmp_path) == before


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("labels.watched=tre", "^labels.watched=tre: no such class; there are sky, .*; did you mean tree\\?$"),
        ("labels.void=11", r"^labels\.void must be a list, each a whole number, got 11$"),
        ("labels.void=[eleven]", r"^labels\.void must be a list, each a whole number, got \['eleven'\]$"),
        ("labels.void=[255]", "the label table knows no id 11; choose another with labels=$"),
        ("labels.classes=[]", r"^labels\.classes must name at least 2 classes, got 0$"),
        ("labels=cityscapes", "^train: its class maps hold the ids 1, 4, .* those of labels=camvid; choose it$"),
        ("segmenter.architecture=unett", "^segmenter: unett with .* cannot be had"),
        ("segmenter.encoder=resnet1", "^segmenter: unet with resnet1, .* cannot be had"),
        ("segmenter.weights=5", r"^segmenter\.weights must be text or null, got 5$"),
        ("data.size=16", r"^data\.size must lie in \[32, 8192\], got 16$"),
        ("data.aspect=0", r"^data\.aspect is width / height and must lie in \[0\.1, 10\], got 0$"),
        ("data.smallest_crop=0", r"^data\.smallest_crop must lie in \(0, 1\], got 0$"),
        ("data.smallest_crop=2", r"^data\.smallest_crop must lie in \(0, 1\], got 2$"),
        ("data.batch_size=1", r"^data\.batch_size must be >= 2 \(batch normalisation\), got 1$"),
        ("data.samples_per_epoch=1", r"^data\.batch_size=2 exceeds data\.samples_per_epoch=1; lower it$"),
        ("data.num_workers=1000", r"^data\.num_workers must lie in \[0, 256\], got 1000$"),
        ("module.power=-1", r"^module\.power must be >= 0, got -1$"),
        ("module.power=steep", r"^module\.power must be a number, got 'steep'$"),
        ("optimizer.lr=0", r"^optimizer\.lr must be a number > 0, got 0$"),
        ("checkpoint.every_n_batches=0", r"every_n_batches must be >= 1, got 0$"),
        (
            "+trainer.max_steps=4",
            r"^trainer\.max_steps counts steps .*use trainer\.max_epochs and trainer\.limit",
        ),
        ("trainer.devices=2", r"^trainer\.devices: a segmenter trains on one device, got 2$"),
        ("seed=-1", r"^seed must lie in \[0, 2\^32\), got -1$"),
    ],
)
def test_segmenting_refuses(settings: str, message: str, tmp_path: Path):
    for number in range(3):
        write_pair(tmp_path / "set/images", tmp_path / "set/labels", str(number), number)
    own = ["labels=camvid"] if not settings.startswith("labels=") else []
    good = [*own, *SMALL, f"train={tmp_path}/set", f"test={tmp_path}/set"]
    assert_refused(run_composed("segment", tmp_path / "run", [*good, settings]), message)
    assert not (tmp_path / "run").exists()


def _colours(path: Path) -> None:
    Image.open(path).convert("RGB").save(path)


def _unknown_id(path: Path) -> None:
    Image.fromarray(np.full((40, 48), 99, np.uint8)).save(path)


@pytest.mark.parametrize("part", ["train", "test"])
@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_colours, r"3\.png: holds colours \(mode RGB\), not class ids; convert it to a grey or palette PNG$"),
        (_unknown_id, r"3\.png: the label table knows no id 99; choose another with labels=$"),
    ],
)
def test_a_class_map_that_is_none_is_refused_before_anything_is_written(spoil, message: str, part: str, tmp_path: Path):
    for name in ("train", "test"):
        for number in range(4):
            write_pair(tmp_path / name / "pictures", tmp_path / name / "pictures_labels", str(number), number)
    spoil(tmp_path / part / "pictures_labels/3.png")
    good = ["labels=camvid", *SMALL, *(f"{name}={tmp_path}/{name}/pictures" for name in ("train", "test"))]
    assert_refused(run_composed("segment", tmp_path / "run", good), message)
    assert not (tmp_path / "run").exists()
