"""Every private part of a library as it is installed, and what happens where it is gone."""

import errno
import io
import os
import re
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra._internal.callbacks import Callbacks
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from lightning import Trainer
from lightning.fabric.strategies.launchers import subprocess_script as watching
from lightning.pytorch.demos.boring_classes import BoringDataModule, BoringModel
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.strategies.launchers import subprocess_script as launching
from lightning.pytorch.trainer.connectors import data_connector
from lightning.pytorch.utilities import rank_zero_only
from omegaconf import DictConfig, OmegaConf
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from src.config import naming, schema
from src.config.hydra_callbacks import RefuseEmpty, Writable
from src.networks.efficientnet import LITE0, frozen
from src.system import unpromised
from src.system.errors import UserError
from src.system.ranks import is_first
from src.training.callbacks.checkpoint import WholeFileIO
from tests.conftest import ATTENTIONS, CONF


def test_the_versions_are_those_of_constraints():
    pinned = dict(re.findall(r"^([\w-]+)==(\S+)", (CONF.parent / "constraints.txt").read_text(), re.M))
    assert {name: pinned[name] for name in unpromised.SEEN} == unpromised.SEEN


# Hydra


@pytest.fixture
def composed():
    """conf/train.yaml with Hydra's own node, while Hydra is up."""
    schema.register()
    naming.register()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        yield compose("train", ["hydra.run.dir=of-${hydra:job.name}"], return_hydra_config=True)


def test_hydra_reads_a_configuration_and_forgets_it(composed: DictConfig):
    composed.hydra.job.name = "train"
    with pytest.raises(Exception, match="HydraConfig was not set"):
        _ = composed.hydra.run.dir
    with unpromised.hydra_reads(HydraConfig.instance(), composed):
        assert composed.hydra.run.dir == "of-train"
    assert not HydraConfig.initialized()


def test_hydras_loader_knows_the_choices(composed: DictConfig):
    assert unpromised.hydra_loader(GlobalHydra.instance()).get_group_options("attention") == ATTENTIONS


def test_hydra_is_set_aside_and_comes_back(composed: DictConfig):
    before = GlobalHydra.instance().hydra
    with unpromised.hydra_set_aside(GlobalHydra.instance()):
        assert not GlobalHydra.instance().is_initialized()
    assert GlobalHydra.instance().hydra is before
    with pytest.raises(UserError, match=r"hydra-core .* has no hydra"), unpromised.hydra_set_aside(SimpleNamespace()):
        pytest.fail("set aside")


def test_hydras_options_are_those_of_its_help():
    parser, options = unpromised.hydra_arguments()
    assert {"--multirun", "-m", "--cfg", "-c", "--info", "--config-dir", "--shell-completion"} < options
    assert parser.parse_args(["-m", "a=1"]).overrides == ["a=1"]
    shown = set(re.findall(r"--[a-z][a-z-]*", parser.format_usage()))
    assert shown <= options


@pytest.mark.parametrize(
    ("callback", "singleton", "part"), [(Writable, "HydraConfig", "cfg"), (RefuseEmpty, "GlobalHydra", "config_loader")]
)
def test_a_callback_without_hydras_part_warns_and_lets_hydra_go_on(
    callback: type, singleton: str, part: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(f"src.config.hydra_callbacks.{singleton}", SimpleNamespace(instance=SimpleNamespace))
    callbacks = Callbacks()
    callbacks.callbacks = [callback()]
    seen = unpromised.SEEN["hydra-core"]
    with pytest.warns(UserWarning, match=rf"UserError: hydra-core \S+ has no {part}, .* install hydra-core=={seen}"):
        callbacks.on_multirun_start(config=OmegaConf.create({}))


def test_what_hydra_could_not_build_is_named_where_it_says_so():
    with pytest.raises(InstantiationException) as raised:
        instantiate({"a": {"b": {"_target_": "builtins.int", "_args_": ["x"]}}})
    assert unpromised.refused_at(raised.value) == "a.b"
    assert unpromised.refused_at(InstantiationException("words of tomorrow")) == ""


# Lightning


class Stateful(BoringDataModule):
    def state_dict(self) -> dict[str, Any]:
        return {"files": "of then"}


class Trained(NamedTuple):
    """A trainer that has gone on in mid-epoch, its checkpoint, and what was warned of."""

    trainer: Trainer
    checkpoint: dict[str, Any]
    warned: list[str]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("trained")
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "accelerator": "cpu"}
    with warnings.catch_warnings(record=True) as caught, pytest.MonkeyPatch.context() as patch:
        warnings.simplefilter("always")
        patch.setattr(data_connector, "suggested_max_num_workers", lambda devices: 8)  # however many this machine has
        for steps in (2, 3):
            trainer = Trainer(
                max_steps=steps, log_every_n_steps=7, default_root_dir=folder, limit_val_batches=0, **quiet
            )
            start = folder / "2.ckpt" if steps == 3 else None
            trainer.fit(BoringModel(), datamodule=Stateful(), ckpt_path=start, weights_only=True)
            trainer.save_checkpoint(folder / f"{steps}.ckpt")
    checkpoint = torch.load(folder / "3.ckpt", weights_only=True)
    return Trained(trainer, checkpoint, [str(one.message) for one in caught])


def test_the_log_interval_is_the_trainers_argument(trained: Trained):
    assert unpromised.log_interval(trained.trainer) == 7
    with pytest.raises(UserError, match=r"^lightning \S+ has no log_every_n_steps, .* install lightning==\S+$"):
        unpromised.log_interval(SimpleNamespace())


def test_what_the_data_keep_is_found_in_a_checkpoint(trained: Trained):
    assert unpromised.data_state(trained.checkpoint, Stateful()) == {"files": "of then"}
    assert unpromised.data_state({"of another name": {}}, Stateful()) == {}


def test_the_rank_is_the_one_that_lightning_goes_by(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(rank_zero_only, "rank", 0)  # and set back at the end
    assert unpromised.lightning_rank() == 0
    unpromised.tell_lightning_rank(1)
    assert unpromised.lightning_rank() == 1
    assert rank_zero_only(lambda: "done")() is None
    assert not is_first()


@pytest.mark.parametrize("gone", ["attribute", "module"])
@pytest.mark.parametrize(
    ("variables", "first"), [({}, True), ({"LOCAL_RANK": "1"}, False), ({"RANK": "0", "LOCAL_RANK": "1"}, True)]
)
def test_without_it_the_environment_tells_the_rank(
    gone: str, variables: dict[str, str], first: bool, monkeypatch: pytest.MonkeyPatch
):
    for name in ("RANK", "LOCAL_RANK", "SLURM_PROCID"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    if gone == "module":
        monkeypatch.setitem(sys.modules, "lightning_utilities.core.rank_zero", None)
        unpromised.tell_lightning_rank(5)
    else:
        monkeypatch.delattr(rank_zero_only, "rank")
    assert unpromised.lightning_rank() is None
    assert is_first() == first


def test_what_is_taken_out_of_lightnings_list_is_no_longer_watched(monkeypatch: pytest.MonkeyPatch):
    trainer = Trainer(strategy="ddp", devices=2, accelerator="cpu", logger=False)
    trainer.strategy._configure_launcher()
    launcher = trainer.strategy.launcher
    handed: list[Any] = []
    killed: list[Any] = []
    monkeypatch.setattr(launching, "_launch_process_observer", handed.append)
    monkeypatch.setattr(watching.os, "kill", lambda *arguments: killed.append(arguments))
    monkeypatch.setattr(launcher, "_call_children_scripts", lambda: launcher.procs.append(subprocess.Popen(["false"])))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    launcher.launch(lambda: None)
    (process,) = watched = unpromised.watched_by_lightning(launcher)
    process.wait()
    watcher = watching._ChildProcessObserver(os.getpid(), *handed)
    assert watcher._run()
    assert killed == [(os.getpid(), signal.SIGKILL)]
    killed.clear()
    watched.clear()
    assert watcher._run()
    assert killed == []


def test_where_there_is_no_such_list_nothing_is_taken_out():
    assert unpromised.watched_by_lightning(None) == unpromised.watched_by_lightning(SimpleNamespace()) == []


# PyTorch


class Failing(Dataset[Tensor]):
    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> Tensor:
        raise RuntimeError("of the data")


class Sleeping(Failing):
    def __getitem__(self, index: int) -> Tensor:
        time.sleep(60)
        return torch.zeros(1)


def test_a_dead_worker_is_told_from_one_that_raised():
    batches: Any = iter(DataLoader(Sleeping(), num_workers=1))
    pid = batches._workers[0].pid
    before = signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # PyTorch's own handler would say so first
    try:
        os.kill(pid, signal.SIGKILL)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        with pytest.raises(RuntimeError) as died:
            unpromised.raise_for_dead_worker()
    finally:
        signal.signal(signal.SIGCHLD, before)
    assert unpromised.tells_of_dead_worker(died.value)
    with pytest.raises(RuntimeError, match="of the data") as raised:
        next(iter(DataLoader(Failing(), num_workers=1)))
    assert not unpromised.tells_of_dead_worker(raised.value)
    assert not unpromised.tells_of_dead_worker(RuntimeError("words of tomorrow"))


def test_without_it_nobody_asks_after_workers(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delattr(torch._C, "_error_if_any_worker_fails")
    unpromised.raise_for_dead_worker()


class Full(io.RawIOBase):
    def write(self, content: Any) -> int:
        raise OSError(errno.ENOSPC, "of the disk")


def test_why_torch_could_not_save_is_found():
    with pytest.raises((OSError, RuntimeError)) as raised:
        torch.save({"a": torch.zeros(10)}, Full())
    reason = unpromised.why_not_saved(raised.value)
    assert reason is not None
    assert reason.errno == errno.ENOSPC


def test_without_a_reason_the_error_stays_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    error = RuntimeError("words of tomorrow")

    def refuse(*arguments: Any) -> None:
        raise error

    monkeypatch.setattr(torch, "save", refuse)
    with pytest.raises(RuntimeError) as raised:
        WholeFileIO("previous.ckpt").save_checkpoint({}, tmp_path / "last.ckpt")
    assert raised.value is error


class Companion(unpromised.TakesAlong, nn.Linear):
    def __init__(self) -> None:
        super().__init__(2, 2)
        self.take_along(nn.Linear(3, 3).eval())


def test_what_is_taken_along_moves_and_is_no_part():
    module = Companion().train().to("meta", torch.float64)
    (network,) = module.along
    assert {(one.device.type, one.dtype) for one in (network.weight, module.weight)} == {("meta", torch.float64)}
    assert not network.training
    assert set(module.state_dict()) == {name for name, _ in module.named_parameters()} == {"weight", "bias"}


def test_a_module_that_moves_otherwise_takes_nothing_along():
    class Other(unpromised.TakesAlong):
        """Of a torch without `_apply`."""

    with pytest.raises(UserError, match=r"^torch \S+ has no _apply, .* install torch==\S+$"):
        Other().take_along(nn.Linear(3, 3))


# EfficientNet


def test_the_steps_and_the_classifier_are_the_networks_own():
    network = frozen(LITE0)
    x = image = torch.rand(2, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    whole = 1
    for step, stride in unpromised.efficientnet_steps(network):
        before, x = x, step(x)
        whole *= stride
        assert [-(-side // stride) for side in before.shape[2:]] == list(x.shape[2:])
    assert whole == 32
    features = network.extract_features(image)
    torch.testing.assert_close(network._swish(network._bn1(network._conv_head(x))), features)
    torch.testing.assert_close(unpromised.efficientnet_classifier(network)(features.mean((2, 3))), network(image))


@pytest.mark.parametrize("part", ["_conv_stem", "_bn0", "_swish", "_blocks", "_depthwise_conv", "_fc"])
def test_an_efficientnet_without_a_part_is_refused(part: str):
    layer = nn.Conv2d(3, 3, 1)
    block = SimpleNamespace(**{"_depthwise_conv": layer} if part != "_depthwise_conv" else {})
    parts = {"_conv_stem": layer, "_bn0": layer, "_swish": layer, "_blocks": [block], "_fc": layer}
    network = SimpleNamespace(**{name: value for name, value in parts.items() if name != part})

    def use() -> None:
        list(unpromised.efficientnet_steps(network))
        unpromised.efficientnet_classifier(network)

    with pytest.raises(UserError, match=rf"^efficientnet-lite-pytorch 0\.1\.0 has no {part}, "):
        use()


# Warnings


def warned(act: Callable[[], object]) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        act()
    return [str(one.message) for one in caught]


def of_the_launcher() -> list[str]:
    schema.register()
    naming.register()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        # `register` has silenced it, and `warned` hears it all the same
        return warned(lambda: compose("train", ["hydra/launcher=submitit_local"], return_hydra_config=True))


@pytest.mark.parametrize("name", unpromised.WARNINGS)
def test_a_warning_is_known_by_its_words_and_silenced_alone(name: str, trained: Trained, tmp_path: Path):
    if name == "launcher":
        messages = of_the_launcher()
    elif name == "torchscript":
        messages = warned(lambda: torch.jit.trace(nn.Identity(), torch.zeros(1)))
    elif name == "interval":
        trainer = Trainer(
            **{"max_epochs": 1, "accelerator": "cpu", "log_every_n_steps": 50, "logger": CSVLogger(tmp_path)},
            **{"enable_progress_bar": False, "enable_checkpointing": False, "enable_model_summary": False},
        )
        loader = DataLoader(torch.zeros(2, 32))  # type: ignore[arg-type]
        messages = warned(lambda: trainer.fit(BoringModel(), loader))
    else:
        messages = trained.warned
    known = [message for message in messages if re.match(unpromised.WARNINGS[name], message, re.I)]
    assert known

    def again() -> None:
        unpromised.ignore(name)
        for message in (*known, "words of tomorrow"):
            warnings.warn(message, stacklevel=1)

    assert warned(again) == ["words of tomorrow"]
