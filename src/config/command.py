"""What every command does around its task: help, compose the configuration, answer a user's mistake in one line."""

import functools
import gc
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import CompactHydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from src.config import schema
from src.config.composition import CONF
from src.config.help import explained
from src.config.known import demand_known
from src.config.mistakes import mistakes, taken_apart
from src.config.old_names import typed
from src.config.signatures import unresolved
from src.system import stopping
from src.system.errors import DISK, UserError, one_line, unwritable


def answer_early(name: str) -> None:
    """Answer a command line that asks for help, or that conf/ alone tells to be mistaken, and exit.

    Else no garbage is looked for until the task begins: that takes a fifth of the imports between, and they make none.

    Args:
        name: stem of the root in conf/.
    """
    _answer(name)
    gc.disable()


def _answer(name: str) -> None:
    stopping.quiet_from_the_start()
    sys.argv[1:] = arguments = [typed(with_home(argument)) for argument in sys.argv[1:]]
    asks = {"--help", "-h"} & set(arguments)
    arguments = [one for one in arguments if one not in asks]
    if lines := mistakes(name, tuple(arguments), asks=bool(asks)):
        sys.exit("\n".join(lines))
    line = taken_apart(arguments)
    if asks:
        try:
            print(explained(name, line.overrides), flush=True)
        except BrokenPipeError:  # of | head
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit()
    _refuse_environment(line.overrides)
    sys.argv[1:] = [*line.options, *line.overrides]  # Hydra takes no override behind -m and one before it


def entry(name: str, *, terminates: bool = True) -> Callable[[Callable[[Any], Any]], Callable[..., Any]]:
    """hydra.main for conf/<name>.yaml; a user's mistake ends the command with one line and exit code 1.

    Ctrl-C and SIGTERM end it with one line and exit code 130 and 143.

    Args:
        name: stem of the root in conf/.
        terminates: false where the task takes SIGTERM itself, and says how it goes on.
    """

    def decorate(task: Callable[[Any], Any]) -> Callable[..., Any]:
        @functools.wraps(task)
        def answered(config: Any) -> Any:
            try:
                with _letting_go(), in_one_line():
                    demand_known(config, schema.ROOTS[name])
                    return task(config)
            except CompactHydraException as error:
                if HydraConfig.get().mode == RunMode.MULTIRUN or "HYDRA_FULL_ERROR" in os.environ:
                    raise  # the other jobs go on
                _leave_no_empty_folder()
                sys.exit(str(error))

        main = hydra.main(version_base="1.3", config_path=str(CONF), config_name=name)(answered)

        @functools.wraps(task)
        def command(config: DictConfig | None = None) -> Any:
            if config is not None:
                return main(config)
            _answer(name)
            if not gc.isenabled():  # since before the imports, of which all stays
                gc.freeze()
                gc.enable()
            with stopping.ending("stopped; the same command goes on", terminates=terminates):
                return main()

        return command

    return decorate


def in_sweep() -> bool:
    """Whether this process runs a job of a sweep."""
    return HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN


def comes_back() -> bool:
    """Whether the same command line, typed later, names the same folder: none that is called by the time of day."""
    if not HydraConfig.initialized():
        return True
    hydra_config = HydraConfig.get()
    if any(item.startswith("resume=") for item in hydra_config.overrides.task):
        return True
    node = hydra_config.sweep if in_sweep() else hydra_config.run
    return re.search(r"\$\{\s*now\b", str(OmegaConf.to_container(node, resolve=False))) is None


def with_home(argument: str) -> str:
    """An argument with `~/` written out, alone (`data.root=~/x`), in a list or in quotes, where shells leave it."""
    return re.sub(r"""(?<=[=,\[:"'])~(?=/)""", lambda _: os.path.expanduser("~"), argument)


@contextmanager
def in_one_line() -> Iterator[None]:
    """Hand a user's mistake inside to Hydra as the one line it prints; anything else keeps its traceback."""
    try:
        yield
    except UserError as error:
        raise CompactHydraException(one_line(error)) from error
    except OmegaConfBaseException as error:
        raise CompactHydraException(unresolved(error, error.full_key or "")) from RuntimeError(str(error))
    except OSError as error:
        if error.errno not in DISK:
            raise
        raise CompactHydraException(unwritable(error)) from error


@contextmanager
def _letting_go() -> Iterator[None]:
    """Free what a job of a sweep held when it failed: Hydra keeps the exception, and so its frames, to the end."""
    try:
        yield
    except Exception as error:
        if in_sweep():
            _clear(error)
            gc.collect()
        raise


def _clear(error: BaseException) -> None:
    cleared: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and all(cause is not one for one in cleared):  # some are raised from themselves
        traceback.clear_frames(cause.__traceback__)
        cleared.append(cause)
        cause = cause.__cause__


def _leave_no_empty_folder() -> None:
    """Hydra has made one before the mistake was seen."""
    folder = Path(HydraConfig.get().runtime.output_dir)
    if folder != Path.cwd() and folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def _refuse_environment(overrides: Sequence[str]) -> None:
    """Before Hydra names a folder by such a value, and so resolves it."""
    for override in overrides:
        if re.search(r"\$\{\s*oc\.env", override):
            key = override.partition("=")[0]
            sys.exit(f"{key}: a configuration takes nothing from the environment, as it is kept; write the value")
