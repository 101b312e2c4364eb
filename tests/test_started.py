"""What interpreters find that tests start, beside what a user's do."""

import os
import subprocess
import sys
from pathlib import Path

STARTED = Path(__file__).resolve().parent / "started"


def said(code: str, *folders: Path) -> str:
    own = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, folders))}
    done = subprocess.run([sys.executable, "-c", code], env=own, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_the_machines_own_customisation_is_made_too(tmp_path: Path):
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.customised = __file__\n")
    code = "import gc, sys; print(gc.get_threshold()[0], getattr(sys, 'customised', None))"
    assert said(code, STARTED, tmp_path) == f"200000 {tmp_path / 'sitecustomize.py'}\n"
