"""The kept experiments: what they ask for composes, and what is done is not done again."""

import json
import sys
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from tests.conftest import config

ROOT = Path(__file__).resolve().parent.parent
SWEEPS = sorted(ROOT.glob("experiments/*/sweep.yaml"))


@pytest.mark.parametrize("path", SWEEPS, ids=lambda path: path.parent.name)
def test_every_run_of_a_kept_experiment_composes_into_a_row_of_its_own(path: Path):
    sweep = OmegaConf.load(path)
    variants = {config(row, f"seed={seed}", *sweep.overrides).variant for row in sweep.rows for seed in sweep.seeds}
    assert len(variants) == len(sweep.rows)


def test_a_finished_run_is_skipped_a_begun_one_continued_and_a_torn_one_started_again(tmp_path: Path):
    sys.path.insert(0, str(ROOT / "experiments"))
    try:
        import run
    finally:
        sys.path.pop(0)
    done, begun, torn = (tmp_path / name for name in ("done", "begun", "torn"))
    for folder in (done, begun, torn):
        folder.mkdir()
    (done / "metrics.json").write_text(json.dumps({}))
    (begun / "last.ckpt").touch()
    (torn / "config.yaml").touch()
    assert run.finish(done, ["no_such_key=1"]) == 0
    assert run.command(begun, ["seed=1"])[1:] == ["-m", "src.train", f"resume={begun}"]
    assert run.finish(torn, ["no_such_key=1"]) == 1
    assert "no_such_key" in (tmp_path / "torn.log").read_text()
    assert not torn.exists()
