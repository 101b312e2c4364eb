"""The ablation table of finished runs: table.md, .csv, .tex and .png, runs.csv with every seed's scores, report.html.

python -m src.report outputs/sweeps/...
python -m src.report outputs/study        the downstream table of a study
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

PARSER = argparse.ArgumentParser(prog="python -m src.report", description="The ablation table of finished runs.")
PARSER.add_argument(
    "folders", nargs="+", type=Path, metavar="FOLDER", help="runs, sweeps, folders of those, or one study"
)
PARSER.add_argument("--output", type=Path, help="where the files go; by default into the one folder named")

if __name__ == "__main__":
    PARSER.parse_args()  # --help is answered before the imports below, which take seconds

from hydra.core.utils import JobReturn
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from lightning.pytorch.utilities import rank_zero_only
from omegaconf import DictConfig

from src import downstream
from src.page.render import render
from src.system.errors import UserError
from src.system.files import as_bytes, print_any_name, write
from src.table import figure, text
from src.table.collect import collect
from src.table.table import Table, tabulate
from src.tracking.table import log_report

PAGE = "report.html"


def report(folders: Sequence[Path], output: Path) -> Table:
    """Write the table of all runs in `folders` into `output`, and the page that shows them.

    Several jobs may do so at once: each writes again until no run has ended in the meantime, so the last one to write
    has seen them all.

    Raises UserError as `collect` and `tabulate` do, or if `output` cannot be written.
    """
    collection = collect(folders)
    while True:
        table = tabulate(collection)
        _write(table, output)
        _write_files({PAGE: render(table, collection)}, output)
        seen, collection = collection, collect(folders)
        if collection == seen:
            return table


def _write(table: Table, output: Path) -> None:
    files = {
        "table.md": as_bytes(text.markdown(table)),
        "table.csv": as_bytes(text.rows_csv(table)),
        "table.tex": as_bytes(text.latex(table)),
        "runs.csv": as_bytes(text.runs_csv(table)),
        "table.png": figure.draw(table),
    }
    _write_files(files, output)


def _write_files(files: Mapping[str, bytes], output: Path) -> None:
    try:
        output.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            write(output / name, content)
    except OSError as error:
        raise UserError(f"{output}: cannot be written ({error.strerror}); free or choose another place") from error


class SweepTable(Callback):
    """Keeps the table in a sweep's folder: after each of its jobs, so that no later failure costs it, and at its end.

    A job in a process of its own, here or on another machine, does so itself.
    """

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **kwargs: Any) -> None:
        """Write the table of the jobs that have ended so far."""
        if config.hydra.mode == RunMode.MULTIRUN:
            _keep(config)

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Write it once more: a job that was killed elsewhere could not."""
        table = _keep(config)
        wandb = config.get("logger", {}).get("wandb")
        if table is not None and wandb is not None:
            sweep = Path(config.hydra.sweep.dir)
            log_report(sweep, table.records(), project=wandb.project, entity=wandb.entity, mode=wandb.mode)


@rank_zero_only
def _keep(config: DictConfig) -> Table | None:
    sweep = Path(config.hydra.runtime.cwd) / config.hydra.sweep.dir
    try:
        table = report([sweep], sweep)
    except UserError as error:
        print(f"no table: {error}", file=sys.stderr)
        return None
    print(f"table: {sweep / 'table.md'}", file=sys.stderr)
    return table


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point: prints table.md; a user's mistake becomes one line and exit code 1."""
    options = PARSER.parse_args(arguments)
    print_any_name()
    try:
        if options.output is None and len(options.folders) > 1:
            raise UserError("several folders: say where the table goes with --output")
        output = options.output or options.folders[0]
        if len(options.folders) == 1 and (options.folders[0] / downstream.STUDY).is_file():
            print(downstream.report(downstream.load(options.folders[0]), output), end="")
            print(f"written: {output}/table.md, .csv and .tex", file=sys.stderr)
            return 0
        table = report(options.folders, output)
    except UserError as error:
        print(error, file=sys.stderr)
        return 1
    print(text.markdown(table), end="")
    print(f"written: {output}/table.md, .csv, .tex, .png, runs.csv and {PAGE}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
