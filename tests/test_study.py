"""Translate -> segment -> table, on tiny sets in both true layouts."""

import shutil
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from src.config import schema
from src.data.labelled import labelled_set, labels_of, usable_frames
from src.data.layouts import gta2cityscapes
from src.downstream.study import _sets, study
from src.system.commit import git_commit
from src.system.errors import UserError
from src.translation import translate
from tests import forked
from tests.conftest import CONF
from tests.labelled import SMALL, composed, streets, translator, write_pair


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return streets(tmp_path_factory.mktemp("study") / "streets")


@pytest.fixture(scope="module")
def run(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = ("data=gta2cityscapes", f"data.root={root}", "data.layout.holdout=5")
    return translator(tmp_path_factory.mktemp("runs") / "cut_seed-0", *data)


def studied(*arguments: str) -> str:
    schema.register()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return study(compose("study", list(arguments)))  # type: ignore[arg-type]


def test_a_run_translates_its_own_labelled_source(root: Path, run: Path, tmp_path: Path):
    done = forked.run("src.translate", f"run={run}", "split=train", f"output={tmp_path}/set", "accelerator=cpu")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == f"{tmp_path}/set"
    frames = labelled_set(f"{tmp_path}/set", "train", "train")
    assert [f.image.name for f in frames] == [f"{n:05d}.png" for n in range(1, 5)]  # the fifth is held out
    for frame in frames:
        source = root / "playing_for_data/labels" / frame.labels.name
        assert frame.labels.read_bytes() == source.read_bytes()
        assert frame.image.read_bytes() != (root / "playing_for_data/images" / frame.image.name).read_bytes()


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["split=train", "input=x"], "input and split exclude each other"),
        ([], "name what to translate"),
        (["split=test"], "split must be one of train, val, got 'test'"),
        (["split=train", "output={root}"], "exists and is no set of this package; name another folder"),
    ],
)
def test_a_mistake_in_translating_is_one_line(
    root: Path, run: Path, tmp_path: Path, overrides: list[str], message: str
):
    config = composed("translate", f"run={run}", f"output={tmp_path}/x", "accelerator=cpu")
    given = OmegaConf.from_dotlist([one.format(root=root) for one in overrides])
    with pytest.raises(UserError, match=message) as raised:
        translate.translate_inputs(OmegaConf.merge(config, given))  # type: ignore[arg-type]
    assert "\n" not in str(raised.value)


def test_a_study_is_one_command_that_skips_what_is_done(root: Path, run: Path, tmp_path: Path):
    arguments = [
        *("data=gta2cityscapes", f"data.root={root}", "data.layout.holdout=5", f"runs=[{run.parent}]"),
        *(f"segment={SMALL}", f"output={tmp_path}", "accelerator=cpu"),
    ]
    done = forked.run("src.study", *arguments)
    assert done.returncode == 0, done.stderr
    assert done.stdout == (tmp_path / "table.md").read_text()
    rows = [line.split("|")[1].strip() for line in done.stdout.splitlines() if line.startswith("| ")]
    assert rows == ["trained on", "---", "raw source", "colour transfer (Reinhard)", "cut", "real (oracle)"]
    assert f"segmenter: unet, encoder tu-test_resnet from random numbers; commit: {git_commit()};" in done.stdout
    cells = sorted((tmp_path / "segmenters").glob("*/seed-*/metrics.json"))
    assert len(cells) == 4
    assert {"study.json", "table.md", "table.csv", "table.tex", "sets", "segmenters"} == {
        path.name for path in tmp_path.iterdir()
    }
    times = [path.stat().st_mtime_ns for path in cells]
    cells[3].unlink()  # scored again from its checkpoint, the others stay
    assert studied(*arguments) == done.stdout
    assert [a == b for a, b in zip(times, (p.stat().st_mtime_ns for p in cells), strict=True)].count(False) == 1
    kept = tmp_path / "kept"  # a study's file alone, carried elsewhere
    kept.mkdir()
    shutil.copy(tmp_path / "study.json", kept)
    assert str(tmp_path) not in (kept / "study.json").read_text()
    again = forked.run("src.report", str(kept))
    assert (again.returncode, again.stdout) == (0, done.stdout)
    for name in ("table.md", "table.csv", "table.tex"):
        assert (kept / name).read_bytes() == (tmp_path / name).read_bytes()
    paired = studied(*arguments, "seeds=[0,1]", "paired=true")
    cells_of = [line.split("|") for line in paired.splitlines() if line.startswith("| ")]
    counts = {cells[1].strip(): cells[2].strip() for cells in cells_of}
    assert (counts["raw source"], counts["cut"]) == ("2 seeds", "1 seed")
    moved = tmp_path.with_name("moved")
    tmp_path.rename(moved)
    elsewhere = [argument.replace(str(tmp_path), str(moved)) for argument in arguments]
    assert studied(*elsewhere) == done.stdout
    moved.rename(tmp_path)
    with pytest.raises(UserError, match="was trained with other settings; repeat them or name another output"):
        studied(*arguments, "segment=['data.size=64']")


def test_runs_of_one_variant_share_a_row_only_if_they_were_trained_alike(root: Path, run: Path, tmp_path: Path):
    runs = [run]
    for name, key, value in (("seed", "seed", 1), ("rate", "optimizer.lr", 0.5)):
        runs.append(shutil.copytree(run, tmp_path / name))
        changed = OmegaConf.load(runs[-1] / "config.yaml")
        OmegaConf.update(changed, key, value)
        OmegaConf.save(changed, runs[-1] / "config.yaml")
    listed = gta2cityscapes(str(root), x="playing_for_data", y="cityscapes", holdout=5)
    source = usable_frames(labels_of(listed.x_train))
    config = composed("study", "runs=[]")
    sets = _sets(config, listed, source, tmp_path, root, runs, torch.device("cpu"))  # type: ignore[arg-type]
    rate = OmegaConf.load(run / "config.yaml").optimizer.lr
    assert [one.row for one in sets][2:-1] == [f"cut (lr={rate})", f"cut (lr={rate})", "cut (lr=0.5)"]


def test_a_part_of_a_target_that_segmenters_would_take_whole_is_refused(root: Path, tmp_path: Path):
    for town in ("a", "b", "c"):
        for domain in ("game", "real"):
            write_pair(tmp_path / domain / town, tmp_path / f"{domain}_labels" / town, "1", 0)
    held = [f"data.layout.{domain}_held=c/*" for domain in ("x", "y")]
    folders = ["data=folders", f"data.root={tmp_path}", "data.layout.x=game", "data.layout.y=real", *held]
    whole = ["data=gta2cityscapes", f"data.root={root}", "data.layout.holdout=5", "data.layout.tune=2"]
    for data, taken in ((folders, "/real, also .*/real/c/1.png"), (whole, "/cityscapes, also .*_leftImg8bit.png")):
        with pytest.raises(UserError, match=f"^data: segmenters take all of .*{taken}, which this part of the target"):
            studied(*data, "runs=[]", f"output={tmp_path}/study", "accelerator=cpu")


def test_a_source_without_class_maps_is_refused_in_one_line(tmp_path: Path):
    for name in ("trainA", "trainB", "testA", "testB"):
        (tmp_path / name).mkdir()
        for number in range(2):
            (tmp_path / name / f"{number}.png").write_bytes(b"x")
    with pytest.raises(UserError, match="has no class map; a labelled set is"):
        studied("data=folders", f"data.root={tmp_path}", "runs=[]", f"output={tmp_path}/study")


def test_a_colour_transfer_of_another_white_is_not_taken_for_this_one(root: Path, tmp_path: Path):
    def write_colour(*overrides: str) -> Path:
        config = composed("study", "runs=[]", "data=gta2cityscapes", f"data.root={root}", *overrides)
        listed = gta2cityscapes(str(root), x="playing_for_data", y="cityscapes", holdout=5)
        source = usable_frames(labels_of(listed.x_train))
        sets = _sets(config, listed, source, tmp_path, Path(), [], torch.device("cpu"))
        return next(one for one in sets if one.name == "colour").write()

    assert write_colour() == write_colour()
    with pytest.raises(UserError, match="holds a set made otherwise"):
        write_colour("data.white=4095")
