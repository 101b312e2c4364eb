"""A command run as a user types it, but in this process: what it says, how it ends, what it leaves."""

import importlib
import io
import logging
import re
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig

HYDRAS = re.compile(r"Error executing job with overrides: \[.*\]")


def run(command: str, arguments: list[str]) -> tuple[int, list[str]]:
    """Exit code, and the lines on stderr."""
    module = importlib.import_module(f"src.{command}")
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    said, code = io.StringIO(), 0
    with pytest.MonkeyPatch.context() as patch, redirect_stderr(said), redirect_stdout(io.StringIO()):
        patch.setattr(sys, "argv", [f"src/{command}.py", *arguments])
        patch.setattr(HydraConfig.instance(), "cfg", None)
        try:
            code = (module.main(arguments) or 0) if command == "report" else (module.main() and 0) or 0
        except SystemExit as end:
            if isinstance(end.code, str):
                print(end.code, file=sys.stderr)
            code = end.code if isinstance(end.code, int) else 1 if end.code else 0
        finally:
            GlobalHydra.instance().clear()
            root.handlers[:] = handlers
            root.setLevel(level)
    # a progress bar writes over its line and clears it in the end
    lines = [line.rpartition("\r")[2].strip() for line in said.getvalue().splitlines()]
    return code, [line for line in lines if line]


def listing(*folders: Path) -> dict[str, tuple[int, int]]:
    """Size and time of all that lies in the folders."""
    return {
        str(path): (path.lstat().st_size if path.is_file() else 0, path.lstat().st_mtime_ns if path.is_file() else 0)
        for folder in folders
        for path in folder.rglob("*")
    }


def refused(command: str, arguments: list[str], message: str, *folders: Path) -> None:
    """Assert the contract: one line that names the thing and the mend, exit code 1, nothing written."""
    before = listing(*folders)
    code, lines = run(command, arguments)
    own = [line for line in lines if not HYDRAS.fullmatch(line)]
    assert code == 1, lines
    assert len(own) == 1, lines
    assert re.search(message, own[0]), own[0]
    assert listing(*folders) == before


def refused_by_hydra(command: str, arguments: list[str], message: str, *folders: Path) -> None:
    """The same where Hydra itself refuses, in a few lines of its own; ours is the last."""
    before = listing(*folders)
    code, lines = run(command, arguments)
    assert code == 1, lines
    assert not any("Traceback" in line for line in lines), lines
    assert re.search(message, lines[-1]), lines
    assert listing(*folders) == before
