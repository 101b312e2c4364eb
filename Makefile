PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# what translates and trains; where `make install` was, its extras are kept as they are
BASE := $(or $(wildcard $(READY)),$(VENV)/.base)
# TORCH=cpu: PyTorch without NVIDIA's libraries; its versions end in +cpu, which pip takes for newer than those of PyPI
INDEX := $(if $(filter cpu,$(TORCH)),--extra-index-url https://download.pytorch.org/whl/cpu )
NAME_ONE = name one: make $(firstword $(MAKECMDGOALS) install) PYTHON=python3.12

.DEFAULT_GOAL := help
.PHONY: help install try demo test faults bench verify-gpu docs check format clean

help:  ## list these targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

install: $(READY)  ## create .venv with the exact versions of constraints.txt and every extra, as `make check test` need it

$(READY): pyproject.toml constraints.txt
	$(call set_up,.[dev])

$(VENV)/.base: pyproject.toml constraints.txt
	$(call set_up,.)

define set_up
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON): no such command; $(NAME_ONE)" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 11) <= v <= (3, 13) else "Python 3.11 to 3.13 is needed, this is %d.%d; $(NAME_ONE)" % v)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(INDEX)-c constraints.txt -e '$(1)'
	@touch $@
endef

try: $(BASE)  ## translate four frames with the shipped weights, no training (half a minute), and say where they lie
	$(BIN)/python examples/translate_streets.py outputs/try

demo: $(BASE)  ## train CUT in miniature on the built-in data and say where the result lies
	$(BIN)/python -m src.train attention=none hydra.run.dir=outputs/demo_$$(date +%Y-%m-%d_%H-%M-%S)

test: $(READY)  ## run the test suite
	$(BIN)/python -m pytest

faults: $(READY)  ## kill -9 real trainings at 12 random moments and resume them (five minutes on two cores)
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.faults
	$(BIN)/python -m pytest -m slow tests/test_endings.py

bench: $(READY)  ## time a step, the data and a translation (an hour on two cores; docs/performance.md)
	$(BIN)/python benchmarks/step.py
	$(BIN)/python benchmarks/growth.py
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/data.py
	OMP_NUM_THREADS=2 $(BIN)/python benchmarks/translate.py

verify-gpu: $(READY)  ## say of trainer=gpu, a verdict a line, what only a GPU can show (about ten minutes)
	$(BIN)/python benchmarks/verify_gpu.py

docs: $(READY)  ## build the documentation into site/; a warning is an error
	$(BIN)/python -m website.build

check: $(READY)  ## formatting, lint, types, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY)  ## format and mend what ruff can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:  ## remove .venv, site and caches; outputs and data stay
	rm -rf $(VENV) site .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis *.egg-info
	find src tests examples -name __pycache__ -type d -exec rm -rf {} +
