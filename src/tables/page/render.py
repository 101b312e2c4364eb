"""The page itself: what the folders hold, poured into a template that escapes it."""

import hashlib
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from src.data.images import Pixels, read_image
from src.metrics import references
from src.runs.folder import CONTENT_PICTURE, IMAGES
from src.system.errors import UserError
from src.tables.page.charts import key, uri
from src.tables.page.commands import commands
from src.tables.page.curves import curves
from src.tables.page.frames import ComparedFrame, frames
from src.tables.page.pictures import BUDGET, encoded
from src.tables.table import figure, protocol, text
from src.tables.table.collect import Collection, ScoredRun
from src.tables.table.rows import BASE
from src.tables.table.table import Table

HERE = Path(__file__).resolve().parent
WIDTH = 1080
"""CSS pixels of what stands on the page, where the window has them."""


def render(table: Table, collection: Collection) -> bytes:
    """The page, UTF-8; the same folders give the same bytes.

    What a folder does not hold is said on the page; nothing that is missing or cannot be read raises.
    """
    shown = {row.label: next(iter(row.runs.values())) for row in table.rows}
    found, no_frames = frames(shown)
    panels, no_panels = _pictures(shown, _panel, "panel of score maps")
    worst, no_worst = _pictures(shown, lambda run: run.folder / CONTENT_PICTURE, CONTENT_PICTURE)
    images = [image for frame in found for image in (frame.source, *frame.outputs.values())]
    pictures, taken = encoded([*images, *panels.values(), *worst.values()])
    each = iter(pictures)
    groups, no_curves = curves(table.rows, [column.key for column in table.columns])
    lines, unknown = commands(collection.finished)
    style, script = ((HERE / name).read_text() for name in ("page.css", "page.js"))
    style += f".panel.alike {{ height: {_height(panels.values())}px; }}\n"
    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    page = environment.get_template("page.html.jinja").render(
        style=Markup(style),
        script=Markup(script),
        style_hash=_hash(style),
        script_hash=_hash(script),
        table=table,
        base=BASE,
        references=list(references.ROWS.values()),
        seeds=sorted({run.seed for run in collection.finished}),
        headings=[f"{column.heading} {column.arrow}".strip() for column in table.columns],
        lines=[(label, table.seeds(label), list(_cells(table, label))) for label in table.labels],
        test_headings=text.comparison_headings(),
        tests=[(text.comparison_line(one), one.better) for one in table.tests],
        scores=[(one, uri(figure.panel(table, one))) for one in table.columns if one.kind == "score"],
        keys=[(row.label, uri(key(number))) for number, row in enumerate(table.rows)],
        stands={label: f"seed {run.seed}" for label, run in shown.items()},
        groups=groups,
        frames=[ComparedFrame(one.name, next(each), {label: next(each) for label in one.outputs}) for one in found],
        panels=dict(zip(panels, each, strict=False)),
        worst=dict(zip(worst, each, strict=False)),
        missing={"frames": no_frames, "panels": no_panels, "worst": no_worst, "curves": no_curves},
        protocol=protocol.entries(protocol.shared(collection.finished), collection.finished),
        commands=lines,
        unknown=unknown,
        megabytes=f"{taken / 2**20:.1f} MiB of at most {BUDGET / 2**20:.0f} MiB",
        left_out=sum(picture is None for picture in pictures),
    )
    # a name from a file system or a configuration may hold what UTF-8 cannot
    return page.encode("utf-8", "replace")


def _cells(table: Table, label: str) -> Iterator[tuple[str, bool]]:
    """Cells of a row, each with whether it is better than CUT."""
    for column in table.columns:
        test = table.test(label, column)
        yield text.cell(table, label, column), test is not None and test.better


def _pictures(
    rows: Mapping[str, ScoredRun], where: Callable[[ScoredRun], Path], what: str
) -> tuple[dict[str, Pixels], list[str]]:
    """A picture of each row that has one, by label, and what is missing, in words."""
    found: dict[str, Pixels] = {}
    for label, run in rows.items():
        try:
            found[label] = read_image(where(run))
        except UserError:
            continue
    lacking = [label for label in rows if label not in found]
    return found, [f"No {what} is kept of {', '.join(lacking)}."] if lacking else []


def _height(panels: Iterable[Pixels]) -> int:
    """Of all panels, in CSS pixels: that at which the widest takes the page's width."""
    return min((round(WIDTH * one.shape[0] / one.shape[1]) for one in panels), default=0)


def _panel(run: ScoredRun) -> Path:
    """The last one drawn in training, or what a kept experiment has of it."""
    return max((run.folder / IMAGES).glob("epoch_*.png"), default=run.folder / "panel.jpg")


def _hash(content: str) -> str:
    """Hash of a script, as a content security policy names what may run."""
    return "sha256-" + b64encode(hashlib.sha256(content.encode()).digest()).decode()
