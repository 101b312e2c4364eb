"""The command, the files, and the sweep that leaves them."""

import csv
import signal
import time
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path
from shutil import copytree

import pytest
from hydra.core.utils import JobReturn
from hydra.types import RunMode
from omegaconf import OmegaConf
from PIL import Image

from src.metrics.references import ROWS
from src.report import main
from src.system.errors import UserError
from src.tables import report
from src.training import sweep_table
from tests import forked
from tests.conftest import TINY, UNDRAWN
from tests.tables.table.folders import write_run

FILES = {"table.md", "table.csv", "table.tex", "table.png", "runs.csv", "report.html"}


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    folder = tmp_path / "sweep"
    for variant, offset in (("cut", 2.0), ("triplet", 1.0)):
        for seed in range(3):
            scores = {"fid": offset + 0.1 * seed**offset, "fid_source": 9.0, "swd_std": 300 + offset}
            write_run(folder / f"{variant}_{seed}", variant, seed, scores)
    return folder


def test_the_table_is_printed_and_written_beside_the_runs(sweep: Path, capsys: pytest.CaptureFixture[str]):
    assert main([str(sweep)]) == 0
    assert {path.name for path in sweep.iterdir() if path.is_file()} == FILES
    streams = capsys.readouterr()
    assert streams.out == (sweep / "table.md").read_text()
    assert str(sweep) in streams.err


def test_the_same_files_give_the_same_bytes_wherever_they_lie(sweep: Path, tmp_path: Path):
    copytree(sweep, tmp_path / "far" / "away")
    assert main([str(sweep)]) == main([str(tmp_path / "far" / "away")]) == 0
    assert (
        main([str(path) for path in sorted(sweep.iterdir()) if path.is_dir()] + ["--output", str(tmp_path / "o")]) == 0
    )
    for name in FILES:
        contents = {(folder / name).read_bytes() for folder in (sweep, tmp_path / "far" / "away", tmp_path / "o")}
        assert len(contents) == 1, name


def test_the_figure_shows_something(sweep: Path):
    main([str(sweep)])
    with Image.open(sweep / "table.png") as picture:
        assert picture.size[0] > picture.size[1] > 200
        assert len(picture.convert("RGB").getcolors(1 << 20)) > 10
        assert not {"Software", "Creation Time", "date"} & set(picture.info)


def test_names_in_the_figure_are_no_formulas(tmp_path: Path):
    for number, name in enumerate((r"$\frac{$", "$x^$", "a$b")):
        write_run(tmp_path / str(number), name, 0, {"fid": 1.0, f"fid_{name}": 2.0})
    assert main([str(tmp_path)]) == 0
    assert (tmp_path / "table.png").stat().st_size > 1000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["nowhere"], "nowhere: no such folder"), ([".", ".."], "say where the table goes with --output")],
)
def test_a_mistake_is_one_line(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]):
    assert main(arguments) == 1
    streams = capsys.readouterr()
    assert message in streams.err
    assert len(streams.err.splitlines()) == 1
    assert streams.out == ""


def test_a_place_that_cannot_be_written_is_one_line(sweep: Path, tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        report.report([sweep], tmp_path / "file")


def test_a_run_that_ends_while_the_table_is_written_is_in_it(sweep: Path, monkeypatch: pytest.MonkeyPatch):
    write = report._write
    waiting = ["self", "bam"]

    def meanwhile(table: object, output: Path) -> None:
        write(table, output)
        if waiting:
            variant = waiting.pop()
            write_run(sweep / variant, variant, 0, {"fid": 1.5})

    monkeypatch.setattr(report, "_write", meanwhile)
    report.report([sweep], sweep)
    text = (sweep / "table.md").read_text()
    assert "| self |" in text
    assert "| bam |" in text


def _end_one(sweep: Path, number: int) -> None:
    write_run(sweep / f"run{number}", f"variant{number}", 0, {"fid": float(number)})
    report.report([sweep], sweep)


def test_jobs_that_end_together_leave_one_whole_table(tmp_path: Path):
    tmp_path.joinpath("multirun.yaml").write_text("{}")
    context = get_context("fork")
    jobs = [context.Process(target=_end_one, args=(tmp_path, number)) for number in range(4)]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join()
    assert [job.exitcode for job in jobs] == [0] * 4
    text = (tmp_path / "table.md").read_text()
    assert all(f"| variant{number} |" in text for number in range(4))
    assert "Without scores" not in text
    assert not list(tmp_path.glob(".*.part"))


def sweeping(root: Path, folder: Path, *overrides: str) -> forked.Command:
    command = [
        "src.train",
        "-m",
        *TINY,
        UNDRAWN,
        "data=folders",
        f"data.root={root}",
        "data.size=32",
        "data.load=32",
    ]
    command += ["data.samples_per_epoch=2", "data.num_workers=0", "trainer.max_epochs=1", "metrics.scores.seeds=1"]
    command += [f"hydra.sweep.dir={folder}", *overrides]
    return forked.Command(*command)


def generator_parameters(width: int) -> int:
    """ResNet-9 written out, layer by layer: (inputs, outputs, kernel), each with a bias."""
    w = width
    layers = [(3, w, 7), (w, 2 * w, 3), (2 * w, 4 * w, 3), *[(4 * w, 4 * w, 3)] * 18]
    layers += [(4 * w, 2 * w, 3), (2 * w, w, 3), (w, 3, 7)]
    return sum(inputs * outputs * kernel**2 + outputs for inputs, outputs, kernel in layers)


def rows(folder: Path) -> list[str]:
    with (folder / "table.csv").open() as file:
        return [line["row"] for line in csv.DictReader(file)]


def test_a_failed_job_does_not_cost_the_others_their_table(frames: Callable[..., Path], tmp_path: Path):
    folder = tmp_path / "sweep"
    job = sweeping(frames(), folder, "attention=none,triplet", "seed=-1,0")
    _, errors = job.communicate()
    assert job.returncode == 1
    assert "seed must lie in" in errors
    assert f"table: {folder / 'table.md'}" in errors
    assert "logging interval" not in errors
    assert rows(folder) == [
        *ROWS.values(),
        "cut",
        "triplet",
    ]
    assert {path.name for path in folder.iterdir() if path.is_file()} == {*FILES, "multirun.yaml"}
    failed = [path.name for path in sorted(folder.iterdir()) if path.is_dir() and not any(path.iterdir())]
    assert len(failed) == 2
    assert f"not in the table: {', '.join(failed)}." in (folder / "table.md").read_text()
    with (folder / "runs.csv").open() as file:
        runs = {line["variant"]: line for line in csv.DictReader(file)}
    assert {float(run["parameters.G"]) for run in runs.values()} == {generator_parameters(width=4)}
    assert (runs["cut"]["parameters.attention"], runs["triplet"]["parameters.attention"]) == ("0.0", "1500.0")
    assert all(float(run["seconds_per_step"]) > 0 for run in runs.values())
    assert all(float(run["peak_process_bytes"]) > 1e8 for run in runs.values())  # torch alone takes that


def test_a_killed_sweep_keeps_the_table_of_what_had_ended(frames: Callable[..., Path], tmp_path: Path):
    folder = tmp_path / "sweep"
    job = sweeping(frames(), folder, "attention=none,triplet", "trainer.max_epochs=1,1000")
    deadline = time.monotonic() + 300
    while "\ntable: " not in forked.said(job.stderr):  # the second job would train for minutes
        assert job.poll() is None, forked.said(job.stderr)
        assert time.monotonic() < deadline
        time.sleep(0.05)
    job.send_signal(signal.SIGKILL)
    job.communicate(timeout=60)
    assert job.returncode == -signal.SIGKILL
    assert rows(folder) == [
        *ROWS.values(),
        "cut",
    ]


def test_a_job_at_the_end_of_a_sweep_is_found_though_it_could_not_report(
    sweep: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(sweep)  # of a job; relative sweep folders are below the command's own
    hydra = {"mode": RunMode.MULTIRUN, "sweep": {"dir": sweep.name}, "runtime": {"cwd": str(sweep.parent)}}
    sweep_table.SweepTable().on_multirun_end(OmegaConf.create({"hydra": hydra}))
    assert rows(sweep)[2:] == ["cut", "triplet"]
    assert capsys.readouterr().err == f"table: {sweep / 'table.md'}\n"
    callback = sweep_table.SweepTable()
    callback.on_job_end(OmegaConf.create({"hydra": hydra}), JobReturn())
    callback.on_multirun_end(OmegaConf.create({"hydra": hydra}))
    assert capsys.readouterr().err == f"table: {sweep / 'table.md'}\n"  # once, by the last job
    write_run(sweep / "late", "bam", 0, {"fid": 1.0})  # of another process, which was killed before it could report
    callback.on_multirun_end(OmegaConf.create({"hydra": hydra}))
    assert rows(sweep)[2:] == ["cut", "bam", "triplet"]
    write_run(sweep / "odd", "bam", 0, {"fid": 1.0}, protocol={"side": 96})
    sweep_table.SweepTable().on_multirun_end(OmegaConf.create({"hydra": hydra}))
    assert "no table: scores of different protocols" in capsys.readouterr().err


def test_what_the_last_job_has_drawn_is_not_drawn_again_at_the_end(sweep: Path, monkeypatch: pytest.MonkeyPatch):
    drawn = []
    monkeypatch.setattr(report, "render", lambda table, collection: drawn.append(len(table.labels)) or b"")
    hydra = {"mode": RunMode.MULTIRUN, "sweep": {"dir": str(sweep)}, "runtime": {"cwd": str(sweep.parent)}}
    callback = sweep_table.SweepTable()
    callback.on_job_end(OmegaConf.create({"hydra": hydra}), JobReturn())
    callback.on_multirun_end(OmegaConf.create({"hydra": hydra}))
    assert len(drawn) == 1
    write_run(sweep / "late", "bam", 0, {"fid": 1.5})
    callback.on_multirun_end(OmegaConf.create({"hydra": hydra}))
    assert drawn == [drawn[0], drawn[0] + 1]


def test_a_single_run_leaves_no_table(sweep: Path):
    hydra = {"mode": RunMode.RUN, "sweep": {"dir": str(sweep)}, "runtime": {"cwd": str(sweep.parent)}}
    sweep_table.SweepTable().on_job_end(OmegaConf.create({"hydra": hydra}), JobReturn())
    assert not (sweep / "table.md").exists()
