"""Removing runs: nothing without --yes, and nothing that is not a run of ours."""

import re
import shutil
from pathlib import Path

import pytest
from filelock import FileLock

from src.runs import removal
from src.runs.__main__ import main
from src.runs.folder import LOCK
from tests import labelled
from tests.bad_inputs.refusal import listing


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return labelled.translator(tmp_path_factory.mktemp("runs") / "one", "data=folders", "data.root=/sets/mine")


@pytest.fixture
def outputs(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two finished runs, one of them in a sweep; seen from the folder above."""
    folder = tmp_path / "outputs"
    for name in ("one", "sweeps/x/two"):
        shutil.copytree(made, folder / name)
        (folder / name / "last.ckpt").write_bytes(b"x" * 1000)
        (folder / name / "images" / "translated").mkdir(parents=True)
        (folder / name / "images" / "translated" / "0.png").touch()
        (folder / name / ".weights.safetensors.0.part").touch()
    monkeypatch.chdir(tmp_path)
    return folder


def test_without_yes_it_only_says_what_would_go(outputs: Path, capsys: pytest.CaptureFixture[str]):
    before = listing(outputs)
    assert main(["rm", "one", "sweeps/x/two"]) == 0
    said = capsys.readouterr()
    assert [line.partition(" (")[0] for line in said.out.splitlines()] == [
        f"would remove {outputs}/one",
        f"would remove {outputs}/sweeps/x/two",
    ]
    assert said.err.startswith("nothing removed; --yes frees ")
    assert listing(outputs) == before


@pytest.mark.parametrize("name", ["one", "outputs/one", "./outputs/one/", "{outputs}/one"])
def test_a_run_goes_whole_and_nothing_else_does(name: str, outputs: Path, capsys: pytest.CaptureFixture[str]):
    other = listing(outputs / "sweeps")
    assert main(["rm", "--yes", name.format(outputs=outputs)]) == 0
    assert capsys.readouterr().out.startswith(f"removed {outputs}/one (cut, finished): ")
    assert not (outputs / "one").exists()
    assert listing(outputs / "sweeps") == other


def test_checkpoints_alone(outputs: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["rm", "--yes", "--checkpoints", "one"]) == 0
    assert capsys.readouterr().out == f"removed {outputs}/one (checkpoints): 1.0 kB\n"
    assert not (outputs / "one/last.ckpt").exists()
    assert (outputs / "one/weights.safetensors").exists()
    assert (outputs / "sweeps/x/two/last.ckpt").exists()


def test_what_a_link_in_a_run_leads_to_stays(outputs: Path, tmp_path: Path):
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious/file").touch()
    (outputs / "one/images/link").symlink_to(tmp_path / "precious")
    (outputs / "one/logs").symlink_to(tmp_path / "precious")
    assert main(["rm", "--yes", "one"]) == 0
    assert not (outputs / "one").exists()
    assert (tmp_path / "precious/file").exists()


def become_a_link(run: Path) -> None:
    run.rename(run.parent / "elsewhere")
    run.symlink_to(run.parent / "elsewhere")


def lie_behind_a_link(run: Path) -> None:
    (run.parent / "real").mkdir()
    run.rename(run.parent / "real" / "inner")
    run.symlink_to(run.parent / "real")


def hold_another(run: Path) -> None:
    shutil.copytree(run, run.parent / "copy")
    (run.parent / "copy").rename(run / "images" / "inner")


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("on", lambda run: None, r"^on: no such run in outputs; did you mean one\?$"),
        ("sweeps", lambda run: None, "sweeps: not a run folder; only what src.train and src.segment wrote is removed$"),
        (".", lambda run: None, "lies outside outputs; name the folder it lies in with --folder$"),
        ("..", lambda run: None, "lies outside outputs"),
        ("../precious", lambda run: shutil.copytree(run, run.parents[1] / "precious"), "lies outside outputs"),
        ("one", become_a_link, "^one: is a link, or lies behind one; name the run folder itself$"),
        ("one/inner", lie_behind_a_link, "is a link, or lies behind one"),
        ("one", hold_another, r"one: holds another run, images/inner; remove or move that first$"),
        ("one", lambda run: (run / "notes.txt").touch(), r"one: holds notes\.txt, which no run writes; move it away"),
        ("one", lambda run: (run / "config.yaml").write_text("seed: 1"), r"one: config\.yaml is no run's; look at"),
        ("one", lambda run: (run / "config.yaml").write_text("a: ["), r"one: config\.yaml is no run's; look at"),
        ("one", lambda run: (run / "config.yaml").unlink(), r"one: config\.yaml is no run's; look at"),
        (
            "--checkpoints one",
            lambda run: (run / "metrics.json").unlink(),
            "the run is stopped, not finished, and needs",
        ),
        ("--folder nowhere one", lambda run: None, "^nowhere: no such folder; name the one that holds the runs"),
    ],
)
def test_anything_else_is_refused(
    name: str, change, message: str, outputs: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
):
    change(outputs / "one")
    before = listing(tmp_path)
    # the good one beside it stays too: all are looked at before any is touched
    assert main(["rm", "--yes", "sweeps/x/two", *name.split()]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    (line,) = said.err.splitlines()
    assert re.search(message, line), line
    assert listing(tmp_path) == before


def test_a_running_one_is_refused(outputs: Path, capsys: pytest.CaptureFixture[str]):
    with FileLock(outputs / "one" / LOCK):
        assert main(["rm", "--yes", "one"]) == 1
    assert capsys.readouterr().err.strip().endswith("one: a process trains here; stop it first")
    assert (outputs / "one/weights.safetensors").exists()


def test_one_that_begins_to_run_after_the_look_is_refused(outputs: Path):
    (planned,) = removal.plan(["one"], outputs, checkpoints=False)
    with FileLock(outputs / "one" / LOCK), pytest.raises(removal.UserError, match="a process trains here"):
        removal.remove(planned)
    assert (outputs / "one/weights.safetensors").exists()


def test_another_folder_is_named_explicitly(outputs: Path, tmp_path: Path):
    outputs.rename(tmp_path / "elsewhere")
    outputs.mkdir()
    assert main(["rm", "--yes", "elsewhere/one"]) == 1
    assert main(["rm", "--yes", "--folder", "elsewhere", "one"]) == 0
    assert not (tmp_path / "elsewhere/one").exists()
