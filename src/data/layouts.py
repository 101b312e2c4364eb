"""How a data set lies on disk: from a root folder to the files of both domains, split into training and validation."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from src.data.images import find_images
from src.data.labelled import expected_frame
from src.data.streets.write import write_streets
from src.data.usable import Skipped, usable
from src.errors import UserError


@dataclass(frozen=True)
class Domains:
    """Image files of the source x (game) and the target y (street), sorted; training and validation share none.

    Attributes:
        x_train: training source.
        y_train: training target.
        x_val: validation source.
        y_val: validation target.
        skipped: frames of the set that are in none of these because they cannot be used.
    """

    x_train: Sequence[Path]
    y_train: Sequence[Path]
    x_val: Sequence[Path]
    y_val: Sequence[Path]
    skipped: tuple[Skipped, ...] = ()

    def __post_init__(self) -> None:
        """Refuse an empty part to train on, and files that are in two."""
        for name in ("x_train", "y_train"):
            if not getattr(self, name):
                raise UserError(f"data: {name} is empty; the set has too few images")
        for one, other in (("x_train", "y_train"), ("x_train", "x_val"), ("y_train", "y_val")):
            if twice := set(getattr(self, one)) & set(getattr(self, other)):
                raise UserError(f"data: {min(twice)} is in {one} and in {other}; name folders that share no image")

    def demand_validation(self) -> None:
        """Raise UserError if a validation part is empty, as it may be only where nothing is scored."""
        for name, train in (("x_val", self.x_train), ("y_val", self.y_train)):
            if getattr(self, name):
                continue
            if len(train) < 4:
                mend = "the set has too few images; add some, or train without scores: metrics.scores=null"
            else:  # two of them remain, as many as scores need
                mend = f"of {len(train)} images none is held out, give data.layout.holdout={len(train) // 2} or less"
            raise UserError(f"data: {name} is empty; {mend}")

    def parts(self) -> dict[str, Sequence[Path]]:
        """The four lists of files by name."""
        return {"x_train": self.x_train, "y_train": self.y_train, "x_val": self.x_val, "y_val": self.y_val}


def folders(root: str | None, *, x: str, y: str, x_val: str | None, y_val: str | None, holdout: int) -> Domains:
    """Any folders of images, at any depth; the names CycleGAN and CUT use are trainA, trainB, testA and testB.

    Args:
        root: what relative paths are relative to; None is the working directory.
        x: training source.
        y: training target.
        x_val: validation source; None holds out every `holdout`-th file of `x`.
        y_val: validation target, likewise.
        holdout: one file in how many is held out.
    """
    base = Path(root or ".")
    _demand([base / name for name in (x, y, x_val, y_val) if name], "check data.root and data.layout")
    x_train, x_rest = _split(base / x, base / x_val if x_val else None, holdout)
    y_train, y_rest = _split(base / y, base / y_val if y_val else None, holdout)
    return Domains(x_train, y_train, x_rest, y_rest)


def gta2cityscapes(root: str | None, *, x: str, y: str, holdout: int) -> Domains:
    """Playing for Data (images/NNNNN.png) and Cityscapes (leftImg8bit/{train,val}/<city>/*_leftImg8bit.png).

    Playing for Data has no validation split of its own for this use: every `holdout`-th frame is held out. Its frames
    that cannot be read, or whose class map (labels/NNNNN.png) has another size, are skipped; the split of the others
    does not depend on them.

    Args:
        root: folder that holds both sets; None is the working directory.
        x: folder of Playing for Data, relative to `root` or absolute.
        y: folder of Cityscapes, likewise.
        holdout: one source frame in how many is held out.
    """
    if holdout < 2:
        raise UserError(f"data.layout.holdout must be >= 2, got {holdout}")
    game, street = Path(root or ".") / x, Path(root or ".") / y
    _demand(
        [game / "images", street / "leftImg8bit" / "train", street / "leftImg8bit" / "val"],
        "unpack the sets there (DATASETS.md) or name their places: data.root, data.layout.x, data.layout.y",
    )
    frames = find_images(game / "images")
    kept, skipped = usable({path: _class_map(path) for path in frames})
    x_train, x_val = ([path for path in part if path in kept] for part in _hold_out(frames, holdout))
    return Domains(x_train, _cityscapes(street, "train"), x_val, _cityscapes(street, "val"), skipped)


def streets(root: str | None, *, holdout: int) -> Domains:
    """The built-in pair of domains, written to `root` on first use, in the two true layouts."""
    if root is None:
        raise UserError("data.root must name the folder the streets are written to")
    write_streets(Path(root))
    return gta2cityscapes(root, x="playing_for_data", y="cityscapes", holdout=holdout)


def _demand(places: Sequence[Path], mend: str) -> None:
    """Name all folders that are missing at once, in full, so that a wrong working directory shows."""
    missing = [str(path.absolute()) for path in places if not path.is_dir()]
    if missing:
        others = f", nor {', '.join(missing[1:])}" if missing[1:] else ""
        raise UserError(f"{missing[0]}: no such folder{others}; {mend}")


def _class_map(image: Path) -> Path | None:
    frame = expected_frame(image)
    # unpaired training needs no class map
    return frame.labels if frame is not None and frame.labels.is_file() else None


def _cityscapes(root: Path, split: str) -> list[Path]:
    folder = root / "leftImg8bit" / split
    frames = [path for path in find_images(folder) if path.name.endswith("_leftImg8bit.png")]
    if not frames:
        raise UserError(f"{folder}: no *_leftImg8bit.png there; unpack leftImg8bit_trainvaltest.zip into {root}")
    return frames


def _split(train: Path, val: Path | None, holdout: int) -> tuple[list[Path], list[Path]]:
    if val is not None:
        return find_images(train), find_images(val)
    if holdout < 2:
        raise UserError(f"data.layout.holdout must be >= 2, got {holdout}")
    return _hold_out(find_images(train), holdout)


def _hold_out(files: list[Path], holdout: int) -> tuple[list[Path], list[Path]]:
    held = files[holdout - 1 :: holdout]
    taken = set(held)
    return [path for path in files if path not in taken], held
