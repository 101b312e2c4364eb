"""What libraries do without promising it: each private part that src uses, and what happens where it is gone.

Another version is tried with tests/system/test_unpromised.py. Where a part is missing in it and that does no harm, less
is done, as each docstring says; elsewhere UserError names the library and the version to install.

Hydra's and Lightning's own objects are handed in, as the mathematics above knows neither; other libraries are imported
where they are used, as --help comes before them.
"""

import subprocess
import warnings
from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib import import_module
from importlib.metadata import version
from typing import Any

from src.system.errors import UserError

SEEN = {
    "hydra-core": "1.3.8",
    "lightning": "2.6.6",
    "lightning-utilities": "0.15.3",
    "torch": "2.14.1",
    "efficientnet-lite-pytorch": "0.1.0",
}
"""The versions in which all of this was seen to work: those of constraints.txt."""

WARNINGS = {
    "resumable": r".*your dataloader is not resumable.*",  # lightning
    "workers": r".*does not have many workers.*",  # lightning
    "interval": r".*smaller than the logging interval.*",  # lightning
    "leaves": r".*isinstance.treespec, LeafSpec.*",  # torch, of what lightning does
    "torchscript": r".*torch\.jit\.\w+. is (deprecated|not supported)",  # torch
    "launcher": r"\s*'hydra/launcher/.*' is validated against ConfigStore schema",  # hydra-core
}
"""How warnings read of what is as it should be, by the name that `ignore` takes."""


def ignore(*names: str) -> None:
    """Silence some of WARNINGS, from here on or until the end of a `warnings.catch_warnings`.

    Relied on: their words; their categories are shared with warnings that should be seen. Where the words have changed,
    the warning is seen.
    """
    for name in names:
        warnings.filterwarnings("ignore", message=WARNINGS[name])


@contextmanager
def hydra_reads(settings: Any, config: Any) -> Iterator[None]:
    """Inside, `${hydra:...}` in a value is read from `config`; Hydra itself sees to that once it has made the folder.

    Relied on: `cfg` of its singleton can be set back. Without it, UserError; in a callback, Hydra makes that a warning
    and goes on.

    Args:
        settings: HydraConfig.instance().
        config: with its node `hydra`.
    """
    before = _part(settings, "cfg", "hydra-core")
    settings.set_config(config)
    try:
        yield
    finally:
        settings.cfg = before


def hydra_loader(hydra: Any) -> Any:
    """What reads conf/ for Hydra, and so knows what `glob(x*)` matches; callbacks are not given it, as sweepers are.

    Relied on: `config_loader` of its singleton. Without it, UserError; in a callback, Hydra makes that a warning.

    Args:
        hydra: GlobalHydra.instance().
    """
    return _part(hydra, "config_loader", "hydra-core")()


@contextmanager
def hydra_set_aside(hydra: Any) -> Iterator[None]:
    """Inside, Hydra (GlobalHydra.instance()) holds nothing, so that conf/ can be composed apart from what runs.

    Relied on: its singleton keeps all it holds in `hydra`. Without it, UserError.
    """
    before = _part(hydra, "hydra", "hydra-core")
    hydra.hydra = None
    try:
        yield
    finally:
        hydra.hydra = before


def hydra_arguments() -> tuple[ArgumentParser, set[str]]:
    """Hydra's own parser of a command line, and the options it knows, as they are typed.

    Relied on: what makes it for hydra.main, and argparse's list of what a parser takes. Without them, UserError.
    """
    # by its name: the mathematics above imports this file, and knows no Hydra
    parser = _part(import_module("hydra._internal.utils"), "get_args_parser", "hydra-core")()
    return parser, {flag for action in parser._actions for flag in action.option_strings}


def refused_at(error: Exception) -> str:
    """The node that hydra.utils.instantiate could not build; nothing where it does not say.

    Relied on: the last line of the message, as the exception has no attribute for it. Where the words have changed, the
    message names the group alone.
    """
    return str(error).rpartition("full_key: ")[2].strip() if "full_key: " in str(error) else ""


def lightning_rank() -> int | None:
    """Which rank Lightning takes this process for, also before there is a trainer; None where it does not say.

    Relied on: the attribute `rank` of lightning-utilities' decorator, which Lightning sets when it is imported, and
    goes by itself. Only a trainer has a public one. Without it, the environment is asked, see `src.system.ranks`.
    """
    try:
        from lightning_utilities.core.rank_zero import rank_zero_only
    except ImportError:
        return None
    return getattr(rank_zero_only, "rank", None)


def tell_lightning_rank(rank: int) -> None:
    """Set it where the environment says so later than Lightning has read it; relied on and without it: as there."""
    with suppress(ImportError):
        from lightning_utilities.core.rank_zero import rank_zero_only

        rank_zero_only.rank = rank  # type: ignore[attr-defined]


def watched_by_lightning(launcher: Any) -> list[subprocess.Popen[bytes]]:
    """The ranks that Lightning has started, in its own list: those taken out of it may end as they like.

    Relied on: `procs`, the list that its watcher goes through. It kills rank 0 when another ends with an error, and
    nothing public makes it wait. Without it the list is empty: a run that fails is killed before it says why, but has
    trained and kept the same.

    Args:
        launcher: trainer.strategy.launcher; None where somebody else starts the ranks.
    """
    return getattr(launcher, "procs", [])


def log_interval(trainer: Any) -> int:
    """Batches between two entries of a log.

    Relied on: the trainer keeps that argument under its own name, undeclared. Without it, UserError.
    """
    interval: int = _part(trainer, "log_every_n_steps", "lightning")
    return interval


def data_state(checkpoint: Mapping[str, Any], data: object) -> Mapping[str, Any]:
    """What a data module's state_dict gave to a checkpoint; nothing where it has none.

    Relied on: Lightning files it under the name of the class, and hands it out only after a run's folder was written
    to. Under another name nothing is found, and files that have changed are not noticed.
    """
    found: Mapping[str, Any] = checkpoint.get(type(data).__qualname__, {})
    return found


def raise_for_dead_worker() -> None:
    """Raise RuntimeError if a process of a DataLoader has died; `tells_of_dead_worker` knows it.

    Relied on: what PyTorch's handler of SIGCHLD calls. The handler itself may have been replaced, and a loader's
    processes are private too. Without it nothing is raised: training ends with the error of a connection.
    """
    try:
        from torch._C import _error_if_any_worker_fails
    except ImportError:
        return
    _error_if_any_worker_fails()


def tells_of_dead_worker(error: RuntimeError) -> bool:
    """Whether PyTorch says that a process of a DataLoader has died, and not what went wrong in it.

    Relied on: its words, as it has no exception for that. Where they have changed, the error keeps its traceback.
    """
    return "DataLoader worker" in str(error) and "Traceback" not in str(error)


def why_not_saved(error: Exception) -> OSError | None:
    """Why torch.save could not write; None where it was nothing that a disk or a folder does.

    Relied on: the OSError is being handled when torch raises its own RuntimeError, which says less. Where that has
    changed, the error keeps its traceback.
    """
    cause = error if isinstance(error, OSError) else error.__context__
    return cause if isinstance(cause, OSError) else None


class TakesAlong:
    """Put before nn.Module among a class's bases: a frozen network goes where the module goes, and is no part of it.

    A part would be saved, and put into training mode. Relied on: `to`, `cuda`, `double` and the like all call `_apply`,
    and there is no public hook. Without it, `take_along` raises UserError.

    Attributes:
        along: the network alone, in a list, where nn.Module does not look.
    """

    along: list[Any]

    def take_along(self, network: Any) -> None:
        """From now on."""
        _part(super(), "_apply", "torch")
        self.along = [network]

    def _apply(self, fn: Callable[[Any], Any], recurse: bool = True) -> Any:
        for network in self.along:
            network._apply(fn, recurse)
        return super()._apply(fn, recurse)  # type: ignore[misc]


def efficientnet_classifier(network: Any) -> Callable[[Any], Any]:
    """Features [B, 1280] -> logits [B, 1000]; the network itself gives the one or the other.

    Relied on: `_fc`. Without it, UserError.
    """
    classifier: Callable[[Any], Any] = _part(network, "_fc", "efficientnet-lite-pytorch")
    return classifier


def efficientnet_steps(network: Any) -> Iterator[tuple[Callable[[Any], Any], int]]:
    """From an image on, what is done to features one after the other, and the stride of each.

    Relied on: `_conv_stem`, `_bn0`, `_swish`, `_blocks` and their `_depthwise_conv`, as the network itself gives its
    last features alone. Without one of them, UserError.
    """
    stem, norm, swish, blocks = (
        _part(network, name, "efficientnet-lite-pytorch") for name in ("_conv_stem", "_bn0", "_swish", "_blocks")
    )
    yield lambda image: swish(norm(stem(image))), stem.stride[0]
    for block in blocks:
        yield block, _part(block, "_depthwise_conv", "efficientnet-lite-pytorch").stride[0]


def _part(owner: Any, name: str, library: str) -> Any:
    try:
        return getattr(owner, name)
    except AttributeError:
        raise UserError(
            f"{library} {version(library)} has no {name}, which is needed here; install {library}=={SEEN[library]}"
        ) from None
