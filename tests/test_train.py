"""Runs as a user makes them, in miniature: contract of the run folder, resuming, stopping, repeating."""

import csv
import json
import os
import re
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from lightning.pytorch.callbacks import Callback
from omegaconf import DictConfig, OmegaConf
from PIL import Image
from safetensors.torch import load_file

from src.config.build import build_method
from src.runs.folder import load_config
from src.runs.weights import load_translator
from src.system.errors import UserError
from src.training.callbacks import checkpoint
from src.training.callbacks.checkpoint import Interrupted
from src.training.run import train
from tests import forked
from tests.bad_inputs import refusal
from tests.conftest import TINY, UNDRAWN, UNTABLED, config

KID = "kid_efficientnet_lite0"
DRAWN = "callbacks.image_grid.images=2"


def tiny(root: Path, *overrides: str, panel: str = UNDRAWN) -> DictConfig:
    return config(
        *TINY,
        "data=folders",
        f"data.root={root}",
        "data.size=32",
        "data.load=32",
        "data.samples_per_epoch=6",
        "data.num_workers=0",
        "trainer.max_epochs=2",
        "trainer.log_every_n_steps=2",
        "metrics.scores.seeds=1",
        panel,
        *overrides,
    )


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, DictConfig]:
    """One finished run, for the tests that only read it."""
    base = tmp_path_factory.mktemp("finished")
    root = base / "frames"
    for name, count in {"trainA": 4, "trainB": 5, "testA": 3, "testB": 4}.items():
        (root / name / "deep").mkdir(parents=True)
        for index in range(count):
            pixels = torch.randint(256, (6, 8, 3), generator=torch.Generator().manual_seed(index), dtype=torch.uint8)
            image = Image.fromarray(pixels.numpy()).resize((56 + index, 40))
            image.save(root / name / ("deep" if index % 2 else ".") / f"{index}.png")
    cfg = tiny(root, "attention=triplet", panel=DRAWN)
    folder = base / "run"
    folder.mkdir()
    train(cfg, folder)
    return folder, cfg


def test_the_run_folder_holds_what_the_contract_names(finished: tuple[Path, DictConfig]):
    folder, _ = finished
    names = {path.name for path in folder.iterdir()}
    assert names == {
        "config.yaml",
        "weights.safetensors",
        "metrics.json",
        "cost.json",
        "curve.csv",
        "images",
        "logs",
        "last.ckpt",
        "previous.ckpt",
    }
    assert {path.name for path in (folder / "images").iterdir()} == {"epoch_0001.png", "epoch_0002.png", "translated"}
    translated = sorted(str(p.relative_to(folder / "images/translated")) for p in folder.rglob("translated/**/*.png"))
    assert translated == ["0.png", "2.png", "deep/1.png"]


def test_metrics_stand_with_their_protocol_and_references(finished: tuple[Path, DictConfig]):
    content = json.loads((finished[0] / "metrics.json").read_text())
    assert set(content) == {"metrics", "protocol"}
    names = [f"{score}_efficientnet_lite0" for score in ("kid", "fid", "is")]
    names += ["is_efficientnet_lite0_std", "swd_unit", "swd_std", "sharpness"]
    deviations = [f"{KID}_std", f"{KID}_error", "swd_unit_spread", "swd_std_spread"]
    suffixes = ("", "_raw", "_source", "_transfer", "_aligned")
    expected = {name + of for name in [*names, *deviations] for of in suffixes}
    expected |= {"sharpness_own", "sharpness_own_source"}
    errors = [f"{name}_error" for name in names if not name.startswith("is")]
    assert set(content["metrics"]) == expected | {f"{name}_floor" for name in [*names, *errors]}
    wanted = {"n_fake", "n_real", "side", "resize", "extractor", "extractor_sha256", "seed", "batches", "epochs"}
    assert wanted | {"commit", "arithmetic", "data_digest"} <= set(content["protocol"])
    assert content["protocol"]["arithmetic"].endswith(f"x{torch.get_num_threads()}")
    cost = json.loads((finished[0] / "cost.json").read_text())
    assert set(cost) == {"seconds", "seconds_per_step", "peak_process_bytes"}
    assert content["protocol"]["batches"] == 12


def test_terms_are_logged_under_the_equations_names(finished: tuple[Path, DictConfig]):
    text = (finished[0] / "logs/csv/version_0/metrics.csv").read_text()
    rows = list(csv.DictReader(text.splitlines()))
    logged = {name for row in rows for name, value in row.items() if value}
    assert {f"train/{term}" for term in ("gan", "nce_x", "nce_y", "d_fake", "d_real")} <= logged
    assert all(0 <= float(row["train/data_wait"]) <= 1 for row in rows if row["train/data_wait"])
    assert {"train/data_wait", "speed/images", "optimizer/rate"} <= logged
    assert {f"gradient/{part}" for part in ("G", "D", "heads", "attention")} <= logged
    for tap in ("pixels", "down1", "down2", "block1", "block5"):
        assert {
            f"places/{tap}_share",
            f"places/{tap}_coverage",
            f"places/{tap}_distance",
            f"places/{tap}_reached",
        } <= logged
    assert list((finished[0] / "logs/tensorboard").glob("events*"))


def test_the_saved_configuration_is_resolved_and_builds_the_same_method(finished: tuple[Path, DictConfig]):
    text = (finished[0] / "config.yaml").read_text()
    assert "${" not in text
    method = build_method(OmegaConf.create(text))
    tensors = load_file(finished[0] / "weights.safetensors")
    assert {key for key in tensors if not key.startswith("average.")} == set(method.state_dict())


def test_two_runs_in_one_folder_are_refused(finished: tuple[Path, DictConfig]):
    with pytest.raises(UserError, match="already holds a run; continue it with resume="):
        train(finished[1], finished[0])


def test_the_average_is_kept_apart_from_the_last_step(finished: tuple[Path, DictConfig]):
    average = load_translator(finished[0], average=True)
    last = load_translator(finished[0], average=False)
    assert any(not torch.equal(a, b) for a, b in zip(average.parameters(), last.parameters(), strict=True))


class StopAfter(Callback):
    """Presses Ctrl-C in the middle of a step."""

    def __init__(self, batch: int) -> None:
        self.batch = batch

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if pl_module.batches == self.batch:
            os.kill(os.getpid(), signal.SIGINT)


def final_state(folder: Path) -> dict[str, torch.Tensor]:
    state = {f"weights.{key}": value for key, value in load_file(folder / "weights.safetensors").items()}
    saved = torch.load(folder / "last.ckpt", weights_only=True)
    for number, optimizer in enumerate(saved["optimizer_states"]):
        for key, moments in optimizer["state"].items():
            state |= {f"optimizer{number}.{key}.{name}": value for name, value in moments.items()}
    for key, value in saved["state_dict"].items():
        if key.endswith("_extra_state"):
            assert len(value["images"]) == 2  # as many as the pools of the tests hold
            state[key] = value["images"]
    return state


def assert_equal_runs(one: Path, other: Path) -> None:
    first, second = final_state(one), final_state(other)
    assert first.keys() == second.keys()
    assert [key for key in first if not torch.equal(first[key], second[key])] == []
    scores = [json.loads((folder / "metrics.json").read_text())["metrics"] for folder in (one, other)]
    assert scores[0] == scores[1]


def interrupted_then_resumed(cfg: DictConfig, folder: Path, stops: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    folder.mkdir()
    for number, stop in enumerate(stops):
        with monkeypatch.context() as patch:
            patch.setattr("src.training.trainer.Progress", lambda stop=stop: StopAfter(stop))
            with pytest.raises(Interrupted, match=f"after batch {stop + 1}"):
                train(cfg, folder, resume=number > 0)
    train(load_config(folder), folder, resume=True)


@pytest.mark.parametrize(
    ("stops", "overrides"),
    [
        ([2], ["attention=triplet"]),  # in the middle of the first epoch
        # at the last batch of the first epoch; other steps are scored alike
        ([5], ["attention=triplet", "selection=gumbel", "metrics.scores=null"]),
        # twice in the second, with workers, and the first may have been the best
        ([8, 10], ["attention=none", "data.num_workers=2", "metrics.every_n_epochs=1"]),
        # between two steps' batches
        ([3], ["attention=self", "module.accumulate=2", "trainer.max_epochs=3", "metrics.scores=null"]),
        ([1, 8], ["method=cyclegan", "method.pool=2"]),  # with pools that have just filled, and that exchange
        ([4], ["method=fastcut", "metrics.scores=null"]),
        ([3], ["attention=bam", "trainer.precision=64-true"]),
    ],
)
def test_a_stopped_and_resumed_run_ends_bit_identical(
    stops: list[int], overrides: list[str], frames: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    # a panel draws random places of its own
    cfg = tiny(frames(), *overrides, panel=DRAWN if "attention=none" in overrides else UNDRAWN)
    (tmp_path / "whole").mkdir()
    train(cfg, tmp_path / "whole")
    interrupted_then_resumed(cfg, tmp_path / "parts", stops, monkeypatch)
    assert_equal_runs(tmp_path / "whole", tmp_path / "parts")


def test_a_second_interrupt_stops_at_once():
    callback = checkpoint.LastCheckpoint(Path("unused"), every_n_batches=1, accumulate=1)
    callback._on_signal(signal.SIGINT, None)
    with pytest.raises(KeyboardInterrupt):
        callback._on_signal(signal.SIGINT, None)


def test_the_same_seed_gives_the_same_run_and_another_seed_another(frames: Callable[..., Path], tmp_path: Path):
    root = frames()
    for name, seed in (("one", 0), ("two", 0), ("three", 1)):
        (tmp_path / name).mkdir()
        train(tiny(root, "attention=bam", f"seed={seed}", "trainer.max_epochs=1"), tmp_path / name)
    assert_equal_runs(tmp_path / "one", tmp_path / "two")
    first, third = (load_file(tmp_path / name / "weights.safetensors") for name in ("one", "three"))
    assert any(not torch.equal(first[key], third[key]) for key in first)


def test_progress_shows_the_terms_and_the_rate(
    finished: tuple[Path, DictConfig], tmp_path: Path, capfd: pytest.CaptureFixture[str]
):
    train(OmegaConf.merge(finished[1], {"trainer": {"max_epochs": 1}}), tmp_path)
    streams = capfd.readouterr()
    for word in ("gan=", "nce_x=", "nce_y=", "d_fake=", "d_real=", "images/s="):
        assert word in streams.err
    assert float(re.findall(r"images/s=([\d.]+)", streams.err)[-1]) > 0
    assert json.loads(streams.out)["run"] == str(tmp_path)


def test_a_multirun_trains_each_variant_into_a_folder_of_its_name(frames: Callable[..., Path], tmp_path: Path):
    overrides = [
        *TINY,
        "data=folders",
        f"data.root={frames()}",
        "data.size=32",
        "data.load=32",
        "data.num_workers=0",
        "trainer.max_epochs=1",
        "trainer.limit_train_batches=2",
        "trainer.limit_val_batches=2",
        "metrics.scores.seeds=1",
        UNDRAWN,
        UNTABLED,
    ]
    done = forked.run(
        "src.train", "-m", "attention=triplet,external,self,bam", *overrides, f"hydra.sweep.dir={tmp_path}"
    )
    assert done.returncode == 0, done.stderr
    folders = sorted(path.parent for path in tmp_path.rglob("metrics.json"))
    assert [folder.name.split("_")[0] for folder in folders] == ["bam", "external", "self", "triplet"]
    assert len(done.stdout.splitlines()) == 4
    for folder in folders:
        metrics = json.loads((folder / "metrics.json").read_text())["metrics"]
        (said,) = [line for line in done.stderr.splitlines() if line.startswith(f"KID {metrics[KID]:.3f}: ")]
        assert f"the source ({metrics[KID + '_source']:.3f})" in said
        assert f"a colour transfer that learns nothing ({metrics[KID + '_transfer']:.3f})" in said
        (farther,) = re.findall("resume=(\\S+) trainer.max_epochs=2$", said) or [None]
        beats = all(metrics[KID] < metrics[KID + suffix] for suffix in ("_source", "_transfer"))
        assert farther == (None if beats else str(folder))


def overrides_for(root: Path) -> list[str]:
    return [
        *TINY,
        UNDRAWN,
        "data=folders",
        f"data.root={root}",
        "data.size=32",
        "data.load=32",
        "data.num_workers=0",
        "trainer.max_epochs=1",
        "data.samples_per_epoch=6",
        "metrics.scores.seeds=1",
    ]


def test_a_run_that_failed_at_once_leaves_its_folder_usable(frames: Callable[..., Path], tmp_path: Path):
    cfg = config(*overrides_for(frames()), "attention=none", "metrics.scores=null")
    with pytest.raises(UserError, match="exceeds the 256 places"):
        train(OmegaConf.merge(cfg, {"selection": {"patches": 1000}}), tmp_path)
    train(cfg, tmp_path)
    assert (tmp_path / "metrics.json").exists()


@pytest.mark.parametrize("workers", [0, 1])
def test_an_unreadable_image_ends_training_in_one_line(workers: int, frames: Callable[..., Path], tmp_path: Path):
    root = frames()
    for path in (root / "trainA").iterdir():
        path.write_bytes(b"torn")
    done = forked.run(
        "src.train", *overrides_for(root), f"data.num_workers={workers}", f"hydra.run.dir={tmp_path / 'run'}"
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if "cannot be read as an image" in line]
    assert len(lines) == 1
    assert lines[0].startswith(str(root / "trainA"))


def test_a_run_goes_on_under_the_settings_it_began_with(finished: tuple[Path, DictConfig]):
    answer = refusal.run("train", [f"resume={finished[0]}", "attention=bam"])
    refusal.assert_refused(answer, "leave out attention=bam or start a new run")


def test_mixed_precision_keeps_the_loss_finite_and_the_weights_wide(frames: Callable[..., Path], tmp_path: Path):
    train(
        config(*overrides_for(frames()), "attention=self", "trainer.precision=bf16-mixed", "metrics.scores=null"),
        tmp_path,
    )
    tensors = load_file(tmp_path / "weights.safetensors")
    assert all(tensor.dtype == torch.float32 and tensor.isfinite().all() for tensor in tensors.values())


def test_accumulated_gradients_are_those_of_the_joint_batch(frames: Callable[..., Path], tmp_path: Path):
    """For both players."""
    root = frames()
    for name, own in (("joint", ["data.batch_size=3"]), ("windows", ["module.accumulate=3"])):
        (tmp_path / name).mkdir()
        cfg = config(
            *(*overrides_for(root), "attention=none", "data.samples_per_epoch=3", "metrics.scores=null"),
            *("trainer.precision=64-true", *own),
        )
        train(cfg, tmp_path / name)
    moments = [torch.load(tmp_path / name / "last.ckpt", weights_only=True) for name in ("joint", "windows")]
    for player in (0, 1):
        joint, windows = (saved["optimizer_states"][player]["state"] for saved in moments)
        for key in joint:
            torch.testing.assert_close(windows[key]["exp_avg"], joint[key]["exp_avg"], atol=1e-12, rtol=1e-9)


def test_scores_during_training_are_logged(frames: Callable[..., Path], tmp_path: Path):
    train(config(*overrides_for(frames()), "attention=none", "metrics.every_n_epochs=1"), tmp_path)
    rows = list(csv.DictReader((tmp_path / "logs/csv/version_0/metrics.csv").read_text().splitlines()))
    logged = [float(row[f"val/{KID}"]) for row in rows if row[f"val/{KID}"]]
    content = json.loads((tmp_path / "metrics.json").read_text())
    final = content["metrics"]
    assert logged == pytest.approx([final[KID]])
    assert final["best_epoch"] == 1
    assert final["swd_unit_best"] == pytest.approx(final["swd_unit"])
    assert content["protocol"]["best"] == f"epoch of the lowest {KID}, all *_best from it"


def test_each_translated_frame_has_its_line(frames: Callable[..., Path], tmp_path: Path):
    train(config(*overrides_for(frames()), "attention=none", "metrics.per_image=each.csv"), tmp_path)
    rows = list(csv.DictReader((tmp_path / "each.csv").read_text().splitlines()))
    assert [row["file"] for row in rows] == ["000.png", "001.png", "002.png"]
    mean = sum(float(row["kid_contribution_efficientnet_lite0"]) for row in rows) / 3
    assert mean == pytest.approx(json.loads((tmp_path / "metrics.json").read_text())["metrics"][KID])


def test_a_failing_job_does_not_stop_the_sweep(frames: Callable[..., Path], tmp_path: Path):
    done = forked.run(
        "src.train",
        "-m",
        "data.size=33,32",
        "data.load=33",
        *TINY,
        UNDRAWN,
        "attention=none",
        "data=folders",
        f"data.root={frames()}",
        "data.num_workers=0",
        "trainer.max_epochs=1",
        "trainer.limit_train_batches=1",
        "metrics.scores=null",
        UNTABLED,
        f"hydra.sweep.dir={tmp_path}",
    )
    assert done.returncode == 1
    assert "data.size must be a multiple of 4" in done.stderr
    assert "Traceback" not in done.stderr
    assert len(list(tmp_path.rglob("metrics.json"))) == 1
