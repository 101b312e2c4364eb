"""A command run as a user types it, but in this process: what it says, how it ends, what it leaves."""

import copy
import importlib
import io
import logging
import re
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from src.config import naming, schema
from tests.conftest import CONF

BAR = re.compile(r".*\d+%\|.*\]")
"""A progress bar that an end cut off."""


def run(command: str, arguments: Sequence[str]) -> tuple[int, list[str]]:
    """Exit code, and the lines on stderr."""
    module = importlib.import_module(f"src.{command}")
    if command in ("report", "runs.__main__"):
        return _watched(lambda: module.main(arguments), [])
    return _watched(module.main, [f"src/{command}.py", *arguments])


def run_composed(command: str, folder: Path, arguments: Sequence[str]) -> tuple[int, list[str]]:
    """The same from where Hydra has composed the configuration, which takes most of the time of a refusal.

    Args:
        command: stem of the root in conf/.
        folder: of the run.
        arguments: choices of groups and values, as on the command line.
    """
    choices = [argument for argument in arguments if (CONF / argument.partition("=")[0]).is_dir()]
    hydra_config, composed = _composed(command, *choices)
    config = copy.deepcopy(composed)
    for override in OverridesParser.create().parse_overrides([a for a in arguments if a not in choices]):
        with open_dict(config):
            OmegaConf.update(config, override.key_or_group, override.value(), force_add=bool(override.is_add()))
    with read_write(hydra_config.hydra):
        hydra_config.hydra.runtime.output_dir = str(folder)
    # as Hydra does before it calls the task
    folder.mkdir(exist_ok=True, parents=True)
    module = importlib.import_module(f"src.{command}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(HydraConfig.instance(), "cfg", None)
        HydraConfig.instance().set_config(hydra_config)
        return _watched(lambda: module.main(config), [])


@lru_cache(maxsize=64)
def _composed(command: str, *choices: str) -> tuple[DictConfig, DictConfig]:
    """With Hydra's own part, and without it."""
    schema.register()
    naming.register()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        whole = compose(command, [*choices, "hydra.mode=RUN"], return_hydra_config=True)
    task = copy.deepcopy(whole)
    with open_dict(task):
        del task["hydra"]
    return whole, task


def _watched(task: Callable[[], Any], arguments: list[str]) -> tuple[int, list[str]]:
    root, on_interrupt = logging.getLogger(), signal.getsignal(signal.SIGINT)
    handlers, level = list(root.handlers), root.level
    said, code = io.StringIO(), 0
    with pytest.MonkeyPatch.context() as patch, redirect_stderr(said), redirect_stdout(io.StringIO()):
        patch.setattr(HydraConfig.instance(), "cfg", HydraConfig.instance().cfg)
        if arguments:
            patch.setattr(sys, "argv", arguments)
            patch.setattr(HydraConfig.instance(), "cfg", None)
        try:
            result = task()
            code = result if isinstance(result, int) else 0
        except SystemExit as end:
            if isinstance(end.code, str):  # as the interpreter does
                print(end.code, file=sys.stderr)
            code = end.code if isinstance(end.code, int) else int(bool(end.code))
        finally:
            GlobalHydra.instance().clear()
            root.handlers[:] = handlers
            root.setLevel(level)
    assert signal.getsignal(signal.SIGINT) is on_interrupt
    # a progress bar writes over its line, and clears it in the end
    lines = [BAR.sub("", line.rpartition("\r")[2]).strip() for line in said.getvalue().split("\n")]
    return code, [line for line in lines if line]


def listing(*folders: Path) -> dict[str, tuple[int, int]]:
    """Size and time of every file in the folders, and the folders."""
    return {
        str(path): (path.lstat().st_size, path.lstat().st_mtime_ns) if path.is_file() else (0, 0)
        for folder in folders
        for path in folder.rglob("*")
    }


def assert_refused(answer: tuple[int, list[str]], message: str) -> None:
    """One line that names the thing and the mend, and exit code 1."""
    code, lines = answer
    assert code == 1, lines
    assert len(lines) == 1, lines
    assert re.search(message, lines[0]), lines[0]
