"""Sweeps by other launchers and sweepers than Hydra's own, and MLflow: commands as people type them."""

import csv
import json
import subprocess
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
import yaml
from PIL import Image

from tests import forked
from tests.conftest import TINY, UNDRAWN

KID = "kid_efficientnet_lite0"


def write_frames(root: Path, folders: Sequence[str]) -> Path:
    for folder in folders:
        (root / folder).mkdir(parents=True)
        for index in range(6):
            draws = torch.Generator().manual_seed(index)
            pixels = torch.randint(256, (6, 8, 3), generator=draws, dtype=torch.uint8)
            Image.fromarray(pixels.numpy()).resize((44, 36)).save(root / folder / f"{index}.png")
    return root


def train(root: Path, *own: str) -> subprocess.CompletedProcess[str]:
    return forked.run(
        *("src.train", *TINY, UNDRAWN, "data=folders", f"data.root={root}", "data.size=32"),
        *("data.load=32", "data.samples_per_epoch=4", "data.num_workers=0", "trainer.max_epochs=1"),
        *("metrics.scores.seeds=1", *own),
        timeout=900,
    )


def scores(sweep: Path) -> list[dict[str, float]]:
    return [json.loads(path.read_text())["metrics"] for path in sorted(sweep.glob("*/metrics.json"))]


def assert_swept(done: subprocess.CompletedProcess[str], sweep: Path) -> None:
    assert done.returncode == 0, done.stderr
    assert "ConfigStore" not in done.stderr
    with (sweep / "runs.csv").open(newline="") as file:
        assert sorted(row["variant"] for row in csv.DictReader(file)) == ["bam", "cut"]
    assert len(scores(sweep)) == 2
    assert f"table: {sweep / 'table.md'}" in done.stderr


def test_joblib_runs_the_jobs_of_a_sweep_side_by_side(tmp_path: Path):
    root = write_frames(tmp_path / "frames", ["trainA", "trainB", "testA", "testB"])
    sweep = tmp_path / "sweep"
    done = train(
        root, "-m", "attention=none,bam", "hydra/launcher=joblib", "metrics.scores=null", f"hydra.sweep.dir={sweep}"
    )
    assert_swept(done, sweep)
    assert "n_jobs=2" in done.stderr


@pytest.mark.slow
@pytest.mark.skipif(
    any(find_spec(name) is None for name in ("ray", "hydra_plugins", "hydra_plugins.hydra_ray_launcher")),
    reason="Ray is 240 MB, so no part of .[dev]: docs/sweeps.md says how it is installed",
)
def test_ray_runs_the_jobs_of_a_sweep_on_its_cluster(tmp_path: Path):
    root = write_frames(tmp_path / "frames", ["trainA", "trainB", "testA", "testB"])
    sweep = tmp_path / "sweep"
    done = train(root, "-m", "attention=none,bam", "hydra/launcher=ray", f"hydra.sweep.dir={sweep}")
    assert_swept(done, sweep)


def test_optuna_looks_for_the_lowest_kid_and_reads_no_test_frame(tmp_path: Path):
    """There are none to read."""
    root = write_frames(tmp_path / "frames", ["trainA", "trainB"])
    sweep = tmp_path / "sweep"
    done = train(
        *(root, "-m", "hydra/sweeper=optuna", "hydra.sweeper.n_trials=2", "hydra.sweeper.n_jobs=1"),
        *("hydra.sweeper.sampler.seed=0", "optimizer.lr=tag(log, interval(1e-4, 1e-2))", "attention=none"),
        *("data.layout.tune=2", f"hydra.sweep.dir={sweep}"),
    )
    assert done.returncode == 0, done.stderr
    found = yaml.safe_load((sweep / "optimization_results.yaml").read_text())
    tried = [metrics[KID] for metrics in scores(sweep)]
    assert len(tried) == 2
    assert found["best_value"] == min(tried)
    assert 1e-4 <= found["best_params"]["optimizer.lr"] <= 1e-2


@pytest.mark.skipif(find_spec("mlflow") is not None, reason="MLflow is installed")
def test_without_mlflow_its_extra_is_named_in_one_line(tmp_path: Path):
    root = write_frames(tmp_path / "frames", ["trainA", "trainB", "testA", "testB"])
    done = train(root, "logger=mlflow", f"hydra.run.dir={tmp_path / 'run'}")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "logger=mlflow needs the package mlflow; pip install -e '.[mlflow]', or take logger=default"
    )
    assert "Traceback" not in done.stderr


@pytest.mark.filterwarnings("ignore")  # MLflow's of SQLAlchemy, when this process reads back
@pytest.mark.skipif(find_spec("mlflow") is None, reason="MLflow is half a gigabyte, so no part of .[dev]")
def test_mlflow_has_terms_scores_and_settings_of_a_run_that_resume_continues(tmp_path: Path):
    root, folder = write_frames(tmp_path / "frames", ["trainA", "trainB", "testA", "testB"]), tmp_path / "run"
    address = f"sqlite:///{tmp_path}/mlflow.db"
    done = train(
        *(root, "logger=mlflow", f"logger.mlflow.tracking_uri={address}", f"hydra.run.dir={folder}"),
        *("metrics.every_n_epochs=1", "trainer.log_every_n_steps=1"),
    )
    assert done.returncode == 0, done.stderr
    again = forked.run("src.train", f"resume={folder}", "trainer.max_epochs=2")
    assert again.returncode == 0, again.stderr
    from mlflow.tracking import MlflowClient

    client = MlflowClient(address)
    experiment = client.get_experiment_by_name("attention-cut")
    (run,) = client.search_runs([experiment.experiment_id])
    assert (run.info.run_name, run.info.status) == ("run", "FINISHED")
    assert [one.step for one in client.get_metric_history(run.info.run_id, "train/gan")] == list(range(8))
    assert f"val/{KID}" in run.data.metrics
    assert run.data.metrics[KID] == json.loads((folder / "metrics.json").read_text())["metrics"][KID]
    assert run.data.params["data.size"] == "32"
    assert run.data.tags["protocol.seed"] == "0"
