"""The kept experiments: what they ask for composes, and what is done is not done again."""

import importlib
import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from scipy import stats

from src.config import schema
from tests import forked
from tests.conftest import CONF, config

ROOT = Path(__file__).resolve().parent.parent
SWEEPS = sorted(ROOT.glob("experiments/*/sweep.yaml"))


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "experiments"))
    return importlib.import_module("run")


@pytest.mark.parametrize("path", SWEEPS, ids=lambda path: path.parent.name)
def test_every_run_of_a_kept_experiment_composes_into_a_row_of_its_own(run: ModuleType, path: Path):
    sweep = OmegaConf.load(path)
    labels = list(run.labels(sweep))
    assert len({label for label, *_ in labels}) == len(labels) == len(sweep.rows) * len(sweep.seeds)
    # a seed is a number to all rows alike: each row with the first, each seed in the first row
    rows = len(sweep.rows)
    composed = [
        config(*row, f"seed={seed}", *sweep.overrides) for _, row, seed in [*labels[:rows], *labels[rows::rows]]
    ]
    made = {(one.variant, str(one.selection), one.sampler.attended, str(one.attention.taps)) for one in composed}
    assert len(made) == rows
    assert {one.seed for one in composed} == set(sweep.seeds)


def test_rows_have_a_name_where_they_have_several_overrides(run: ModuleType):
    plain = OmegaConf.create({"rows": ["table1=cut", "table1=bam"], "seeds": [0]})
    assert list(run.labels(plain)) == [("cut_seed0", ["table1=cut"], 0), ("bam_seed0", ["table1=bam"], 0)]
    named = OmegaConf.create({"rows": {"raw": ["table1=bam", "sampler.attended=false"]}, "seeds": [0, 1]})
    assert [label for label, *_ in run.labels(named)] == ["raw_seed0", "raw_seed1"]
    assert next(run.labels(named))[1] == ["table1=bam", "sampler.attended=false"]


def test_the_table_shows_kept_runs_of_another_experiment_beside(
    run: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Made from what is kept: two rows of one experiment, of which the other names one."""
    kept, other = tmp_path / "experiments" / "mine", tmp_path / "experiments" / "theirs"
    source = ROOT / "experiments" / "carla2camvid_table1_v2" / "runs"
    shutil.copytree(source / "cut_seed0", other / "runs" / "cut_seed0")
    shutil.copytree(source / "cut_seed1", other / "runs" / "cut_seed1")
    shutil.copytree(source / "cut_seed2", kept / "runs" / "cut_seed2")
    (kept / "sweep.yaml").write_text("beside: ['theirs/runs/cut_seed[0]']")
    monkeypatch.setattr(run, "ROOT", tmp_path)
    monkeypatch.setattr(run, "KEPT", tmp_path / "experiments")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    assert run.report("mine") == 0
    lines = (kept / "runs.csv").read_text().splitlines()
    assert len(lines) == 3  # the heading, one of mine, one of theirs


@pytest.fixture
def contrasts(run: ModuleType) -> ModuleType:
    return importlib.import_module("contrasts")


ASKED = [path for path in SWEEPS if "contrasts" in OmegaConf.load(path)]


@pytest.mark.parametrize("path", ASKED, ids=lambda path: path.parent.name)
def test_what_is_asked_is_asked_of_rows_that_there_are(run: ModuleType, contrasts: ModuleType, path: Path):
    sweep = OmegaConf.load(path)
    there = {label.rpartition("_seed")[0] for label, *_ in run.labels(sweep)}
    there |= {
        folder.name.rpartition("_seed")[0] for folder in contrasts.of_others(path.parent, sweep, "beside", "against")
    }
    for family in sweep.contrasts:
        for question, differences in family.items():
            rows = [row for one in differences for row in one.split(" - ")]
            assert set(rows) <= there, question
            assert len(rows) == 2 * len(differences)


def test_a_question_is_answered_by_the_paired_test_of_all_its_pairs(contrasts: ModuleType):
    scores = {
        "a": {0: 1.0, 1: 2.0, 3: 2.5},
        "b": {0: 1.5, 1: 2.1, 2: 9.0},
        "c": {0: 0.2, 1: 0.4},
        "d": {0: 0.1, 1: 0.9},
    }
    found = contrasts.answer(["a - b", "c - d"], scores)
    # the seeds that both rows have: 0 and 1
    expected = stats.ttest_rel([1.0, 2.0, 0.2, 0.4], [1.5, 2.1, 0.1, 0.9])
    assert (found.n, found.difference, found.p) == (4, pytest.approx(-0.25), pytest.approx(expected.pvalue))
    assert contrasts.answer(["a - nowhere"], scores) is None


def test_what_is_not_there_yet_counts_in_the_correction(contrasts: ModuleType):
    scores = {"a": {0: 1.0, 1: 2.0, 2: 3.0}, "b": {0: 0.0, 1: 0.99, 2: 2.02}}
    lines = contrasts.lines({"one": ["a - b"], "two": ["a - later"], "three": ["b - later"]}, scores, 3)
    p = stats.ttest_rel([1.0, 2.0, 3.0], [0.0, 0.99, 2.02]).pvalue
    assert lines[0] == ["one", "a - b", "3", lines[0][3], f"{p:.2g}", f"{3 * p:.2g}", "higher"]
    assert lines[0][3].startswith("+0.997 [+0.959, ")
    assert [line[-1] for line in lines] == ["higher", "not asked yet", "not asked yet"]


def test_runs_of_fewer_steps_are_asked_about_and_have_no_place_in_the_table(
    run: ModuleType, contrasts: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Rows of 2,200 steps against kept ones of 2,500."""
    kept, source = tmp_path / "experiments", ROOT / "experiments" / "carla2camvid_table1_v2" / "runs"
    differences = []
    for seed in (0, 1):
        shutil.copytree(source / f"cut_seed{seed}", kept / "theirs" / "runs" / f"cut_seed{seed}")
        mine = kept / "mine" / "runs" / f"shorter_seed{seed}"
        shutil.copytree(source / f"self_seed{seed}", mine)
        metrics = json.loads((mine / "metrics.json").read_text())
        metrics["protocol"]["batches"] = 2200
        (mine / "metrics.json").write_text(json.dumps(metrics))
        cut = json.loads((source / f"cut_seed{seed}" / "metrics.json").read_text())
        differences.append(metrics["metrics"]["swd_unit"] - cut["metrics"]["swd_unit"])
    text = "KEY: ['theirs/runs/cut_seed[01]']\ncontrasts: [{asked: [shorter - cut]}]\n"
    monkeypatch.setattr(run, "ROOT", tmp_path)
    monkeypatch.setattr(run, "KEPT", kept)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    (kept / "mine" / "sweep.yaml").write_text(text.replace("KEY", "beside"))
    assert run.report("mine") == 1
    (kept / "mine" / "sweep.yaml").write_text(text.replace("KEY", "against"))
    assert run.report("mine") == 0
    assert len((kept / "mine" / "runs.csv").read_text().splitlines()) == 3  # the heading and mine
    line = (kept / "mine" / "contrasts.md").read_text().splitlines()[-1]
    assert f"| 2 | {sum(differences) / 2:+.2f} [" in line


def test_the_kept_answers_are_those_of_the_kept_runs(contrasts: ModuleType, tmp_path: Path):
    for path in ASKED:
        if not (kept := path.with_name("contrasts.md")).is_file():
            continue
        copy = tmp_path / "experiments" / path.parent.name
        sweep = OmegaConf.load(path)
        for folder in (path.parent, *contrasts.of_others(path.parent, sweep, "beside", "against")):
            shutil.copytree(folder, tmp_path / folder.relative_to(ROOT), dirs_exist_ok=True)
        contrasts.write_answers(copy, sweep)
        assert (copy / "contrasts.md").read_text() == kept.read_text()


@pytest.mark.parametrize("key", ["beside", "against"])
def test_a_run_beside_that_would_stand_for_one_of_the_experiment_is_refused(
    run: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], key: str
):
    for name, value in (("mine", 1.0), ("theirs", 2.0)):
        folder = tmp_path / name / "runs" / "cut_seed0"
        folder.mkdir(parents=True)
        metrics = {"kid_efficientnet_lite0": value, "swd_unit": value}
        (folder / "metrics.json").write_text(json.dumps({"metrics": metrics}))
    (tmp_path / "mine" / "sweep.yaml").write_text(
        f"{key}: ['theirs/runs/*']\ncontrasts: [{{asked: [cut - bam]}}]\nrows: [table1=cut]\nseeds: [0]\n"
    )
    for module in (run, run.contrasts):
        monkeypatch.setattr(module, "KEPT", tmp_path)
    monkeypatch.setattr("sys.argv", ["contrasts.py", "mine"])
    for made in (run.contrasts.main, lambda: run.report("mine")):
        assert made() == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith(f"{tmp_path}/theirs/runs/cut_seed0: cut of seed 0 is there already; leave one out of")
    assert not (tmp_path / "mine" / "contrasts.md").exists()


def forked_module(log: Path, name: str, *arguments: str) -> int:
    """What run.py starts, without the seconds of its imports."""
    done = forked.run(name, *arguments)
    log.write_text(done.stdout + done.stderr)
    return done.returncode


def test_a_finished_run_is_skipped_a_begun_one_continued_and_a_torn_one_started_again(
    run: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(run, "module", forked_module)
    done, begun, torn = (tmp_path / name for name in ("done", "begun", "torn"))
    for folder in (done, begun, torn):
        folder.mkdir()
    (done / "metrics.json").write_text(json.dumps({}))
    (begun / "last.ckpt").touch()
    (torn / "config.yaml").touch()
    assert run.finish("src.train", done, ["no_such_key=1"]) == 0
    assert run.finish("src.train", begun, ["no_such_key=1"]) == 1
    assert begun.is_dir()
    assert "no_such_key" not in (tmp_path / "begun.log").read_text()
    assert run.finish("src.train", torn, ["no_such_key=1"]) == 1
    assert "no_such_key" in (tmp_path / "torn.log").read_text()
    assert not torn.exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "terminated"])
def test_a_stop_ends_the_jobs_under_way_and_starts_no_other(run: ModuleType, tmp_path: Path, number: signal.Signals):
    endless = "{str(n): (run.module, folder / f'{n}.log', 'http.server', '0', '--bind', '127.0.0.1') for n in range(6)}"
    program = f"""
import pathlib, sys, run
folder = pathlib.Path({str(tmp_path)!r})
sys.exit(run.until_stopped(lambda: len(run.at_once("none", 2, {endless}))))
"""
    folder = Path(str(run.__file__)).parent
    script = subprocess.Popen([sys.executable, "-c", program], cwd=folder, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while len(list(tmp_path.glob("*.log"))) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    time.sleep(0.5)
    script.send_signal(number)
    try:
        _, talk = script.communicate(timeout=60)
    finally:
        script.kill()
    assert (script.returncode, talk.splitlines()[-1]) == (128 + number, "stopped; the same command goes on")
    assert sorted(path.name for path in tmp_path.glob("*.log")) == ["0.log", "1.log"]


def test_what_a_kept_study_and_a_kept_judge_ask_for_composes():
    schema.register()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        for path in ROOT.glob("experiments/*/study.yaml"):
            kept = OmegaConf.load(path)
            assert (ROOT / "experiments" / kept.of / "sweep.yaml").is_file()
            study = compose("study", [*kept.overrides])
            compose("segment", ["train=a", "test=b", "seed=0", *study.segment])
        for path in ROOT.glob("experiments/*/content.yaml"):
            kept = OmegaConf.load(path)
            assert (ROOT / "experiments" / kept.of / "sweep.yaml").is_file()
            watched = "tree" if kept.of.startswith("carla2camvid") else "vegetation"
            assert compose("segment", [*kept.judge]).labels.watched == watched


def test_a_name_that_is_no_experiment_is_one_line(run: ModuleType):
    done = subprocess.run([sys.executable, str(run.__file__), "nothing"], capture_output=True, text=True)
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert "name a folder with sweep.yaml, study.yaml or content.yaml" in done.stderr


def test_a_table_that_is_refused_is_a_failure(run: ModuleType, monkeypatch: pytest.MonkeyPatch):
    codes = iter([1, 0, 1])
    monkeypatch.setattr(run, "report", lambda name: next(codes))
    calls = {label: (lambda: 0,) for label in ("cut_seed0", "bam_seed0")}
    assert run.at_once("mine", 1, calls) == []  # of the first run alone it could not be made
    assert run.at_once("mine", 1, {"cut_seed1": (lambda: 0,)}) == ["mine"]
