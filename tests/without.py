"""python -m tests.without <package> <command>: the command where the package is not installed."""

import runpy
import sys

if __name__ == "__main__":
    _, package, *sys.argv = sys.argv
    sys.modules[package] = None  # type: ignore[assignment]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
