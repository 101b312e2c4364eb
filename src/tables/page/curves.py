"""The curves of a page: what the runs logged, a chart a quantity, a line a row."""

from collections.abc import Sequence
from dataclasses import dataclass

from src.networks.generator import TAPS
from src.runs.logs import Log, read
from src.system.errors import UserError
from src.tables.page.charts import over_epochs, uri
from src.tables.table.columns import headlines
from src.tables.table.rows import Row

MOST = 24
"""Charts of a group; a log that names more is no run's."""
_ASIDE = ("train/data_wait",)  # a time, no term
SCORES = "Scores by epoch"
GRADIENTS = (
    "Euclidean norm of what each part was stepped by, and the rate of the optimiser: as logged, mean over epochs."
)
SPREAD = (
    "Coverage: share of the cells of an 8 x 8 partition of the map that hold a chosen place, on the images trained on. "
    "Reached: share of the map's places chosen at least once so far, on four validation frames."
)


@dataclass(frozen=True)
class Group:
    """Charts that belong together: a heading, a sentence, and for each its title and the address of its picture."""

    heading: str
    about: str
    charts: Sequence[tuple[str, str]]


def curves(rows: Sequence[Row], scores: Sequence[str]) -> tuple[list[Group], list[str]]:
    """The groups that have a chart, and what is missing, in words.

    Args:
        rows: of the table.
        scores: its columns' names; the charts follow their order.
    """
    logs, missing = dict[str, list[Log]](), list[str]()
    for row in rows:
        for run in row.runs.values():
            try:
                log = read(run.folder)
            except UserError:
                missing.append(f"The log of {run.name} cannot be read.")
                continue
            if log:
                logs.setdefault(row.label, []).append(log)
    if lacking := [row.label for row in rows if row.label not in logs]:
        missing.append(f"No log of training is kept of {', '.join(lacking)}.")
    names = list(dict.fromkeys(name for of_row in logs.values() for log in of_row for name in log))
    groups = []
    for heading, about, titles, ends in (
        (SCORES, "Of the averaged generator on the validation frames.", _scores(names, scores), None),
        ("Terms of the objective", "As logged in training, mean over each epoch.", _terms(names), None),
        ("Gradients", GRADIENTS, _gradients(names), None),
        ("How the chosen places spread", SPREAD, _spread(names), (0.0, 1.0)),
    ):
        charts = []
        for name, title in list(titles.items())[:MOST]:
            values = [[log[name] for log in logs.get(row.label, ()) if name in log] for row in rows]
            charts.append((title, uri(over_epochs(values, ends))))
        if charts:
            groups.append(Group(heading, about, charts))
    if logs and not any(group.heading == SCORES for group in groups):
        missing.append("No scores by epoch were logged; train with metrics.every_n_epochs=1 to have them.")
    return groups, missing


def _scores(names: Sequence[str], order: Sequence[str]) -> dict[str, str]:
    """Names in the log, with their titles: the table's scores first, no deviations."""
    logged = headlines([name.removeprefix("val/") for name in names if name.startswith("val/")])
    known = [name for name in order if name in logged]
    return {f"val/{name}": name for name in dict.fromkeys([*known, *logged])}


def _terms(names: Sequence[str]) -> dict[str, str]:
    return {name: name.removeprefix("train/") for name in names if name.startswith("train/") and name not in _ASIDE}


def _gradients(names: Sequence[str]) -> dict[str, str]:
    parts = {name: name.removeprefix("gradient/") for name in names if name.startswith("gradient/")}
    return {**parts, "optimizer/rate": "rate"} if parts else {}


def _spread(names: Sequence[str]) -> dict[str, str]:
    """A quantity after the other, each by tap."""
    taps = {f"places/{tap}_{quantity}": f"{tap} {quantity}" for quantity in ("coverage", "reached") for tap in TAPS}
    return {name: title for name, title in taps.items() if name in names}
