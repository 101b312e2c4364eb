"""The frames of a comparison: the same validation frames for every row, and the source of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from src.data import images
from src.data.images import Pixels, find_images, read_image
from src.data.transforms import resize
from src.data.unpaired import spaced
from src.runs.folder import IMAGES
from src.system.errors import UserError
from src.system.files import write
from src.tables.table.collect import ScoredRun

P = TypeVar("P")
FRAMES = 4
TRANSLATED = Path(IMAGES) / "translated"
KEPT = "frames"
"""In the folder of a kept run: what a comparison shows of it, in `source` and `output`."""


@dataclass(frozen=True)
class ComparedFrame(Generic[P]):
    """One frame: its name, its source at the size of the outputs, and the output of each row by label."""

    name: str
    source: P
    outputs: Mapping[str, P]


def frames(rows: Mapping[str, ScoredRun]) -> tuple[list[ComparedFrame[Pixels]], list[str]]:
    """A few frames, evenly spaced over those that all rows with translated frames have; and what is missing, in words.

    Args:
        rows: the run that stands for a row, by label.
    """
    translated = {label: _translated(run) for label, run in rows.items()}
    lacking = [label for label, files in translated.items() if not files]
    missing = [f"No translated frames are kept of {', '.join(lacking)}."] if lacking else []
    kept = {label: files for label, files in translated.items() if files}
    folders = {folder for label in kept if (folder := source_folder(rows[label].config)) is not None}
    of_kept = [rows[label].folder / KEPT / "source" for label in kept]
    sources = {folder: _listed(folder) for folder in [*of_kept, *sorted(folders)]}
    if not kept:
        return [], missing
    common = sorted(set.intersection(*(set(files) for files in kept.values())))
    if not common:
        return [], [*missing, "The rows have no translated frame in common."]
    found, unsourced = [], []
    for name in spaced([Path(name) for name in common], FRAMES):
        source = next((path for files in sources.values() if (path := source_of(str(name), files))), None)
        try:
            if source is None:
                raise UserError("no source")
            outputs = {label: read_image(files[str(name)]) for label, files in kept.items()}
            height, width = next(iter(outputs.values())).shape[:2]
            found.append(ComparedFrame(str(name), resize(read_image(source), (height, width)), outputs))
        except UserError:
            unsourced.append(str(name))
    if unsourced:
        missing.append(f"The source is not where the runs' configuration says, or unreadable: {', '.join(unsourced)}.")
    return found, missing


def keep(run: ScoredRun, folder: Path) -> None:
    """Write those frames that a comparison takes of a run, source and output, as JPEGs of a few kilobytes.

    Args:
        run: with its translated frames.
        folder: for what is kept of it.
    """
    found, _ = frames({"": run})
    for frame in found:
        for kind, pixels in (("source", frame.source), ("output", frame.outputs[""])):
            path = folder / KEPT / kind / f"{frame.name}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            write(path, images.encoded(pixels, ".jpg"))


def source_of(name: str, files: Sequence[Path]) -> Path | None:
    """The source of a translated frame among the files of a folder; None if none or several fit.

    Args:
        name: of the frame below `images/translated`, without its suffix.
        files: the source's.
    """
    # frames are named below what all of them have in common, which may lie deeper than the folder
    fitting = [path for path in files if f"/{path.with_suffix('').as_posix()}".endswith(f"/{name}")]
    return fitting[0] if len(fitting) == 1 else None


def source_folder(config: Mapping[str, Any]) -> Path | None:
    """Where a run's validation source lay, as src.data.layouts has it; None where its configuration does not say.

    The layout itself is not asked: it may write the streets, and lists all four parts of a set.

    Args:
        config: of the run, by dotted key.
    """
    layout = str(config.get("data.layout._target_", "")).rpartition(".")[2]
    x, x_val = config.get("data.layout.x"), config.get("data.layout.x_val")
    if config.get("data.layout.x_held") or config.get("data.layout.tune"):
        x_val = None  # held out of x itself
    below = {
        "folders": x_val or x,
        "gta2cityscapes": f"{x}/images" if x else None,
        "streets": "playing_for_data/images",
    }.get(layout)
    return None if below is None else Path(str(config.get("data.root") or ".")) / str(below)


def _listed(folder: Path) -> Sequence[Path]:
    try:
        return find_images(folder)
    except UserError:
        return ()


def _translated(run: ScoredRun) -> dict[str, Path]:
    folder = next((run.folder / one for one in (TRANSLATED, Path(KEPT, "output")) if (run.folder / one).is_dir()), None)
    if folder is None:
        return {}
    return {path.relative_to(folder).with_suffix("").as_posix(): path for path in _listed(folder)}
