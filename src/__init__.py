"""Attention-sampled PatchNCE for unpaired image translation."""

import logging
import sys

if sys.version_info[:2] < (3, 11):  # noqa: UP036 - whoever has not installed it is told
    sys.exit(f"Python 3.11 to 3.13 is needed, this is {sys.version.split()[0]}; make install PYTHON=python3.12")

from importlib.util import find_spec

if find_spec("torch") is None:
    sys.exit(
        f"{sys.executable}: holds no PyTorch; make install once, then: source .venv/bin/activate, "
        "or .venv/bin/python -m ..."
    )

if sys.platform == "win32":
    sys.exit("attention-cut runs on Linux and macOS; on Windows, install and start it inside WSL 2")

# says in two long lines that it has no home folder to keep its list of fonts in
logging.getLogger("matplotlib").setLevel(logging.ERROR)
