"""As src/src.py, for python src/runs/__main__.py."""

import runpy
from pathlib import Path

runpy.run_path(str(Path(__file__).resolve().parent.parent / "src.py"))
