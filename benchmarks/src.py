"""As src/src.py, for a command that is started from this folder."""

import runpy
from pathlib import Path

runpy.run_path(str(Path(__file__).resolve().parent.parent / "src" / "src.py"))
