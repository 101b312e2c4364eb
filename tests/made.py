"""make as a user types it, whichever make may have started the tests."""

import os
import subprocess
from pathlib import Path


def made(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    own = {key: value for key, value in os.environ.items() if key not in ("MAKELEVEL", "MAKEFLAGS", "MFLAGS")}
    return subprocess.run(["make", *arguments], cwd=folder, env=own, capture_output=True, text=True)
