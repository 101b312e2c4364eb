"""Labelled sets as they lie on disk: from a frame's path follows its class map's, and from a folder its frames."""

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os.path import commonpath
from pathlib import Path
from typing import Any, Literal

from src.data.images import announce_passed_over, list_images
from src.data.usable import announce, usable
from src.system.errors import UserError
from src.system.files import sha256

MANIFEST, UNFINISHED = "manifest.json", ".manifest.unfinished.json"
"""What a set written by this package holds: hashes of its files, or, until they all stand, this."""

Split = Literal["train", "val"]
_LAYOUTS = (
    "images/ with labels/ (Playing for Data), leftImg8bit/ with gtFine/ (Cityscapes), or frames with class maps in a "
    "folder of the same name and _labels"
)


@dataclass(frozen=True)
class LabelledFrame:
    """An image, its class map, and the files of the set that describe the same frame.

    Attributes:
        image: the picture.
        labels: the class map, of ids.
        companions: all files of its labels, the class map among them.
        base: folder of the set; paths below it are kept when the set is written anew.
    """

    image: Path
    labels: Path
    companions: tuple[Path, ...]
    base: Path


def labelled_set(node: Any, split: Split, key: str) -> list[LabelledFrame]:
    """The frames a `train=` or `test=` names, sorted; those that cannot be used are skipped, with a line on stderr.

    Args:
        node: a folder in one of the known layouts, or {images: folder, labels: folder}, whose files share their names
            but for the suffix. Cityscapes has splits of its own; any other set is taken whole.
        split: of Cityscapes.
        key: of the configuration, for messages.

    Raises UserError if there are no frames, or if too many cannot be used.
    """
    if isinstance(node, Mapping):
        if set(node) != {"images", "labels"}:
            raise UserError(f"{key} must name images and labels, got {', '.join(map(str, node))}")
        images, labels = Path(str(node["images"])), Path(str(node["labels"]))
        base = Path(commonpath([images.resolve(), labels.resolve()]))
        return usable_frames([_paired(path, images, labels, base) for path in _images(images, key)], key)
    if not isinstance(node, str):
        raise UserError(f"{key} must be a folder, or {{images: folder, labels: folder}}, got {node!r}")
    root = Path(node)
    if not root.is_dir():
        raise UserError(f"{key}={root}: no such folder; check the path")
    for folder in (root, root.parent):
        if (folder / UNFINISHED).is_file():
            raise UserError(f"{key}={root}: the set is unfinished; complete it with the command that began it")
    if (root / "leftImg8bit").is_dir():
        found = [path for path in _images(root / "leftImg8bit" / split, key) if is_street(path)]
    else:
        found = _images(root / "images" if (root / "images").is_dir() else root, key)
    return usable_frames(labels_of(found, key), key)


def usable_frames(frames: Sequence[LabelledFrame], key: str = "data") -> list[LabelledFrame]:
    """The frames whose image and class map are there, can be read and are of one size; the others are announced.

    One rule for all layouts and commands. Raises UserError as `usable` does, and if none is left.
    """
    kept, skipped = usable({frame.image: frame.labels for frame in frames})
    if not kept:
        raise UserError(f"{key}: no frame with a class map can be used{f'; {skipped[0].reason}' if skipped else ''}")
    announce(skipped)
    return [frame for frame in frames if frame.image in kept]


def labels_of(images: Sequence[Path], key: str = "data") -> list[LabelledFrame]:
    """The frames of some images, in the layout their paths show, whether or not their class maps exist.

    Raises UserError if they lie in none of the known layouts.
    """
    frames = []
    for image in images:
        frame = expected_frame(image)
        if frame is None:
            raise UserError(f"{key}: {image} has no class map; a labelled set is {_LAYOUTS}")
        frames.append(frame)
    return frames


def is_street(image: Path) -> bool:
    """Whether an image is a frame of Cityscapes, by its name."""
    return image.stem.endswith("_leftImg8bit")


def expected_frame(image: Path) -> LabelledFrame | None:
    """The frame of an image by the layout its path shows, whether or not its class map exists; None without layout."""
    parts = image.parts
    for index in range(len(parts) - 1, -1, -1):
        base = Path(*parts[:index]) if index else Path()
        below = Path(*parts[index + 1 :])
        if parts[index] == "leftImg8bit":
            return _cityscapes(image, base, below)
        if parts[index] == "images" and (base / "labels").is_dir():
            return _paired(image, base / "images", base / "labels", base)
        labels = base / f"{parts[index]}_labels"
        if index < len(parts) - 1 and labels.is_dir():
            return _paired(image, base / parts[index], labels, base)
    return None


def home(images: Sequence[Path]) -> Path:
    """The folder that names a set of images as `train=` and `test=` take it."""
    frame = labels_of(images[:1])[0]
    if "leftImg8bit" in frame.image.relative_to(frame.base).parts[:1]:
        return frame.base
    folder = Path(commonpath([path.parent for path in images]))
    return frame.base if folder == frame.base / "images" else folder


def digest(frames: Sequence[LabelledFrame]) -> str:
    """Twelve hex digits of the names and contents of all images and class maps."""
    sha = hashlib.sha256()
    for frame in frames:
        for path in (frame.image, frame.labels):
            sha.update(os.fsencode(f"{path.name} "))
            sha.update(bytes.fromhex(sha256(path)))
    return sha.hexdigest()[:12]


def _images(folder: Path, key: str) -> list[Path]:
    listing = list_images(folder)
    announce_passed_over(listing.passed_over, key)
    return listing.images


def _paired(image: Path, images: Path, labels: Path, base: Path) -> LabelledFrame:
    path = _png(labels / image.relative_to(images).with_suffix(""))
    return LabelledFrame(image, path, (path,), base)


def _cityscapes(image: Path, base: Path, below: Path) -> LabelledFrame:
    stem = image.stem.removesuffix("_leftImg8bit")
    folder = base / "gtFine" / below.parent
    path = _png(folder / f"{stem}_gtFine_labelIds")
    return LabelledFrame(image, path, tuple(sorted(folder.glob(f"{stem}_gtFine_*"))), base)


def _png(stem: Path) -> Path:
    """The PNG of a name, whatever the case of its suffix; in small letters if there is none."""
    paths = [stem.with_name(f"{stem.name}{suffix}") for suffix in (".png", ".PNG", ".Png")]
    return next((path for path in paths if path.is_file()), paths[0])
