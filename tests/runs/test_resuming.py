"""What a run goes on from: damaged, missing and left-over files, and runs that have nothing left to do."""

import hashlib
import json
import re
import shutil
from pathlib import Path

import pytest
import torch
from omegaconf import DictConfig, OmegaConf

from src.runs import resuming
from src.runs.folder import load_config, save_config
from src.runs.weights import load_weights
from src.system.errors import UserError
from src.tables.table.collect import collect
from src.tables.table.table import tabulate
from src.training.callbacks.checkpoint import Interrupted, WholeFileIO
from src.training.run import train
from tests.bad_inputs.refusal import run
from tests.frames import write_frames
from tests.test_train import StopAfter, assert_equal_runs, tiny


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, DictConfig]:
    """Folders `whole`, finished, and `stopped` after batch 5 of 12, whose previous checkpoint is of batch 4."""
    base = tmp_path_factory.mktemp("resuming")
    cfg = tiny(
        write_frames(base / "frames"), "method=cyclegan", "method.pool=2", "callbacks.checkpoint.every_n_batches=2"
    )
    for name in ("whole", "stopped"):
        (base / name).mkdir()
    train(cfg, base / "whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("src.training.trainer.Progress", lambda: StopAfter(4))
        with pytest.raises(Interrupted):
            train(cfg, base / "stopped")
    return base, cfg


@pytest.fixture
def stopped(base: tuple[Path, DictConfig], tmp_path: Path) -> Path:
    """A copy to damage."""
    return Path(shutil.copytree(base[0] / "stopped", tmp_path / "run"))


def delete(path: Path) -> None:
    path.unlink()


def empty(path: Path) -> None:
    path.write_bytes(b"")


def tear(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1000])


def spoil(path: Path) -> None:
    """A block of zeros in the middle: the file opens, and torch alone would read it."""
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 512] = bytes(512)
    path.write_bytes(content)


def replace(path: Path) -> None:
    torch.save({"weights": torch.zeros(3)}, path)


DAMAGE = {delete: "missing", empty: "empty", tear: "torn", spoil: "damaged", replace: "foreign"}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(
    damage, stopped: Path, capsys: pytest.CaptureFixture[str]
):
    damage(stopped / "last.ckpt")
    assert resuming.checkpoint(stopped) == stopped / "previous.ckpt"
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"{stopped / 'last.ckpt'}: ")
    assert DAMAGE[damage] in line
    assert line.endswith(f"going on from {stopped / 'previous.ckpt'}, after batch 4")


@pytest.mark.parametrize("damage", [delete, tear])
def test_a_run_that_goes_on_from_the_checkpoint_before_ends_in_the_same_bits(
    damage, base: tuple[Path, DictConfig], stopped: Path
):
    damage(stopped / "last.ckpt")
    train(load_config(stopped), stopped, resume=True)
    assert_equal_runs(base[0] / "whole", stopped)


def test_a_whole_checkpoint_needs_no_word(stopped: Path, capsys: pytest.CaptureFixture[str]):
    assert resuming.checkpoint(stopped) == stopped / "last.ckpt"
    assert capsys.readouterr().err == ""


def test_two_damaged_checkpoints_are_one_clear_error(stopped: Path):
    tear(stopped / "last.ckpt")
    empty(stopped / "previous.ckpt")
    with pytest.raises(
        UserError, match=r"last.ckpt: .*torn.*previous.ckpt: .*empty.*; nothing to continue from"
    ) as raised:
        resuming.checkpoint(stopped)
    assert "\n" not in str(raised.value)


def test_what_a_kill_has_left_lying_is_swept(stopped: Path):
    left = [stopped / ".last.ckpt.part", stopped / ".weights.safetensors.0123456789ab.part"]
    left.append(stopped / "images" / ".epoch_0001.png.part")
    (stopped / "images").mkdir(exist_ok=True)
    for path in left:
        path.write_bytes(b"torn")
    resuming.checkpoint(stopped)
    assert not any(path.exists() for path in left)


def test_a_damaged_checkpoint_never_takes_the_place_of_the_one_before(tmp_path: Path):
    last, previous = tmp_path / "last.ckpt", tmp_path / "previous.ckpt"
    torch.save({"batch": 1}, previous)
    last.write_bytes(b"torn")
    writer = WholeFileIO("previous.ckpt")
    for batch, kept in ((3, 1), (4, 3), (5, 4)):
        writer.save_checkpoint({"batch": batch}, last)
        found = [torch.load(path, weights_only=True)["batch"] for path in (last, previous)]
        assert found == [batch, kept]


def test_a_checkpoint_that_was_read_is_kept_as_the_one_before(tmp_path: Path):
    torch.save({"batch": 1}, tmp_path / "last.ckpt")
    writer = WholeFileIO("previous.ckpt")
    writer.load_checkpoint(tmp_path / "last.ckpt", weights_only=True)
    writer.save_checkpoint({"batch": 2}, tmp_path / "last.ckpt")
    assert torch.load(tmp_path / "previous.ckpt", weights_only=True) == {"batch": 1}


def test_a_full_disk_leaves_the_last_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    writer = WholeFileIO("previous.ckpt")
    writer.save_checkpoint({"batch": 1}, tmp_path / "last.ckpt")

    def full(checkpoint, file):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("src.training.callbacks.checkpoint.torch.save", full)
    with pytest.raises(OSError, match="No space left"):
        writer.save_checkpoint({"batch": 2}, tmp_path / "last.ckpt")
    assert torch.load(tmp_path / "last.ckpt", weights_only=True) == {"batch": 1}


def test_a_run_stopped_before_its_first_checkpoint_starts_from_the_beginning(
    base: tuple[Path, DictConfig], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    shutil.copy(base[0] / "whole/config.yaml", tmp_path)
    train(load_config(tmp_path), tmp_path, resume=True)
    assert "stopped before its first checkpoint; starting from the beginning" in capsys.readouterr().err
    assert_equal_runs(base[0] / "whole", tmp_path)


def test_a_run_that_ended_before_it_was_scored_is_scored(base: tuple[Path, DictConfig], tmp_path: Path):
    for name in ("config.yaml", "last.ckpt", "weights.safetensors"):
        shutil.copy(base[0] / "whole" / name, tmp_path)
    train(load_config(tmp_path), tmp_path, resume=True)
    assert_equal_runs(base[0] / "whole", tmp_path)
    assert (tmp_path / "metrics.json").read_bytes() == (base[0] / "whole/metrics.json").read_bytes()


def contents(folder: Path) -> dict[str, tuple[str, int]]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path): (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns) for path in files}


def test_a_finished_run_says_so_and_stays_as_it_is(base: tuple[Path, DictConfig], capsys: pytest.CaptureFixture[str]):
    folder = base[0] / "whole"
    before = contents(folder)
    kid = train(load_config(folder), folder, resume=True)
    streams = capsys.readouterr()
    assert streams.err == f"{folder}: this run is finished, after batch 12; nothing was changed\n"
    metrics = json.loads((folder / "metrics.json").read_text())["metrics"]
    assert json.loads(streams.out) == {"run": str(folder), **metrics}
    assert kid == metrics["kid_efficientnet_lite0"]
    assert contents(folder) == before


def test_a_run_that_was_stopped_early_is_finished_too(
    base: tuple[Path, DictConfig], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """By Lightning's own callback, short of trainer.max_epochs."""
    stop = ["+callbacks.stop._target_=lightning.pytorch.callbacks.EarlyStopping", "+callbacks.stop.monitor=train/gan"]
    stop += ["+callbacks.stop.stopping_threshold=1e9", "attention=none", "metrics.scores=null"]
    train(tiny(base[1].data.root, *stop), tmp_path)
    assert json.loads((tmp_path / "metrics.json").read_text())["protocol"]["epochs"] == 1
    before = contents(tmp_path)
    capsys.readouterr()
    train(load_config(tmp_path), tmp_path, resume=True)
    assert capsys.readouterr().err == f"{tmp_path}: this run is finished, after batch 6; nothing was changed\n"
    assert contents(tmp_path) == before


MENDS = {
    "data.root": ("gone", r"gone/trainA: no such folder.*check data.root", ["data.root={frames}"]),
    "data.layout.x": (
        "gone",
        r"gone: no such folder.*data\.layout$",
        ["data=folders", "data.layout.x={frames}/trainA"],
    ),
    "metrics.scores.cache": ("config.yaml", r"cannot be made .*; name a folder, or null$", ["metrics.cache=null"]),
    "metrics.scores.extractor": (
        {"_target_": "src.metrics.inception.Inception", "weights": "gone.pth"},
        r"^gone\.pth: no Inception weights there; give a path with extractor\.weights=<file>",
        ["extractor=inception", "extractor.weights={weights}"],
    ),
}


@pytest.mark.parametrize("setting", MENDS)
def test_what_a_resumed_run_advises_is_accepted_and_ends_in_the_same_bits(
    setting: str, base: tuple[Path, DictConfig], stopped: Path, inception_weights: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(stopped)
    value, message, mend = MENDS[setting]
    config = load_config(stopped)
    OmegaConf.update(config, setting, value, merge=False)
    if setting.endswith("extractor"):
        config.extractor = value
    save_config(stopped, config)
    code, (line,) = run("train", [f"resume={stopped}"])
    assert code == 1
    assert re.search(message, line), line
    mended = [one.format(frames=base[1].data.root, weights=inception_weights) for one in mend]
    code, lines = run("train", [f"resume={stopped}", *mended])
    assert code == 0, lines
    theirs = weights(base[0] / "whole")
    assert all(torch.equal(value, theirs[name]) for name, value in weights(stopped).items())
    key, _, kept = mended[-1].partition("=")
    assert OmegaConf.select(load_config(stopped), key) == (None if kept == "null" else kept)


def test_the_devices_that_a_configuration_says_are_those_the_run_began_on(stopped: Path):
    now = load_config(stopped)
    now.data.root, now.trainer.devices = "elsewhere", 2
    resuming.keep_config(stopped, now, but={"trainer.devices"})
    kept = load_config(stopped)
    assert (kept.data.root, kept.trainer.devices) == ("elsewhere", 1)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return dict(load_weights(folder))


def test_a_run_that_finds_other_files_where_its_data_lie_now_is_refused(
    base: tuple[Path, DictConfig], stopped: Path, tmp_path: Path
):
    other = write_frames(tmp_path / "other", train=(4, 6))
    code, (line,) = run("train", [f"resume={stopped}", f"data.root={other}"])
    assert code == 1
    assert "the training files are not those that the run began with" in line
    assert load_config(stopped).data.root == str(base[1].data.root)


def test_a_choice_that_the_run_has_not_is_refused(stopped: Path):
    code, (line,) = run("train", [f"resume={stopped}", "data=streets"])
    assert code == 1
    assert line == "resume continues a run as it was configured; leave out data=streets or start a new run"


LONGER = ["selection=gumbel", "callbacks.checkpoint.every_n_batches=2"]


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of `frames`; `short`, a run of two epochs, and `long`, of four with the rate held after two."""
    base = tmp_path_factory.mktemp("ended")
    root = write_frames(base / "frames")
    for name, overrides in (("short", []), ("long", ["+extended_from=2", "trainer.max_epochs=4"])):
        (base / name).mkdir()
        train(tiny(root, *LONGER, *overrides), base / name)
    return base


def test_a_finished_run_that_is_trained_longer_ends_as_one_that_never_stopped(ended: Path, tmp_path: Path):
    folder = Path(shutil.copytree(ended / "short", tmp_path / "run"))
    code, lines = run("train", [f"resume={folder}", "trainer.max_epochs=3"])
    assert code == 0, lines
    with pytest.MonkeyPatch.context() as patch:  # longer still, stopped on the way, continued without a word of epochs
        patch.setattr("src.training.trainer.Progress", lambda: StopAfter(20))
        code, lines = run("train", [f"resume={folder}", "trainer.max_epochs=4"])
    assert code == 130, lines
    code, lines = run("train", [f"resume={folder}"])
    assert code == 0, lines
    assert_equal_runs(ended / "long", folder)
    assert (folder / "metrics.json").read_bytes() == (ended / "long/metrics.json").read_bytes()
    protocol = json.loads((folder / "metrics.json").read_text())["protocol"]
    assert (protocol["epochs"], protocol["batches"]) == (4, 24)
    assert protocol["extended"] == "beyond the 2 epochs it was begun with, at their last rate, 0.5 of optimizer.lr"
    assert load_config(folder).extended_from == 2


def test_the_rate_of_a_longer_run_is_held_at_its_last_value(ended: Path):
    rates = {
        name: [group["lr"] for optimizer in saved["optimizer_states"] for group in optimizer["param_groups"]]
        for name in ("short", "long")
        if (saved := torch.load(ended / name / "last.ckpt", weights_only=True))
    }
    base = load_config(ended / "long").optimizer.lr
    # two epochs, the second of them decaying: 1, 1/2, and then zero or, held, 1/2
    assert rates == {"short": [0.0, 0.0], "long": [base / 2, base / 2]}


def test_a_longer_run_shares_no_table_with_one_of_as_many_epochs(ended: Path, tmp_path: Path):
    (tmp_path / "plain").mkdir()
    cfg = tiny(ended / "frames", *LONGER, "trainer.max_epochs=4", "seed=1")
    for name in ("config.yaml", "metrics.json"):
        shutil.copy(ended / "long" / name, tmp_path / "plain")
    save_config(tmp_path / "plain", cfg)
    content = json.loads((tmp_path / "plain/metrics.json").read_text())
    del content["protocol"]["extended"]
    (tmp_path / "plain/metrics.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match="scores of different protocols cannot share a table: extended is "):
        tabulate(collect([ended / "long", tmp_path / "plain"]))


@pytest.mark.parametrize(
    ("epochs", "message"),
    [("1", r"^trainer\.max_epochs=1: the run has had 2; give more to train it longer$"), ("many", "whole number >= 1")],
)
def test_a_finished_run_is_not_trained_for_fewer_epochs(epochs: str, message: str, ended: Path, tmp_path: Path):
    before = contents(ended / "short")
    code, (line,) = run("train", [f"resume={ended / 'short'}", f"trainer.max_epochs={epochs}"])
    assert code == 1
    assert re.search(message, line), line
    assert contents(ended / "short") == before


def test_a_run_that_has_not_ended_is_not_trained_longer(stopped: Path):
    code, (line,) = run("train", [f"resume={stopped}", "trainer.max_epochs=9"])
    assert code == 1
    assert line == f"trainer.max_epochs: a run is trained longer once it has ended; first resume={stopped} alone"
