"""src.data.check counts what is there and names what is wrong, in sets whose faults are known."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from src.data import check as check_module
from src.data.check import check
from src.data.images import write_image
from src.system.errors import UserError
from tests import forked
from tests.labelled import composed, streets, write_pair


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return streets(tmp_path_factory.mktemp("check") / "streets")


def checked(root: Path, *overrides: str) -> dict[str, Any]:
    return check(composed("check", f"data.root={root}", "workers=2", *overrides))


def pairs(root: Path) -> Path:
    """Folders of frames with CamVid class maps in the target."""
    for number, name in enumerate(("trainA", "trainB", "testA", "testB")):
        for index in range(3):
            seed = 10 * number + index
            write_pair(root / name, root / f"{name}_labels", f"{index}", seed, (40, 48 + index))
    return root


def test_the_built_in_set_is_counted_and_in_order(shared: Path):
    report = checked(shared)
    assert report["trainable"]
    counts = {"x_train": 4, "y_train": 4, "x_val": 1, "y_val": 2}
    for name, count in counts.items():
        part = report["parts"][name]
        assert (part["files"], part["readable"], part["labelled"]) == (count, count, count)
        assert part["sizes"] == {"224x128": count}
        assert part["channels"] == {"RGB": count}
        assert not any(part[key] for key in ("unknown_ids", "one_colour", "unreadable", "label_faults"))
    assert report["skipped"] == report["duplicates"] == report["orphans"] == []


def test_hidden_files_beside_class_maps_are_none(tmp_path: Path):
    """macOS writes one beside each file on a disk of another system."""
    root = pairs(tmp_path)
    (root / "trainB_labels/._0.png").write_bytes(b"\0\5\x16\7")
    assert checked(root, "data=folders", "labels=camvid", "quick=true")["orphans"] == []


def test_every_fault_is_found_and_named(tmp_path: Path):
    root = pairs(tmp_path)
    (root / "trainA/1.png").write_bytes((root / "trainA/1.png").read_bytes()[:90])
    (root / "trainB_labels/0.png").unlink()
    Image.fromarray(np.zeros((3, 4), np.uint8)).save(root / "trainB_labels/1.png")
    Image.fromarray(np.full((40, 50), 77, np.uint8)).save(root / "trainB_labels/2.png")
    Image.fromarray(np.zeros((3, 4), np.uint8)).save(root / "trainB_labels/lost.png")
    write_image(root / "testA/0.png", np.full((20, 30, 3), 9, np.uint8))
    with Image.open(root / "trainB/2.png") as image:
        image.save(root / "testB/again.webp", lossless=True)  # other bytes, same pixels
    report = checked(root, "data=folders", "labels=camvid")
    parts = report["parts"]
    assert not report["trainable"]
    (unreadable,) = parts["x_train"]["unreadable"]
    assert unreadable.startswith(f"{root}/trainA/1.png: cannot be read as an image")
    assert (parts["x_train"]["files"], parts["x_train"]["readable"]) == (3, 2)
    missing, size = parts["y_train"]["label_faults"]
    assert missing == f"{root}/trainB_labels/0.png: the class map of {root}/trainB/0.png is missing"
    assert size == f"{root}/trainB_labels/1.png: is 4x3, its image 49x40"
    assert parts["y_train"]["labelled"] == 1
    assert parts["y_train"]["unknown_ids"] == {"77": 1}
    assert parts["y_train"]["sizes"] == {"48x40": 1, "49x40": 1, "50x40": 1}
    assert parts["x_val"]["one_colour"] == [f"{root}/testA/0.png"]
    assert report["duplicates"] == [[f"{root}/trainB/2.png", f"{root}/testB/again.webp"]]
    assert report["orphans"] == [f"{root}/trainB_labels/lost.png"]
    quick = checked(root, "data=folders", "labels=camvid", "quick=true")
    assert not quick["trainable"]  # the file's end is missing
    assert quick["duplicates"] == []
    assert quick["parts"]["y_train"]["label_faults"] == [missing, size]


def test_train_ids_in_a_set_are_told_from_label_ids_and_shares_show_what_is_read(tmp_path: Path):
    root = pairs(tmp_path)
    for index in range(3):
        ids = np.full((40, 48 + index), 13, np.uint8)  # car; as a label id, fence
        ids[:30], ids[30:36] = 0, 8
        Image.fromarray(ids).save(root / f"trainB_labels/{index}.png")
    report = checked(root, "data=folders", "labels=cityscapes")["parts"]["y_train"]
    assert report["class_shares"] == {"void": 0.75, "sidewalk": 0.15, "fence": 0.1}
    assert (report["ids_fit"], report["other_table"]) == ("cityscapes_trainids", "cityscapes_trainids")
    report = checked(root, "data=folders", "labels=cityscapes_trainids")["parts"]["y_train"]
    assert report["class_shares"] == {"road": 0.75, "vegetation": 0.15, "car": 0.1}
    assert (report["ids_fit"], report["other_table"]) == ("cityscapes_trainids", None)


def test_what_is_read_otherwise_than_its_user_thinks_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    root = pairs(tmp_path)
    for index in range(3):
        deep = np.full((40, 48), index, np.uint16)
        deep[0, 0] = 4080  # 12 bits in 16
        Image.fromarray(deep).save(root / f"trainA/{index}.png")
    with Image.open(root / "testA/0.png") as image:
        image.save(root / "testA/0.png", icc_profile=b"garbage")
    for name in ("a.tif", "b.TIF", "c.gif"):
        (root / "trainB" / name).write_bytes(b"")
    report = checked(root, "data=folders", "labels=camvid")
    assert report["passed_over"] == {".gif": 1, ".tif": 2}
    part = report["parts"]["x_train"]
    assert (part["sixteen_bits"], part["highest"], report["white"]) == (3, 4080, 65535)
    (fault,) = report["parts"]["x_val"]["profile_faults"]
    assert fault.startswith(f"{root}/testA/0.png: cannot open profile")
    remarks = dict(check_module._remarks(report))
    assert remarks["16-bit images that are dark with data.white=65535, choose another"] == [
        "x_train: 3 files, whose values end at 4080; perhaps data.white=4095"
    ]
    assert remarks["colour profiles that cannot be used, read as sRGB"] == [fault]
    assert "data: 3 files passed over: .gif 1, .tif 2; " in capsys.readouterr().err
    mended = checked(root, "data=folders", "labels=camvid", "data.white=4095")
    assert not dict(check_module._remarks(mended))["16-bit images that are dark with data.white=4095, choose another"]


def test_what_only_decoding_finds_is_left_to_the_whole_check(tmp_path: Path):
    root = pairs(tmp_path)
    content = bytearray((root / "trainA/1.png").read_bytes())
    content[content.index(b"IDAT") + 10] ^= 255
    (root / "trainA/1.png").write_bytes(content)
    assert checked(root, "data=folders", "labels=camvid", "quick=true")["trainable"]
    assert not checked(root, "data=folders", "labels=camvid")["trainable"]


def test_all_missing_places_are_named_with_where_they_were_looked_for(tmp_path: Path):
    (tmp_path / "cityscapes/leftImg8bit/val").mkdir(parents=True)
    with pytest.raises(UserError) as raised:
        checked(tmp_path, "data=gta2cityscapes")
    message = str(raised.value)
    assert f"{tmp_path}/playing_for_data/images: no such folder" in message
    assert f"{tmp_path}/cityscapes/leftImg8bit/train;" in message
    assert "leftImg8bit/val" not in message
    assert "DATASETS.md" in message
    with pytest.raises(UserError, match="workers must be >= 1, got 0"):
        checked(tmp_path, "workers=0")


def test_the_command_prints_json_a_table_and_a_verdict(tmp_path: Path):
    root = pairs(tmp_path)
    (root / "testB/2.png").write_bytes(b"")
    done = forked.run("src.data.check", "data=folders", f"data.root={root}", "labels=camvid")
    assert done.returncode == 1
    report = json.loads(done.stdout)
    assert report["root"] == str(root)
    assert report["parts"]["y_val"]["readable"] == 2
    assert "unreadable images (1):" in done.stderr
    assert "class shares" in done.stderr
    assert f"{root}/testB/2.png: cannot be read as an image" in done.stderr
    assert "cannot be trained on" in done.stderr
    assert "Traceback" not in done.stderr


def test_masks_are_counted_and_those_that_do_not_fit_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    root = pairs(tmp_path)
    for name in ("trainA", "testA"):
        for index in range(3):
            mask = np.zeros((40, 48 + index), np.uint8)
            mask[30:] = 255
            (root / "masks" / name).mkdir(parents=True, exist_ok=True)
            Image.fromarray(mask).save(root / "masks" / name / f"{index}.png")
    (root / "masks/testA/2.png").unlink()
    settings = ("data=folders", "labels=camvid", "data.ignore_x=masks")
    report = checked(root, *settings)
    # five of six frames, a quarter of each
    assert report["ignored"]["x"] == {"found": 5, "missing": 1, "share": pytest.approx(5 / 24), "faults": []}
    assert report["trainable"]
    check_module._show({**report, "root": "[sets]/streets"})
    shown = capsys.readouterr().err
    assert "ignored of x: 20.8% of the pixels; 5 frames with a mask, 1 without" in shown
    assert "[sets]/streets" in shown
    Image.fromarray(np.zeros((20, 48), np.uint8)).save(root / "masks/trainA/0.png")
    wrong = checked(root, *settings, "quick=true")
    assert not wrong["trainable"]
    (line,) = wrong["ignored"]["x"]["faults"]
    assert line.endswith("trainA/0.png 48x40; a mask has the size of its frame")
    assert wrong["ignored"]["x"]["share"] is None
    assert checked(root, "data=folders", "labels=camvid")["ignored"] == {}


def test_it_reads_on_the_processors_that_the_process_may_use(shared: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda process: {0, 2, 5}, raising=False)
    counts, survey = set(), check_module.survey

    def counted(files: Any, *, workers: int, **options: Any):
        counts.add(workers)
        return survey(files, workers=workers, **options)

    monkeypatch.setattr(check_module, "survey", counted)
    check(composed("check", f"data.root={shared}"))
    assert counts == {3}
