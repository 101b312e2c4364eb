"""A sweep that matches nothing is an error."""

from pathlib import Path

import pytest

from tests import forked


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("table1=glob(x*)", "matches nothing, so there is no job to run; there are bam, cut, cyclegan, external"),
        ("seed=range(2,2)", "matches nothing, so there is no job to run"),
    ],
)
def test_a_sweep_without_a_job_is_one_line_and_exit_code_1(override: str, message: str, tmp_path: Path):
    done = forked.run("src.train", "-m", override, "optimizer.lr=1e-3,1e-4", f"hydra.sweep.dir={tmp_path / 'sweep'}")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith(f"{override}: {message}")
    assert not done.stdout
    assert not (tmp_path / "sweep").exists()
