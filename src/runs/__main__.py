"""List the runs in a folder; remove runs.

python -m src.runs                                  the runs in outputs/
python -m src.runs outputs/sweeps/<sweep> --json
python -m src.runs rm <run> ... [--yes]             says what would go; --yes removes it
python -m src.runs rm --checkpoints <run> ...       what takes the space, of finished runs
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rich import box
from rich.console import Console
from rich.filesize import decimal
from rich.markup import escape
from rich.table import Table
from tqdm import tqdm

from src.runs import removal
from src.runs.find import find
from src.runs.survey import FoundRun, describe
from src.system import stopping
from src.system.arguments import Arguments
from src.system.errors import UserError
from src.system.files import print_any_name

OUTPUTS = Path("outputs")
LEAST_WIDTH = 105
NAME = "python -m src.runs"


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; a user's mistake becomes one line and exit code 1."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    print_any_name()
    try:
        if given[:1] == ["rm"]:
            _remove(_rm_parser().parse_intermixed_args(given[1:]))
        else:
            _list(_list_parser().parse_args(given))
    except UserError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _list_parser() -> argparse.ArgumentParser:
    parser = Arguments(NAME, f"{__doc__}\nTo remove runs: {NAME} rm --help; read on: docs/runs.md")
    parser.add_argument("folder", nargs="?", type=Path, default=OUTPUTS, metavar="FOLDER", help="outputs by default")
    parser.add_argument("--json", action="store_true", help="for machines, on stdout")
    return parser


def _rm_parser() -> argparse.ArgumentParser:
    parser = Arguments(f"{NAME} rm", "Remove runs, or their checkpoints. Without --yes it only says what would go.")
    parser.add_argument("runs", nargs="+", metavar="RUN", help="its name, as the list shows it, or its path")
    parser.add_argument("--folder", type=Path, default=OUTPUTS, help="where the runs lie; outputs by default")
    parser.add_argument("--checkpoints", action="store_true", help="only the checkpoints, of finished runs")
    parser.add_argument("--yes", action="store_true", help="really remove")
    return parser


def _list(options: argparse.Namespace) -> None:
    folders = list(find(options.folder))
    runs = [
        describe(folder, folder.relative_to(options.folder).as_posix())
        for folder in tqdm(folders, unit="run", file=sys.stderr, leave=False, delay=1)
    ]
    runs.sort(key=lambda run: (run.data, run.variant, -1 if run.seed is None else run.seed, run.name))
    if options.json:
        print(json.dumps(_record(runs, options.folder), indent=2))
        return
    if not runs:
        raise UserError(f"{options.folder}: holds no run; name a folder that does")
    console = Console()
    # a pipe has no width, and cuts nothing; a narrow terminal breaks lines itself, which loses nothing
    console.width = max(console.width, LEAST_WIDTH) if console.is_terminal else 1000
    console.print(_table(runs, datetime.now(UTC)), soft_wrap=False)
    for run in runs:
        if run.reason:
            console.print(f"{run.name}: {run.reason}", style="red", highlight=False, markup=False, soft_wrap=True)


def _record(runs: Sequence[FoundRun], folder: Path) -> dict[str, object]:
    listed = [{**asdict(run), "folder": str(run.folder), "changed": run.changed.isoformat()} for run in runs]
    return {"folder": str(folder), "runs": listed, "totals": _totals(runs)}


def _totals(runs: Sequence[FoundRun]) -> dict[str, int]:
    states = {state: sum(run.state == state for run in runs) for state in ("finished", "running", "stopped", "broken")}
    return {
        "runs": len(runs),
        **states,
        "bytes": sum(run.bytes for run in runs),
        "checkpoint_bytes": sum(run.checkpoint_bytes for run in runs),
    }


def _table(runs: Sequence[FoundRun], now: datetime) -> Table:
    totals, short = _totals(runs), _short(runs)
    counts = ", ".join(f"{totals[state]} {state}" for state in ("finished", "running", "stopped", "broken"))
    lines = [
        f"{len(runs)} {'run' if len(runs) == 1 else 'runs'} ({counts}); {decimal(totals['bytes'])}, "
        f"of which checkpoints {decimal(totals['checkpoint_bytes'])}",
        *(f"{name}: {score}" for score, name in short.items() if score != name),
    ]
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), caption=escape("\n".join(lines)), caption_justify="left")
    table.add_column("run", overflow="fold", min_width=16)
    for heading in ("variant", "data"):
        table.add_column(heading, no_wrap=True)
    for heading in ("seed", "steps", "score", "age", "size"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("state", no_wrap=True)
    for run in runs:
        table.add_row(
            escape(run.name),
            escape(run.variant),
            escape(run.data),
            "" if run.seed is None else str(run.seed),
            _steps(run),
            "" if run.score is None else escape(f"{short[run.score]} {run.value:.3f}"),
            _age(now - run.changed),
            decimal(run.bytes),
            f"[{_COLOURS[run.state]}]{run.state}[/]",
        )
    return table


def _short(runs: Sequence[FoundRun]) -> dict[str, str]:
    """What to call each score: by its family ("kid"), where all runs have the same of the family."""
    scores = sorted({run.score for run in runs if run.score is not None})
    families = [score.partition("_")[0] for score in scores]
    return {s: f if families.count(f) == 1 else s for s, f in zip(scores, families, strict=True)}


_COLOURS = {"finished": "green", "running": "cyan", "stopped": "yellow", "broken": "red"}


def _steps(run: FoundRun) -> str:
    done = "?" if run.steps is None else f"{run.steps}"
    return done if run.steps is not None and run.steps == run.planned else f"{done}/{run.planned or '?'}"


def _age(since: timedelta) -> str:
    seconds = since.total_seconds()
    for length, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{max(0, seconds):.0f} s"


def _remove(options: argparse.Namespace) -> None:
    if not options.folder.is_dir():
        raise UserError(f"{options.folder}: no such folder; name the one that holds the runs with --folder")
    planned = removal.plan(options.runs, options.folder, checkpoints=options.checkpoints)
    for each in planned:
        if options.yes:
            removal.remove(each)
        what = "checkpoints" if options.checkpoints else ", ".join(filter(None, (each.run.variant, each.run.state)))
        print(f"{'removed' if options.yes else 'would remove'} {each.run.folder} ({what}): {decimal(each.bytes)}")
    total = decimal(sum(each.bytes for each in planned))
    print(f"{total} freed" if options.yes else f"nothing removed; --yes frees {total}", file=sys.stderr)


if __name__ == "__main__":
    with stopping.ending("stopped"):
        sys.exit(main())
