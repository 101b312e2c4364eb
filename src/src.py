"""What `src` means to a command that was started by its path or from another folder: says how it is started.

python src/train.py
cd src; python -m src.train
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_given = sys.orig_argv[1:]
if "-m" in _given[:-1]:
    _name = _given[_given.index("-m") + 1]
    sys.exit(f"{_name}: commands are started from the checkout's own folder: cd {ROOT} && python -m {_name} ...")
_file = getattr(sys.modules["__main__"], "__file__", None) or "src/train.py"
_started = Path(_file).resolve()
_name = ".".join(_started.relative_to(ROOT).with_suffix("").parts) if _started.is_relative_to(ROOT) else "src.train"
_name = _name.removesuffix(".__main__")
sys.exit(f"{_file}: commands are started as modules; from {ROOT}: python -m {_name} ...")
