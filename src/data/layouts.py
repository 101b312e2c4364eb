"""How a data set lies on disk: from a root folder to the files of both domains, split into training and validation."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

from src.data.apart import places, shared
from src.data.images import announce_passed_over, list_images
from src.data.labelled import expected_frame, is_street
from src.data.streets.write import write_streets
from src.data.usable import Skipped, announce, usable
from src.system.errors import UserError
from src.system.ranks import say

SPLITS = ("train", "val")
"""Splits of Cityscapes."""


@dataclass(frozen=True)
class Domains:
    """Image files of the source x (game) and the target y (street), sorted; training and validation share none.

    Attributes:
        x_train: training source.
        y_train: training target.
        x_val: validation source.
        y_val: validation target.
        skipped: frames of the set that are in none of these because they cannot be used.
        notes: what else its user should know, a line each.
        passed_over: how many files of the set are no images that are read, by suffix.
    """

    x_train: Sequence[Path]
    y_train: Sequence[Path]
    x_val: Sequence[Path]
    y_val: Sequence[Path]
    skipped: tuple[Skipped, ...] = ()
    notes: tuple[str, ...] = ()
    passed_over: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse an empty part to train on, and files that are in two."""
        for name in ("x_train", "y_train"):
            if not getattr(self, name):
                raise UserError(f"data: {name} is empty; the set has too few images")
        parts = {name: places(getattr(self, name)) for name in ("x_train", "y_train", "x_val", "y_val")}
        for one, other in (("x_train", "y_train"), ("x_train", "x_val"), ("y_train", "y_val")):
            if (twice := shared(parts[one], parts[other])) is not None:
                path, same = twice
                name = "" if path == same else f", as {same},"
                raise UserError(f"data: {path} is in {one} and{name} in {other}; name folders that share no image")

    def announce(self) -> None:
        """Say on stderr, a line each, what is left out of the set."""
        announce(self.skipped)
        for note in self.notes:
            say(f"data: {note}")
        announce_passed_over(self.passed_over, "data")

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

    def of(self, domain: str) -> list[Path]:
        """All files of x or of y."""
        return [*self.x_train, *self.x_val] if domain == "x" else [*self.y_train, *self.y_val]

    def parts(self) -> dict[str, Sequence[Path]]:
        """The four lists of files by name."""
        return {"x_train": self.x_train, "y_train": self.y_train, "x_val": self.x_val, "y_val": self.y_val}


def folders(
    root: str | None,
    *,
    x: str,
    y: str,
    x_val: str | None,
    y_val: str | None,
    holdout: int,
    x_held: str | None = None,
    y_held: str | None = None,
    tune: int | None = None,
) -> Domains:
    """Any folders of images, at any depth; the names CycleGAN and CUT use are trainA, trainB, testA and testB.

    Args:
        root: what relative paths are relative to; None is the working directory.
        x: training source.
        y: training target.
        x_val: validation source; None holds out every `holdout`-th file of `x`.
        y_val: validation target, likewise.
        holdout: one file in how many is held out.
        x_held: pattern of the files of `x` that are held out instead, and of `x_val` none is read: a town or a drive on
            which settings are tuned, so that the test frames stay unseen. Matched against the path below `x`.
        y_held: likewise of `y`.
        tune: one training file in how many, of either domain, is held out by number instead, where no pattern says.
    """
    _demand_counts(holdout, tune)
    base = Path(root or ".")
    x_val, y_val = None if x_held or tune else x_val, None if y_held or tune else y_val
    holdout = tune or holdout
    _demand([base / name for name in (x, y, x_val, y_val) if name], "check data.root and data.layout")
    others: Counter[str] = Counter()
    x_train, x_rest = _split(base / x, base / x_val if x_val else None, x_held, holdout, others)
    y_train, y_rest = _split(base / y, base / y_val if y_val else None, y_held, holdout, others)
    return Domains(x_train, y_train, x_rest, y_rest, passed_over=others)


def gta2cityscapes(root: str | None, *, x: str, y: str, holdout: int, tune: int | None = None) -> Domains:
    """Playing for Data (images/NNNNN.png) and Cityscapes (leftImg8bit/{train,val}/<city>/*_leftImg8bit.png).

    Playing for Data has no validation split of its own for this use: every `holdout`-th frame is held out. Its frames
    that cannot be read, or whose class map (labels/NNNNN.png) has another size, are skipped; the split of the others
    does not depend on them.

    Args:
        root: folder that holds both sets; None is the working directory.
        x: folder of Playing for Data, relative to `root` or absolute.
        y: folder of Cityscapes, likewise.
        holdout: one source frame in how many is held out.
        tune: one training image in how many, of either domain, is held out instead: settings are tuned on those, and no
            image that tables are made of is read.
    """
    _demand_counts(holdout, tune)
    game, street = Path(root or ".") / x, Path(root or ".") / y
    for place, base in ((game / "images", game), *((street / "leftImg8bit" / split, street) for split in SPLITS)):
        if not place.is_dir() and (mend := _nested(place, base)):
            raise UserError(f"{place}: no such folder; {mend}")
    _demand(
        [game / "images", *(street / "leftImg8bit" / split for split in SPLITS)],
        "unpack the sets there (DATASETS.md) or name their places: data.root, data.layout.x, data.layout.y",
    )
    others: Counter[str] = Counter()
    frames = _images(game / "images", others)
    class_maps = {path: _class_map(path) for path in frames}
    kept, skipped = usable(class_maps)
    x_train, x_val = ([path for path in part if path in kept] for part in _hold_out(frames, holdout))
    y_train, y_val = (_cityscapes(street, split, others) for split in SPLITS)
    if tune is not None:
        (x_train, x_val), (y_train, y_val) = (_hold_out(part, tune) for part in (x_train, y_train))
    return Domains(x_train, y_train, x_val, y_val, skipped, _notes(game, class_maps), others)


def streets(root: str | None, *, holdout: int, tune: int | None = None) -> Domains:
    """The built-in pair of domains, written to `root` on first use, in the two true layouts."""
    if root is None:
        raise UserError("data.root must name the folder the streets are written to")
    _demand_counts(holdout, tune)  # which takes no drawing
    write_streets(Path(root))
    return gta2cityscapes(root, x="playing_for_data", y="cityscapes", holdout=holdout, tune=tune)


def _demand(places: Sequence[Path], mend: str) -> None:
    """Name all folders that are missing at once, in full, so that a wrong working directory shows."""
    missing = [str(path.absolute()) for path in places if not path.is_dir()]
    if missing:
        others = f", nor {', '.join(missing[1:])}" if missing[1:] else ""
        raise UserError(f"{missing[0]}: no such folder{others}; {mend}")


def _nested(place: Path, base: Path) -> str:
    """What to do about a folder that an archive has brought below a folder of its own; "" if there is none such."""
    found = sorted(path for path in base.glob(f"*/{place.relative_to(base)}") if path.is_dir() and any(path.iterdir()))
    if not found:
        return ""
    others = f" and {len(found) - 1} more such" if found[1:] else ""
    pattern = base / "*" / place.relative_to(base)
    return f"{found[0]}{others} should be one: mkdir -p {place} && mv {pattern}/* {place}/"


def _notes(game: Path, class_maps: Mapping[Path, Path | None]) -> tuple[str, ...]:
    """What of Playing for Data lies elsewhere than where it is looked for."""
    notes = [f"further frames are not read: {mend}" for mend in (_nested(game / "images", game),) if mend]
    without = [path for path, class_map in class_maps.items() if class_map is None]
    nested = _nested(game / "labels", game)
    # a set without any class map is as its user wants it
    if without and (nested or (game / "labels").is_dir()):
        expected = expected_frame(without[0])
        where = "" if expected is None else f" ({expected.labels}, ...)"
        mend = f"; {nested}" if nested else ""
        count = f"{len(without)} of {len(class_maps)} frames of {game}"
        notes.append(f"{count} have no class map{where}; translation needs none, src.segment does{mend}")
    return tuple(notes)


def _class_map(image: Path) -> Path | None:
    frame = expected_frame(image)
    # unpaired training needs no class map
    return frame.labels if frame is not None and frame.labels.is_file() else None


def _images(folder: Path, others: Counter[str]) -> list[Path]:
    """The images of a folder; `others` counts its other files, by suffix."""
    listing = list_images(folder)
    others.update(listing.passed_over)
    return listing.images


def _cityscapes(root: Path, split: str, others: Counter[str]) -> list[Path]:
    folder = root / "leftImg8bit" / split
    found = _images(folder, others)
    frames = [path for path in found if is_street(path)]
    if len(found) > len(frames):
        others["names without _leftImg8bit"] += len(found) - len(frames)
    if not frames:
        raise UserError(f"{folder}: no *_leftImg8bit.* images there; unpack leftImg8bit_trainvaltest.zip into {root}")
    return frames


def _split(
    train: Path, val: Path | None, held: str | None, holdout: int, others: Counter[str]
) -> tuple[list[Path], list[Path]]:
    if val is not None:
        return _images(train, others), _images(val, others)
    if held is not None:
        files = _images(train, others)
        chosen = {path for path in files if fnmatch(path.relative_to(train).as_posix(), held)}
        if not 0 < len(chosen) < len(files):
            raise UserError(
                f"data.layout: {held!r} holds out {len(chosen)} of the {len(files)} files below {train}; name a part "
                f"of them, such as {files[0].relative_to(train).as_posix()[:4]}*"
            )
        return [path for path in files if path not in chosen], [path for path in files if path in chosen]
    return _hold_out(_images(train, others), holdout)


def _demand_counts(holdout: int, tune: int | None) -> None:
    if holdout < 2:
        raise UserError(f"data.layout.holdout must be >= 2, got {holdout}")
    if tune is not None and tune < 2:
        raise UserError(f"data.layout.tune must be >= 2 or null, got {tune}")


def _hold_out(files: list[Path], holdout: int) -> tuple[list[Path], list[Path]]:
    held = files[holdout - 1 :: holdout]
    taken = set(held)
    return [path for path in files if path not in taken], held
