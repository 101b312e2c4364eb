"""python -m tests.runs.opening <folder>: whether another process may train there, in one line."""

import sys
from pathlib import Path

from omegaconf import OmegaConf

from src.runs.run import opened
from src.system.errors import UserError

if __name__ == "__main__":
    try:
        with opened(Path(sys.argv[1]), OmegaConf.create(), resume=False):
            print("opened")
    except UserError as error:
        print(error)
