"""Answers `python src/data/check.py` as src/src.py answers the commands."""

import runpy
from pathlib import Path

runpy.run_path(str(Path(__file__).resolve().parent.parent / "src.py"))
