"""Answers `--help` before a command imports PyTorch and Lightning, which takes longer than anyone waits for help."""

import sys
from pathlib import Path
from typing import Any

import hydra

from src import naming, schema

CONF = str(Path(__file__).resolve().parent.parent / "conf")


def answer_help(command: str) -> None:
    """If the command line asks for help, print what Hydra reads from conf/ alone and exit; else do nothing.

    Args:
        command: stem of the root in conf/.
    """
    if not {"--help", "-h"} & set(sys.argv[1:]):
        return
    schema.register()
    naming.register()

    def nothing(config: Any) -> None:
        raise AssertionError("Hydra runs nothing when it is asked for help")

    sys.argv.append(f"hydra.job.name={command}")  # its heading; Hydra would take this file's name
    hydra.main(version_base="1.3", config_path=CONF, config_name=command)(nothing)()
    sys.exit()
