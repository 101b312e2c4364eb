"""The downstream table: what segmenters trained on each set score on real images, and how much of the gap is closed."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from statistics import fmean

from src.system.errors import UserError, unwritable
from src.system.files import as_bytes, write
from src.tables.cells import csv_of, escape, markdown_table, tabular
from src.tables.table.rows import BASE
from src.tables.table.statistics import Paired, interval, paired, summary

RAW, REAL = "raw source", "real (oracle)"
STUDY = "study.json"
"""All that a study measured; the tables are made of it."""


@dataclass(frozen=True)
class Cell:
    """One trained segmenter.

    Attributes:
        row: the kind of set it was trained on.
        translator: which translator made the set; "" where none did.
        seed: of the segmenter.
        metrics: its scores on the real test set.
    """

    row: str
    translator: str
    seed: int
    metrics: Mapping[str, float]


@dataclass(frozen=True)
class Study:
    """Segmenters of one study.

    Attributes:
        cells: in the order of the rows.
        watched: the class that has a column of its own.
        protocol: what the scores need beside them.
    """

    cells: Sequence[Cell]
    watched: str
    protocol: Mapping[str, object]


@dataclass(frozen=True)
class StudyRow:
    """One row of the table; IoU and accuracy lie in [0, 1].

    With several translators a value is one translator's mean over segmenter seeds, with one it is one seed's.

    Attributes:
        row: the kind of set.
        n: number of values.
        unit: what a value is: a translator or a seed.
        means: of every score.
        std: of the mean IoU, n - 1 in the denominator; None for a single value.
        interval: 95 % interval of the mean IoU (Student's t); None for a single value.
        gap_closed: (mean - raw) / (real - raw) of the mean IoU; None without either, or where real is no better.
        gap_error: its standard error, the three means taken as independent; None for raw, real and single values.
        over: the mean IoU less that of another row (raw, CUT), paired by the segmenter's seed.
    """

    row: str
    n: int
    unit: str
    means: Mapping[str, float]
    std: float | None
    interval: tuple[float, float] | None
    gap_closed: float | None
    gap_error: float | None = None
    over: Mapping[str, Paired] = field(default_factory=dict)


def save(study: Study, folder: Path) -> str:
    """Write study.json and what `report` writes; returns table.md."""
    write(folder / STUDY, (json.dumps(asdict(study), indent=2) + "\n").encode())
    return report(study, folder)


def load(folder: Path) -> Study:
    """The study kept in `folder`; raises UserError if its file cannot be read."""
    path = folder / STUDY
    try:
        content = json.loads(path.read_text())
        cells = [
            Cell(
                str(cell["row"]),
                str(cell["translator"]),
                int(cell["seed"]),
                {str(name): float(value) for name, value in cell["metrics"].items()},
            )
            for cell in content["cells"]
        ]
        study = Study(cells, str(content["watched"]), dict(content["protocol"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path}: not a study ({error!r}); make it again with src.study") from error
    if any(name not in cell.metrics for cell in cells for name in ("miou", "accuracy")):
        raise UserError(f"{path}: a segmenter has no miou or accuracy; make it again with src.study")
    return study


def report(study: Study, folder: Path) -> str:
    """Write table.md, .csv and .tex, the same bytes for the same study, into a folder, made if missing.

    Returns table.md. Raises UserError if they cannot be written.
    """
    lines = tabulate(study.cells)
    table = markdown(lines, study.watched, study.protocol)
    files = {"table.md": table, "table.csv": table_csv(lines), "table.tex": latex(lines, study.watched)}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            write(folder / name, as_bytes(text))
    except OSError as error:
        raise UserError(unwritable(error)) from error
    return table


def tabulate(cells: Sequence[Cell]) -> list[StudyRow]:
    """Lines in the order in which their rows first appear; raises UserError if there is no cell."""
    if not cells:
        raise UserError("the study has no finished segmenter yet")
    rows = list(dict.fromkeys(cell.row for cell in cells))
    members = {row: [cell for cell in cells if cell.row == row] for row in rows}
    lines = [_line(row, members[row]) for row in rows]
    ends = {line.row: line for line in lines if line.row in (RAW, REAL)}
    seeds = {row: _by_seed(members[row]) for row in rows}
    return [_compared(line, ends, seeds) for line in lines]


def _compared(line: StudyRow, ends: Mapping[str, StudyRow], seeds: Mapping[str, Mapping[int, float]]) -> StudyRow:
    """With its share of the gap and its pairs."""
    others = [other for other in (RAW, BASE) if other in seeds and line.row not in (other, RAW)]
    over = {other: pair for other in others if (pair := paired(seeds[line.row], seeds[other])) is not None}
    if len(ends) < 2 or (gap := ends[REAL].means["miou"] - ends[RAW].means["miou"]) <= 0:
        return replace(line, over=over)
    closed = (line.means["miou"] - ends[RAW].means["miou"]) / gap
    weights = ((line, 1.0), (ends[RAW], 1 - closed), (ends[REAL], closed))
    squares = [weight**2 * one.std**2 / one.n for one, weight in weights if one.std is not None]
    error = sum(squares) ** 0.5 / gap if len(squares) == 3 and line.row not in ends else None
    return replace(line, gap_closed=closed, gap_error=error, over=over)


def _by_seed(cells: Sequence[Cell]) -> dict[int, float]:
    """Mean IoU by the segmenter's seed, over translators."""
    return {one: fmean(cell.metrics["miou"] for cell in cells if cell.seed == one) for one in {c.seed for c in cells}}


def _line(row: str, cells: Sequence[Cell]) -> StudyRow:
    translators = list(dict.fromkeys(cell.translator for cell in cells))
    several = len(translators) > 1
    groups = [[c for c in cells if c.translator == t] for t in translators] if several else [[c] for c in cells]
    values = [fmean(cell.metrics["miou"] for cell in group) for group in groups]
    whole = summary(values)
    names = [name for name in cells[0].metrics if all(name in cell.metrics for cell in cells)]
    means = {name: fmean(fmean(cell.metrics[name] for cell in group) for group in groups) for name in names}
    return StudyRow(row, whole.n, "translator" if several else "seed", means, whole.std, interval(values), None)


def markdown(lines: Sequence[StudyRow], watched: str, protocol: Mapping[str, object]) -> str:
    """Percent, the table first, then what the numbers rest on."""
    table = markdown_table(_header(watched), [_texts(line, watched) for line in lines])
    notes = [
        "mIoU ± standard deviation and its 95 % interval (Student's t) over n seeds of the segmenter or, where "
        "several translators share a row, over translators. Gap closed: (row - raw) / (real - raw), of the means, ± "
        "its standard error, the three means taken as independent.",
    ]
    if differences := _differences(lines):
        notes.insert(0, differences)
        notes.append(
            "Differences are paired by the segmenter's seed, which is the translator's too where a study is paired, "
            "with their 95 % interval (Student's t, not corrected for their number): rows whose own intervals overlap "
            "may differ all the same."
        )
    if several := [line.row for line in lines if line.row.startswith(f"{BASE} (")]:
        notes.append(
            f"Differences from {BASE} are missing, as its runs are of several configurations ({', '.join(several)}): "
            "name the runs of one alone."
        )
    if any(line.n == 1 for line in lines):
        notes.append("n = 1 is one draw: such rows show no order.")
    notes.append("Protocol: " + "; ".join(f"{key}: {value}" for key, value in protocol.items()) + ".")
    return "\n\n".join([table, *notes]) + "\n"


def _differences(lines: Sequence[StudyRow]) -> str:
    rows = [
        [line.row, other, str(pair.n), f"{100 * pair.difference:+.2f} [{100 * pair.low:+.2f}, {100 * pair.high:+.2f}]"]
        for line in lines
        for other, pair in line.over.items()
    ]
    headings = ["trained on", "less", "pairs", "mIoU, points [95 % interval]"]
    return markdown_table(headings, rows, left=2) if rows else ""


def latex(lines: Sequence[StudyRow], watched: str) -> str:
    """A `tabular` for booktabs."""
    headings, *rows = (
        [escape(cell) for cell in row] for row in (_header(watched), *(_texts(line, watched) for line in lines))
    )
    return "\n".join(tabular(headings, rows)) + "\n"


def table_csv(lines: Sequence[StudyRow]) -> str:
    """Every digit, and every class."""
    names = list(dict.fromkeys(name for line in lines for name in line.means))
    closed = ["gap_closed", "gap_closed:error"]
    pairs = [f"over {other}{end}" for other in (RAW, BASE) for end in ("", ":low", ":high")]
    header = ["row", "n", "unit", "miou:std", "miou:low", "miou:high", *closed, *pairs, *names]
    rows = []
    for line in lines:
        low, high = line.interval or (None, None)
        means = [line.means.get(name) for name in names]
        found = [line.over.get(other) for other in (RAW, BASE)]
        over = [value for one in found for value in ((one.difference, one.low, one.high) if one else (None,) * 3)]
        gap = [line.gap_closed, line.gap_error]
        rows.append([line.row, line.n, line.unit, line.std, low, high, *gap, *over, *means])
    return csv_of(header, rows)


def _header(watched: str) -> list[str]:
    return ["trained on", "n", "mIoU, %", "95 % interval", "gap closed", "accuracy, %", f"IoU {watched}, %"]


def _texts(line: StudyRow, watched: str) -> list[str]:
    spread = "" if line.std is None else f" ± {100 * line.std:.2f}"
    error = "" if line.gap_error is None else f" ± {line.gap_error:.2f}"
    ends = "-" if line.interval is None else f"[{100 * line.interval[0]:.2f}, {100 * line.interval[1]:.2f}]"
    return [
        line.row,
        f"{line.n} {line.unit}{'s' if line.n > 1 else ''}",
        f"{100 * line.means['miou']:.2f}{spread}",
        ends,
        "-" if line.gap_closed is None else f"{line.gap_closed:.2f}{error}",
        f"{100 * line.means['accuracy']:.2f}",
        f"{100 * line.means[f'iou/{watched}']:.2f}" if f"iou/{watched}" in line.means else "-",
    ]
