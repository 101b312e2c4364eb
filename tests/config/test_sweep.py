"""A sweep that matches nothing is an error."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import CONF


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("table1=glob(x*)", "matches nothing, so there is no job to run; there are bam, cut, cyclegan, external"),
        ("seed=range(2,2)", "matches nothing, so there is no job to run"),
    ],
)
def test_a_sweep_without_a_job_is_one_line_and_exit_code_1(override: str, message: str, tmp_path: Path):
    command = [sys.executable, "-m", "src.train", "-m", override, "optimizer.lr=1e-3,1e-4"]
    done = subprocess.run(
        [*command, f"hydra.sweep.dir={tmp_path / 'sweep'}"], cwd=CONF.parent, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith(f"{override}: {message}")
    assert not done.stdout
    assert not (tmp_path / "sweep").exists()
