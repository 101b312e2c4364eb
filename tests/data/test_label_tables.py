"""Which table the ids of a set belong to, where the ranges of several overlap."""

from pathlib import Path

import numpy as np
import pytest
from cityscapesscripts.helpers.labels import labels
from PIL import Image

from src.data.label_tables import closest_table, demand_own, other_table, tables
from src.data.labelled import labelled_set
from src.data.labels import LabelTable
from src.system.errors import UserError

TRAIN_IDS = (0, 2, 8, 10, 13, 255)
"""Road, building, vegetation, sky, car, void; as label ids, 8 is sidewalk, 13 fence, and the others are void."""
LABEL_IDS = (1, 7, 8, 11, 21, 23, 26)


def test_train_ids_are_those_of_the_published_table():
    published = {label.trainId: label for label in labels if 0 <= label.trainId < 255}
    table = tables()["cityscapes_trainids"]
    assert table.names == [published[identity].name for identity in range(19)]
    ids = np.arange(19, dtype=np.uint8)
    assert table.encode(ids).tolist() == ids.tolist()
    assert table.paint(ids).tolist() == [list(published[identity].color) for identity in range(19)]


@pytest.mark.parametrize(
    ("ids", "name"),
    [
        (TRAIN_IDS, "cityscapes_trainids"),
        (range(19), "cityscapes_trainids"),
        (LABEL_IDS, "cityscapes"),
        ((0, 4, 34), "cityscapes"),
        (range(12), "camvid"),
        ((0, 200), None),
    ],
)
def test_ids_fit_the_narrowest_table_that_knows_them(ids: tuple[int, ...], name: str | None):
    assert closest_table(ids) == name
    for other, table in tables().items():
        knows = set(ids) <= table.known
        assert other_table(ids, table) == (name if knows and other != name else None)


def test_a_table_of_ones_own_is_not_doubted():
    classes = [{"id": identity, "name": str(identity), "colour": [0, 0, identity]} for identity in range(60)]
    assert other_table(TRAIN_IDS, LabelTable(classes=classes, void=[255], watched="1")) is None


def a_set(root: Path, ids: tuple[int, ...]) -> str:
    for folder in ("frames", "frames_labels"):
        (root / folder).mkdir(parents=True)
    for index, identity in enumerate(ids):
        Image.fromarray(np.zeros((4, 6, 3), np.uint8)).save(root / f"frames/{index}.png")
        pixels = np.full((4, 6), identity, np.uint8)
        pixels[0, 0] = ids[0]
        Image.fromarray(pixels).save(root / f"frames_labels/{index}.png")
    return str(root / "frames")


def test_a_set_of_another_tables_ids_is_refused_with_the_mend(tmp_path: Path):
    train_ids = labelled_set(a_set(tmp_path / "a", TRAIN_IDS[:-1]), "train", "train")
    with pytest.raises(UserError, match=r"^train: .* ids 0, 2, 8, 10, 13, which .* labels=cityscapes_trainids; choose"):
        demand_own(train_ids, tables()["cityscapes"], "train")
    demand_own(train_ids, tables()["cityscapes_trainids"], "train")
    label_ids = labelled_set(a_set(tmp_path / "b", (7, 8, 11, 21, 23)), "train", "train")
    demand_own(label_ids, tables()["cityscapes"], "train")
