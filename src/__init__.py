"""Attention-sampled PatchNCE for unpaired image translation."""

import logging
import sys

if sys.platform == "win32":
    sys.exit("attention-cut runs on Linux and macOS; on Windows, install and start it inside WSL 2")

# says in two long lines that it has no home folder to keep its list of fonts in
logging.getLogger("matplotlib").setLevel(logging.ERROR)
