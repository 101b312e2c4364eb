"""Ctrl-C and SIGTERM end a command in one line, wherever they find it."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from src.system import stopping
from src.system.files import write
from tests.bad_inputs.refusal import listing, run
from tests.frames import write_frames
from tests.labelled import SMALL, streets, translator

SIGNALS = [signal.SIGINT, signal.SIGTERM]


def ended(task: Callable[[], object], **options: Any) -> int | str | None:
    with pytest.raises(SystemExit) as end, stopping.ending("stopped", **options):
        task()
    return end.value.code


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_is_a_line_and_its_exit_code(number: signal.Signals, capsys: pytest.CaptureFixture[str]):
    # tests that a shell started in the background were told to ignore Ctrl-C
    found = signal.signal(signal.SIGINT, signal.default_int_handler)
    before = [signal.getsignal(one) for one in SIGNALS]
    try:
        assert ended(lambda: os.kill(os.getpid(), number)) == 128 + number
        assert [signal.getsignal(one) for one in SIGNALS] == before
    finally:
        signal.signal(signal.SIGINT, found)
    assert capsys.readouterr().err == "stopped\n"


def test_sigterm_is_left_to_whoever_takes_it():
    taken: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: taken.append(number))
    try:
        with stopping.ending("stopped"):
            os.kill(os.getpid(), signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert taken == [signal.SIGTERM]
    with stopping.ending("stopped", terminates=False):
        assert signal.getsignal(signal.SIGTERM) == before


def test_a_file_that_a_signal_finds_half_written_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("src.system.files.os.fsync", lambda file: os.kill(os.getpid(), signal.SIGTERM))
    assert ended(lambda: write(tmp_path / "file", b"content")) == 143
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("stopping")
    root = streets(folder / "streets")
    made = translator(folder / "run", "data=gta2cityscapes", f"data.root={root}", "data.layout.holdout=5")
    return {"root": root, "run": made, "frames": write_frames(folder / "frames")}


STUDY = "data=gta2cityscapes data.root={root} data.layout.holdout=5 runs=[{run}] seeds=[0] output=out"
STUDY += f" segment={SMALL}".replace(", ", ",")
LONG = [
    (
        "evaluate",
        "real={frames}/testA fake={frames}/testB metrics.cache=null accelerator=cpu",
        "src.evaluate.read_image",
    ),
    ("translate", "run={run} input={frames}/testA output=out accelerator=cpu", "src.translation.frames.to_pixels"),
    ("translate", "run={run} split=train output=out accelerator=cpu", "src.translation.frames.to_pixels"),
    ("explain", "run={run} input={frames}/testA output=out accelerator=cpu", "src.explain.read_image"),
    ("prepare", "data=folders data.root={frames} data.cache=out", "src.data.cache.save"),
    ("study", STUDY, "src.downstream.study.read_image"),
    ("data.check", "data=folders data.root={frames}", "src.data.check.survey"),
]


@pytest.mark.parametrize(("command", "arguments", "during"), LONG)
def test_a_long_command_ends_in_one_line_and_leaves_nothing_half_written(
    command: str, arguments: str, during: str, places: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def stop(*_: object, **__: object) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(during, stop)
    before = listing(*places.values())
    code, lines = run(command, [one.format(**places) for one in arguments.split()])
    assert code == 143, lines
    assert lines[-1] == "stopped; the same command goes on"
    assert not any("Traceback" in line for line in lines)
    assert listing(*places.values()) == before
    assert not list(tmp_path.rglob(".*.part"))
    # a segmenter of the study that ended before is kept, and is whole
    assert all((file.parent / "metrics.json").is_file() for file in tmp_path.rglob("*.safetensors"))
