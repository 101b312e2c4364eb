"""Label tables: the ids of the real sets, and what is refused."""

from pathlib import Path

import numpy as np
import pytest
from cityscapesscripts.helpers.labels import labels
from omegaconf import OmegaConf
from PIL import Image

from src.config.build import build
from src.data.labels import IGNORE, LabelTable
from src.data.streets.classes import COLOURS, palette
from src.system.errors import UserError
from tests.conftest import CONF

CAMVID = ["sky", "building", "pole", "road", "pavement", "tree", "sign", "fence", "car", "pedestrian", "cyclist"]


def table(name: str) -> LabelTable:
    built = build(OmegaConf.load(CONF / "labels" / f"{name}.yaml"), "labels")
    assert isinstance(built, LabelTable)
    return built


def test_the_table_of_cityscapes_is_the_published_one():
    cityscapes = table("cityscapes")
    published = {label.id: label for label in labels if label.id >= 0}
    for identity, label in published.items():
        encoded = cityscapes.encode(np.array([[identity]], np.uint8))
        assert encoded[0, 0] == label.trainId
        if label.trainId != IGNORE:
            assert cityscapes.names[label.trainId] == label.name
            assert tuple(cityscapes.paint(encoded)[0, 0]) == label.color
    assert len(cityscapes) == 19
    # 34 is what Playing for Data makes of the licence plate, which Cityscapes calls -1
    assert cityscapes.unknown(range(256)) == sorted(set(range(256)) - set(published) - {34, 255})


def test_the_streets_are_painted_in_the_published_colours():
    published = {label.id: label.color for label in labels}
    assert {identity: published[identity] for identity in COLOURS} == COLOURS


def test_camvid_has_eleven_classes_and_leaves_the_twelfth_id_out():
    camvid = table("camvid")
    assert camvid.names == CAMVID
    assert camvid.encode(np.arange(13, dtype=np.uint8)).tolist() == [*range(11), IGNORE, IGNORE]


@pytest.mark.parametrize("kind", ["grey", "palette", "16 bit"])
def test_ids_are_read_from_any_kind_of_picture_that_holds_them(tmp_path: Path, kind: str):
    ids = np.array([[7, 21], [0, 33]], np.uint8)
    image = Image.fromarray(ids.astype(np.uint16) if kind == "16 bit" else ids)
    if kind == "palette":
        image.putpalette(palette())
    image.save(tmp_path / "a.png")
    assert table("cityscapes").read(tmp_path / "a.png").tolist() == [[0, 8], [IGNORE, 18]]


def test_a_picture_that_holds_no_class_is_refused_in_one_line(tmp_path: Path):
    Image.fromarray(np.zeros((2, 2, 3), np.uint8)).save(tmp_path / "colours.png")
    Image.fromarray(np.full((2, 2), 255, np.uint8)).save(tmp_path / "void.png")
    Image.fromarray(np.array([[7, 99], [40, 99]], np.uint8)).save(tmp_path / "strange.png")
    Image.fromarray(np.full((2, 2), 300, np.uint16)).save(tmp_path / "large.png")
    (tmp_path / "torn.png").write_bytes(b"\x89PNG")
    for name, message in {
        "colours": "holds colours .mode RGB., not class ids",
        "void": "holds none of the classes of this label table",
        "strange": "the label table knows no id 40, 99;",
        "large": r"class ids must lie in \[0, 255\]",
        "torn": "cannot be read as a class map",
        "gone": "the class map is gone",
    }.items():
        with pytest.raises(UserError, match=message) as raised:
            table("cityscapes").read(tmp_path / f"{name}.png")
        assert "\n" not in str(raised.value)


ROAD, TREE = {"id": 1, "name": "road", "colour": [1, 2, 3]}, {"id": 2, "name": "tree", "colour": [4, 5, 6]}


@pytest.mark.parametrize(
    ("classes", "watched", "message"),
    [
        ([ROAD], "road", "at least 2 classes"),
        ([ROAD, ROAD], "road", "is there twice"),
        ([ROAD, {**TREE, "id": 256}], "road", r"id must be a whole number in \[0, 255\]"),
        ([ROAD, {**TREE, "colour": [1, 2]}], "road", "three numbers"),
        ([ROAD, {"id": 3, "name": "sky"}], "road", "must have id, name and colour"),
        ([ROAD, TREE], "sky", "no such class; there are road, tree"),
    ],
)
def test_a_wrong_table_says_what_is_wrong(classes: list[dict[str, object]], watched: str, message: str):
    with pytest.raises(UserError, match=message):
        LabelTable(classes=classes, void=[], watched=watched)
