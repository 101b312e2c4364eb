"""Of interpreters that tests start: to look for garbage among what was imported takes a fifth of the imports."""

import gc
import sys
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from os.path import dirname

gc.set_threshold(200_000, 20, 20)
# the machine's own, which this one stands before
if spec := PathFinder.find_spec("sitecustomize", [place for place in sys.path if place != dirname(__file__)]):
    spec.loader.exec_module(module_from_spec(spec))
