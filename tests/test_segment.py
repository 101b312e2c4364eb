"""Segmenters trained as a user does, in miniature: contract of the folder, resuming, scores, mistakes."""

import json
import os
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import Callback
from omegaconf import DictConfig

from src.data.labelled import labelled_set
from src.data.labels import IGNORE
from src.downstream.run import segment
from src.downstream.trained import load_segmenter
from src.runs.folder import load_config
from src.system.errors import UserError
from src.training.callbacks.checkpoint import Interrupted
from src.training.schedule import polynomial_decay
from tests import forked
from tests.bad_inputs.refusal import run
from tests.labelled import SMALL, composed, streets, write_pair
from tests.test_train import assert_equal_runs


class StopAfter(Callback):
    """Presses Ctrl-C in the middle of a step."""

    def __init__(self, batch: int) -> None:
        self.batch = batch

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if pl_module.batches == self.batch:
            os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return streets(tmp_path_factory.mktemp("segment") / "streets")


def settings(root: Path, *overrides: str) -> DictConfig:
    sets = [f"train={root}/playing_for_data", f"test={root}/cityscapes"]
    return composed("segment", *SMALL, *sets, *overrides)


@pytest.fixture(scope="module")
def finished(root: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, DictConfig]:
    folder = tmp_path_factory.mktemp("finished") / "run"
    folder.mkdir()
    cfg = settings(root)
    segment(cfg, folder)
    return folder, cfg


def test_the_run_folder_holds_what_the_contract_names(finished: tuple[Path, DictConfig]):
    folder, _ = finished
    assert {p.name for p in folder.iterdir()} == {
        *("config.yaml", "weights.safetensors", "metrics.json", "cost.json", "logs", "last.ckpt", "previous.ckpt")
    }
    content = json.loads((folder / "metrics.json").read_text())
    assert {"miou", "accuracy", "iou/road", "iou/sky"} <= set(content["metrics"])
    wanted = {"n_train", "n_test", "train_digest", "test_digest", "seed", "batches", "commit", "arithmetic"}
    assert wanted <= set(content["protocol"])
    assert (content["protocol"]["n_train"], content["protocol"]["n_test"], content["protocol"]["batches"]) == (5, 2, 6)


def test_scores_are_those_of_a_loop_over_full_size_pixels(finished: tuple[Path, DictConfig], root: Path):
    folder, _ = finished
    loaded = load_segmenter(folder, torch.device("cpu"))
    hits, labelled, predicted_as, right, total = (np.zeros(19), np.zeros(19), np.zeros(19), 0, 0)
    for frame in labelled_set(str(root / "cityscapes"), "val", "test"):
        labels = loaded.table.read(frame.labels)
        pixels = np.asarray(__import__("PIL.Image").Image.open(frame.image))
        predicted = loaded.predict(pixels, labels.shape).numpy()
        assert predicted.shape == labels.shape == pixels.shape[:2]
        valid = labels != IGNORE
        right, total = right + int((predicted == labels)[valid].sum()), total + int(valid.sum())
        for k in range(19):
            hits[k] += ((predicted == k) & (labels == k)).sum()
            labelled[k] += (labels == k).sum()
            predicted_as[k] += ((predicted == k) & valid).sum()
    there = labelled > 0
    ious = hits[there] / (labelled + predicted_as - hits)[there]
    metrics = json.loads((folder / "metrics.json").read_text())["metrics"]
    assert metrics["miou"] == pytest.approx(ious.mean())
    assert metrics["accuracy"] == pytest.approx(right / total)


@pytest.mark.parametrize(("stop", "workers"), [(1, 0), (2, 2), (4, 0)])
def test_a_stopped_run_ends_in_the_same_bits(
    finished: tuple[Path, DictConfig], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: int, workers: int
):
    whole, cfg = finished
    cfg = cfg.copy()
    cfg.data.num_workers = workers
    with monkeypatch.context() as patch:
        patch.setattr("src.training.trainer.Progress", lambda: StopAfter(stop))
        with pytest.raises(Interrupted, match=f"after batch {stop + 1}"):
            segment(cfg, tmp_path)
    assert not (tmp_path / "metrics.json").exists()
    segment(load_config(tmp_path), tmp_path, resume=True)
    assert_equal_runs(whole, tmp_path)


def test_a_run_that_ended_before_it_was_scored_is_scored_on_resuming(finished: tuple[Path, DictConfig], tmp_path: Path):
    whole, cfg = finished
    for name in ("config.yaml", "last.ckpt"):
        (tmp_path / name).write_bytes((whole / name).read_bytes())
    segment(cfg, tmp_path, resume=True)
    assert_equal_runs(whole, tmp_path)


def test_a_stopped_run_goes_on_where_its_set_was_moved_but_not_with_another(
    root: Path, finished: tuple[Path, DictConfig], tmp_path: Path
):
    whole, cfg = finished
    shutil.copytree(root, tmp_path / "moved")
    cfg = cfg.copy()
    cfg.train = str(cfg.train).replace(str(root), str(tmp_path / "moved"))
    assert cfg.train != finished[1].train
    folder = tmp_path / "run"
    folder.mkdir()
    for name in ("config.yaml", "last.ckpt"):
        (folder / name).write_bytes((whole / name).read_bytes())
    image = min((tmp_path / "moved" / "playing_for_data" / "images").rglob("*.png"))
    content = image.read_bytes()
    image.write_bytes(content + b"\0")
    with pytest.raises(UserError, match=r"last\.ckpt: the training files are not those that the run began with"):
        segment(cfg, folder, resume=True)
    image.write_bytes(content)
    segment(cfg, folder, resume=True)
    assert (folder / "metrics.json").read_bytes() == (whole / "metrics.json").read_bytes()


def test_plain_folders_another_table_and_another_network(tmp_path: Path):
    for number in range(3):
        write_pair(tmp_path / "real", tmp_path / "real_labels", str(number), number)
    (tmp_path / "run").mkdir()
    sets = [f"train={tmp_path}/real", f"test={{images: {tmp_path}/real, labels: {tmp_path}/real_labels}}"]
    choices = ["labels=camvid", "segmenter=deeplabv3plus", "data.aspect=1.2"]
    metrics = segment(composed("segment", *choices, *SMALL, *sets), tmp_path / "run")
    assert 0 <= metrics["miou"] <= 1
    assert len(load_segmenter(tmp_path / "run", torch.device("cpu")).table) == 11


def test_the_rate_falls_to_zero_as_a_polynomial():
    assert [polynomial_decay(b, batches=4, power=0.5) for b in (0, 1, 4, 5)] == pytest.approx([1, 0.75**0.5, 0, 0])


def test_a_segmenter_folder_is_not_just_any_folder(finished: tuple[Path, DictConfig], tmp_path: Path):
    (tmp_path / "config.yaml").write_text("method: {}\n")
    with pytest.raises(UserError, match="holds no segmenter"):
        load_segmenter(tmp_path, torch.device("cpu"))
    (tmp_path / "config.yaml").write_bytes((finished[0] / "config.yaml").read_bytes())
    with pytest.raises(UserError, match=r"weights\.safetensors: missing"):
        load_segmenter(tmp_path, torch.device("cpu"))


def test_two_runs_in_one_folder_are_refused(finished: tuple[Path, DictConfig]):
    with pytest.raises(UserError, match="already holds a run; continue it with resume="):
        segment(finished[1], finished[0])


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["train=nowhere"], "train=nowhere: no such folder; check the path"),
        (["labels=camvid"], r"the label table knows no id .*21.*; choose another with labels="),
        (["optimizer.lr=-1"], "optimizer.lr must be a number > 0"),
        (["segmenter.encoder=resnet19"], "segmenter: unet with resnet19"),
        (["trainer.devices=2"], "a segmenter trains on one device"),
        (["module.power=-1"], "module.power must be >= 0"),
    ],
)
def test_a_mistake_is_one_line(root: Path, tmp_path: Path, overrides: list[str], message: str):
    (tmp_path / "palette").mkdir()
    with pytest.raises(UserError, match=message) as raised:
        segment(settings(root, *overrides), tmp_path)
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "weights.safetensors").exists()


def test_the_command_prints_json_and_turns_mistakes_into_exit_code_1(root: Path, tmp_path: Path):
    sets = [f"train={root}/playing_for_data", f"test={root}/cityscapes"]
    done = forked.run("src.segment", *SMALL, *sets, f"hydra.run.dir={tmp_path}/run")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["run"] == f"{tmp_path}/run"
    done = forked.run("src.segment", f"resume={tmp_path}/run", "seed=3", "labels=camvid")
    assert done.returncode == 1
    assert "resume continues a run as it was configured; leave out seed=3 labels=camvid" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_segmenter_whose_sets_have_moved_goes_on_where_they_lie_now(
    finished: tuple[Path, DictConfig], root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    moved = shutil.copytree(root, tmp_path / "before")
    folder = tmp_path / "run"
    folder.mkdir()
    monkeypatch.setattr("src.training.trainer.Progress", lambda: StopAfter(3))
    with pytest.raises(Interrupted):
        segment(settings(moved), folder)
    monkeypatch.undo()
    moved.rename(tmp_path / "after")
    code, (line,) = run("segment", [f"resume={folder}"])
    assert code == 1
    assert line == f"train={tmp_path}/before/playing_for_data: no such folder; check the path"
    places = [f"train={tmp_path}/after/playing_for_data", f"test={tmp_path}/after/cityscapes"]
    code, lines = run("segment", [f"resume={folder}", *places])
    assert code == 0, lines
    assert_equal_runs(finished[0], folder)
    assert load_config(folder).train == f"{tmp_path}/after/playing_for_data"
