"""What a run logged, by epoch."""

from pathlib import Path

import pytest

from src.runs import logs
from src.system.errors import UserError


def write(folder: Path, version: int, text: str) -> None:
    path = folder / "logs" / "csv" / f"version_{version}" / "metrics.csv"
    path.parent.mkdir(parents=True)
    path.write_text(text)


def test_values_are_averaged_over_an_epoch(tmp_path: Path):
    write(tmp_path, 0, "epoch,step,train/gan,val/kid\n0,9,1.0,\n0,19,2.0,\n0,19,,0.5\n1,29,4.0,\n1,29,,0.25\n")
    assert logs.read(tmp_path) == {"train/gan": {1: 1.5, 2: 4.0}, "val/kid": {1: 0.5, 2: 0.25}}


def test_steps_that_were_done_again_count_once(tmp_path: Path):
    write(tmp_path, 0, "epoch,step,a\n0,9,1\n0,19,100\n")
    write(tmp_path, 10, "epoch,step,a,b\n0,29,3,7\n")
    write(tmp_path, 2, "epoch,step,a\n0,19,2\n0,29,50\n")
    assert logs.read(tmp_path) == {"a": {1: 2.0}, "b": {1: 7.0}}


def test_what_is_not_finite_is_left_out(tmp_path: Path):
    write(tmp_path, 0, "epoch,step,a\n0,9,nan\n0,19,2\n1,29,inf\n")
    assert logs.read(tmp_path) == {"a": {1: 2.0}}


def test_a_run_without_a_log_has_an_empty_one(tmp_path: Path):
    assert logs.read(tmp_path) == {}


@pytest.mark.parametrize(
    "text", ["epoch,step,a\n0,9,two\n", "a\n1\n", "epoch,step,a\n0,9,1,5\n", "\0", "epoch,step\nx,1\n"]
)
def test_what_is_no_log_is_refused_by_name(text: str, tmp_path: Path):
    write(tmp_path, 0, text)
    if text == "\0":
        (tmp_path / "logs/csv/version_0/metrics.csv").write_bytes(b"epoch,step,a\n0,9,\xff\n")
    with pytest.raises(UserError, match=r"metrics\.csv: not the log of a run"):
        logs.read(tmp_path)
