"""What `src` means to a command that was started by its path, python src/train.py: says how it is started."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_file = getattr(sys.modules["__main__"], "__file__", None) or "src/train.py"
_started = Path(_file).resolve()
_name = ".".join(_started.relative_to(ROOT).with_suffix("").parts) if _started.is_relative_to(ROOT) else "src.train"
_name = _name.removesuffix(".__main__")
sys.exit(f"{_file}: commands are started as modules; from {ROOT}: python -m {_name} ...")
