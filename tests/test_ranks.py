"""Two real processes: the same weights, logs and scores as one on the joint batch; one ending for both."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
import torch
from lightning.fabric.plugins.environments.lightning import find_free_network_port
from safetensors.torch import load_file

from src.config.build import build
from src.runs.folder import CHECKPOINT, CONFIG
from src.system.errors import UserError
from src.training import trainer as lightning_trainer
from src.training.callbacks.checkpoint import Interrupted
from src.training.run import train
from tests import fake_slurm, forked, frames, two_ranks
from tests.conftest import ATTENTIONS, CONF, TINY, UNDRAWN, UNTABLED, config
from tests.test_train import DRAWN

# what is trained: one line a variant
VARIANTS = {
    **{name: [f"attention={name}"] for name in ATTENTIONS},
    "triplet": ["attention=triplet", DRAWN],  # the first process alone draws
    "gumbel": ["attention=triplet", "selection=gumbel"],
    # a pool that is full after two steps
    "cyclegan": ["method=cyclegan", "method.pool=3"],
}
RESUMED = "cyclegan"
SCORED = ("none", "cyclegan")
UNSCORED = ("metrics.scores=null", "metrics.every_n_epochs=null")
# neither how frames are scored nor what a second epoch begins with depends on the attention
for name in VARIANTS.keys() - {*SCORED}:
    VARIANTS[name] += [*UNSCORED, *(["trainer.max_epochs=1"] if name in ATTENTIONS else [])]


write_frames = partial(frames.write_frames, train=(4, 5), test=(3, 3))


def settings(root: Path, *own: str) -> list[str]:
    # 7 samples: an epoch of 3 steps of 2 images leaves one over
    fixed = [
        "data=folders",
        f"data.root={root}",
        "data.size=32",
        "data.load=32",
        "data.num_workers=0",
        "data.samples_per_epoch=7",
    ]
    fixed += ["trainer.max_epochs=2", "trainer.precision=64-true", "trainer.limit_val_batches=3"]
    fixed += [
        "trainer.log_every_n_steps=2",
        "metrics.scores.seeds=1",
        "metrics.every_n_epochs=2",
        *([] if DRAWN in own else [UNDRAWN]),
    ]
    return [*TINY, *fixed, *own]


def job(folder: Path, overrides: list[str], *, resume: bool = False, stop: int | None = None) -> dict[str, object]:
    folder.mkdir(exist_ok=True)
    return {"folder": str(folder), "overrides": overrides, "resume": resume, "stop": stop}


def start_two(jobs: list[dict[str, object]], base: Path) -> subprocess.Popen[str]:
    (base / "jobs.json").write_text(json.dumps(jobs))
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(find_free_network_port()), "WORLD_SIZE": "2"}
    files = (str(base / name) for name in ("jobs.json", "stdout_0", "stdout_1"))
    return subprocess.Popen(
        [sys.executable, "-m", "tests.two_ranks", *files],
        cwd=CONF.parent,
        env={**os.environ, **shared},
        stderr=subprocess.PIPE,
        text=True,
    )


def one_process(folder: Path, overrides: list[str], *, stop: int | None = None) -> None:
    folder.mkdir()
    if stop is None:
        train(config(*overrides), folder)
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lightning_trainer, "Progress", lambda: StopAfter(stop))
        with pytest.raises(Interrupted):
            train(config(*overrides), folder)


class StopAfter(two_ranks.Interrupt):
    """Interrupts the only process."""

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if pl_module.batches == self.batch:
            os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders one/<variant> and two/<variant>, trained by one process on the joint batch and by two.

    one_then_two and two_then_one began with the first number of processes and ended with the second.
    """
    base = tmp_path_factory.mktemp("ranks")
    root = write_frames(base / "frames")
    joint, share = (partial(settings, root, f"data.batch_size={size}") for size in (2, 1))
    for name in ("one", "two"):
        (base / name).mkdir()
    one_process(base / "one_then_two", joint(*VARIANTS[RESUMED]), stop=1)
    two = start_two(
        [
            job(base / "two_then_one", share(*VARIANTS[RESUMED]), stop=4),
            job(base / "one_then_two", joint(*VARIANTS[RESUMED]), resume=True),
            *(job(base / "two" / name, share(*own)) for name, own in VARIANTS.items()),
        ],
        base,
    )
    for name, own in VARIANTS.items():
        one_process(base / "one" / name, joint(*own))
    _, stderr = two.communicate(timeout=300)
    assert two.returncode == 0, stderr
    # as a user types it: data.batch_size follows from the checkpoint
    done = forked.run("src.train", f"resume={base / 'two_then_one'}", "trainer=trainer")
    assert done.returncode == 0, done.stderr
    return base


def state(folder: Path) -> dict[str, torch.Tensor]:
    """Weights, their average, and both optimisers' moments."""
    tensors = dict(load_file(folder / "weights.safetensors"))
    saved = torch.load(folder / "last.ckpt", weights_only=True)
    for number, optimizer in enumerate(saved["optimizer_states"]):
        for key, moments in optimizer["state"].items():
            tensors |= {f"optimizer{number}.{key}.{name}": value for name, value in moments.items()}
    return tensors


def assert_close(one: Path, other: Path) -> None:
    first, second = state(one), state(other)
    assert first.keys() == second.keys()
    # float64; gradients are summed in another order
    for key, value in first.items():
        torch.testing.assert_close(second[key], value, atol=1e-6, rtol=0, msg=lambda text, key=key: f"{key}: {text}")


@pytest.mark.parametrize("variant", VARIANTS)
def test_two_processes_train_what_one_does_on_the_joint_batch(variant: str, base: Path):
    assert_close(base / "one" / variant, base / "two" / variant)


@pytest.mark.parametrize("variant", VARIANTS)
def test_they_log_the_joint_terms_and_score_the_same(variant: str, base: Path):
    rows = []
    for name in ("one", "two"):
        with (base / name / variant / "logs/csv/version_0/metrics.csv").open() as file:
            logged = [{key: float(value) for key, value in row.items() if value} for row in csv.DictReader(file)]
        # what is measured by the clock is each run's own
        timed = {"train/data_wait", "speed/images"}
        rows.append([{key: value for key, value in row.items() if key not in timed} for row in logged])
    assert rows[0]
    assert len(rows[0]) == len(rows[1])
    for one, two in zip(*rows, strict=True):
        assert two == pytest.approx(one, rel=1e-6)
    scores = [json.loads((base / name / variant / "metrics.json").read_text()) for name in ("one", "two")]
    assert scores[1]["metrics"] == pytest.approx(scores[0]["metrics"], rel=1e-4, abs=1e-6)
    assert bool(scores[0]["metrics"]) == (variant in SCORED)
    # three frames over two processes
    translated = [
        sorted(path.name for path in (base / name / variant).rglob("translated/*")) for name in ("one", "two")
    ]
    assert translated == [["0.png", "1.png", "2.png"]] * 2
    assert [score["protocol"]["images_per_step"] for score in scores] == [2, 2]
    assert [score["protocol"]["ranks"] for score in scores] == [1, 2]


@pytest.mark.parametrize("folder", ["one_then_two", "two_then_one"])
def test_a_run_goes_on_with_another_number_of_processes(folder: str, base: Path):
    assert_close(base / "one" / RESUMED, base / folder)
    assert json.loads((base / folder / "metrics.json").read_text())["protocol"]["batches"] == 6


def test_the_first_process_alone_writes_and_reports(base: Path):
    reports = [len((base / f"stdout_{rank}").read_text().splitlines()) for rank in range(2)]
    assert reports == [len(VARIANTS) + 1, 0]
    for name in VARIANTS:
        assert len(list((base / "two" / name / "logs/csv").iterdir())) == 1
        assert len(list((base / "two" / name / "logs/tensorboard").glob("events*"))) == 1


def test_a_step_that_the_ranks_cannot_share_is_refused(base: Path):
    data = build(config(*settings(base / "frames")).data, "data")
    data.load_state_dict({"epoch": 0, "samples": 3, "images_per_step": 3})
    assert data.images_per_step(1) == data.images_per_step(3) == 3
    with pytest.raises(UserError, match=r"trains on 3 images a step, which 2 ranks cannot share equally"):
        data.images_per_step(2)


def test_a_step_larger_than_an_epoch_is_refused_over_all_ranks(base: Path):
    data = build(config(*settings(base / "frames", "data.batch_size=4")).data, "data")
    assert data.images_per_step(1) == 4
    with pytest.raises(UserError, match=r"data\.batch_size=4 on 2 ranks exceeds the 7 samples"):
        data.images_per_step(2)


def test_without_the_option_several_devices_are_refused(base: Path, tmp_path: Path):
    with pytest.raises(UserError, match="asks for 2 processes; add trainer=ddp"):
        train(config(*settings(base / "frames", "trainer.devices=2")), tmp_path)
    with pytest.raises(UserError, match=r"trainer\.strategy must be auto, or chosen with trainer=ddp"):
        train(config(*settings(base / "frames", "trainer.strategy=fsdp")), tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("torn", ["trainA/2.png", "testA/1.png"])
def test_what_one_rank_cannot_read_ends_all_in_one_line(torn: str, tmp_path: Path):
    root = write_frames(tmp_path / "frames")
    (root / torn).write_bytes(b"torn")
    arguments = settings(root, "trainer.max_epochs=1", *two_ranks.DDP, f"hydra.run.dir={tmp_path / 'run'}")
    done = forked.run("src.train", *arguments, timeout=300)
    assert done.returncode == 1
    lines = [line for line in done.stderr.splitlines() if "cannot be read as an image" in line]
    assert len(lines) == 1
    assert lines[0].startswith(str(root / torn))
    assert "Traceback" not in done.stderr


def test_ctrl_c_in_one_process_stops_all_with_a_checkpoint(tmp_path: Path):
    root = write_frames(tmp_path / "frames")
    folder = tmp_path / "run"
    arguments = settings(root, *UNSCORED, "trainer.max_epochs=500", *two_ranks.DDP, f"hydra.run.dir={folder}")
    process = forked.Command("src.train", *arguments)
    deadline = time.monotonic() + 300
    while not (folder / "last.ckpt").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=300)
    assert process.returncode == 130
    assert stderr.count(f"continue with: python -m src.train resume={folder}") == 1
    assert "Traceback" not in stderr
    saved = torch.load(folder / "last.ckpt", weights_only=True)
    assert saved["batches"] > 0


def test_a_job_that_slurm_starts_again_goes_on(base: Path, tmp_path: Path):
    for name in (CONFIG, CHECKPOINT):
        shutil.copy(base / "one/none" / name, tmp_path / name)
    again = settings(base / "frames", "attention=none", f"hydra.run.dir={tmp_path}")
    for restarts in (0, 1):
        environment = {**os.environ, "SLURM_RESTART_COUNT": str(restarts)}
        done = forked.run("src.train", *again, env=environment)
        assert done.returncode == 1 - restarts, done.stderr
        assert ("already holds a run" in done.stderr) is not bool(restarts)
    assert_close(base / "one/none", tmp_path)


def sweep(root: Path, folder: Path, *own: str, path: str = "") -> subprocess.CompletedProcess[str]:
    fixed = ("trainer.max_epochs=1", *UNSCORED, *two_ranks.DDP, f"hydra.sweep.dir={folder}")
    arguments = settings(root, *fixed, *own)
    environment = {**os.environ, "PATH": path + os.environ["PATH"]}
    return forked.run("src.train", "-m", "attention=bam,none", *arguments, env=environment)


def assert_swept(done: subprocess.CompletedProcess[str], folder: Path) -> None:
    logs = "\n".join(path.read_text() for path in folder.rglob("*.err"))
    assert done.returncode == 0, done.stderr + logs
    assert "validated against ConfigStore" not in done.stderr
    files = list(folder.rglob("metrics.json"))
    assert sorted(file.parent.name.split("_")[0] for file in files) == ["bam", "none"]
    assert {json.loads(file.read_text())["protocol"]["ranks"] for file in files} == {2}


def test_a_sweep_in_one_process_over_several_devices_is_refused(tmp_path: Path):
    done = sweep(write_frames(tmp_path / "frames"), tmp_path / "sweep")
    assert done.returncode == 1
    lines = [line for line in done.stderr.splitlines() if "add hydra/launcher=submitit_local" in line]
    assert len(lines) == 1
    assert "Traceback" not in done.stderr


def test_a_sweep_runs_each_job_in_processes_of_its_own(tmp_path: Path):
    done = sweep(write_frames(tmp_path / "frames"), tmp_path / "sweep", "hydra/launcher=submitit_local")
    assert_swept(done, tmp_path / "sweep")


def test_a_sweep_is_an_array_of_slurm_jobs(tmp_path: Path):
    for name in ("sbatch", "srun", "sacct"):
        tool = tmp_path / name
        tool.write_text(f"#!{sys.executable}\n{Path(fake_slurm.__file__).read_text()}")
        tool.chmod(0o755)
    root = write_frames(tmp_path / "frames")
    done = sweep(root, tmp_path / "sweep", "hydra/launcher=submitit_slurm", UNTABLED, path=f"{tmp_path}:")
    script = (tmp_path / "job.sh").read_text()
    for line in ("array=0-1%2", "nodes=1", "ntasks-per-node=2", "gpus-per-node=2", "requeue", "signal=USR2@120"):
        assert f"#SBATCH --{line}\n" in script
    assert_swept(done, tmp_path / "sweep")
