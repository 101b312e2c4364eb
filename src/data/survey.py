"""What the files of a data set hold: sizes, kinds, class maps, and what is wrong with which."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from src.data.images import image_size, open_image, read_image
from src.data.labelled import expected_frame
from src.data.labels import LabelTable, read_ids
from src.errors import UserError


@dataclass(frozen=True)
class Finding:
    """One image file and its class map.

    Attributes:
        path: of the image.
        size: width and height of the upright picture; None if it cannot be read.
        mode: Pillow's name for its channels.
        fault: why it cannot be read.
        content: of its pixels, 32 hex digits; None if they were not looked at.
        flat: whether all its pixels have one colour.
        labels: where its class map lies, or should lie; None in a set without class maps.
        ids: of its class map, with how many pixels have them; None if it was not looked at.
        label_fault: why its class map cannot be used.
    """

    path: Path
    size: tuple[int, int] | None = None
    mode: str | None = None
    fault: str | None = None
    content: str | None = None
    flat: bool = False
    labels: Path | None = None
    ids: Mapping[int, int] | None = None
    label_fault: str | None = None


def survey(files: Sequence[Path], *, quick: bool, workers: int) -> Iterator[Finding]:
    """A finding for each file, in their order.

    Args:
        files: images.
        quick: look at headers and ends only; else everything is decoded.
        workers: threads that read; decoders let each other run.
    """
    with ThreadPoolExecutor(workers) as pool:
        yield from pool.map(partial(inspect, quick=quick), files)


def inspect(path: Path, *, quick: bool) -> Finding:
    """Look at one image and its class map, if its place in the set has one."""
    try:
        with open_image(path) as file:
            mode = file.mode
        size = image_size(path, to_its_end=True)
        content, flat = (None, False) if quick else _pixels(path)
    except UserError as error:
        return Finding(path, fault=str(error))
    frame = expected_frame(path)
    if frame is None:
        return Finding(path, size, mode, None, content, flat)
    ids, label_fault = None, None
    try:
        if not frame.labels.is_file():
            raise UserError(f"{frame.labels}: the class map of {path} is missing")
        for companion in frame.companions:
            if companion.suffix == ".png" and (other := image_size(companion, "class map", to_its_end=True)) != size:
                raise UserError(f"{companion}: is {other[0]}x{other[1]}, its image {size[0]}x{size[1]}")
        if not quick:
            numbers, counts = np.unique(read_ids(frame.labels), return_counts=True)
            ids = dict(zip(numbers.tolist(), counts.tolist(), strict=True))
    except UserError as error:
        label_fault = str(error)
    return Finding(path, size, mode, None, content, flat, frame.labels, ids, label_fault)


def duplicates(parts: Mapping[str, Sequence[Finding]]) -> list[list[str]]:
    """Groups of files that show the same pixels though they are in different parts, e.g. training and validation."""
    places: dict[str, list[tuple[str, Path]]] = {}
    for name, findings in parts.items():
        for finding in findings:
            if finding.content is not None:
                places.setdefault(finding.content, []).append((name, finding.path))
    return [[str(path) for _, path in places] for places in places.values() if len({name for name, _ in places}) > 1]


def orphans(images: Iterable[Path]) -> list[str]:
    """Class maps beside those of the images, which belong to no image."""
    expected = {frame.labels for frame in map(expected_frame, images) if frame is not None}
    beside = {path for folder in {path.parent for path in expected} for path in folder.glob("*.png")}
    # Cityscapes keeps other pictures of the labels in the same folder
    maps = {path for path in beside if "_gtFine_" not in path.name or path.name.endswith("_labelIds.png")}
    return sorted(map(str, maps - expected))


def summary(findings: Iterable[Finding], table: LabelTable) -> dict[str, Any]:
    """Counts of a part, ready for JSON.

    Args:
        findings: of the part.
        table: of the ids its class maps should hold.
    """
    found = list(findings)
    unknown = Counter(identity for finding in found for identity in table.unknown(sorted(finding.ids or ())))
    pixels: Counter[int] = Counter()
    for finding in found:
        pixels.update(finding.ids or {})
    return {
        "files": len(found),
        "readable": sum(finding.fault is None for finding in found),
        "sizes": _counts(f"{finding.size[0]}x{finding.size[1]}" for finding in found if finding.size),
        "channels": _counts(finding.mode for finding in found if finding.mode),
        "labelled": sum(finding.labels is not None and finding.label_fault is None for finding in found),
        "ids": sorted(pixels),
        "unknown_ids": {str(identity): count for identity, count in sorted(unknown.items())},
        "class_shares": {name: round(share, 4) for name, share in table.shares(pixels).items()},
        "one_colour": [str(finding.path) for finding in found if finding.flat],
        "unreadable": [finding.fault for finding in found if finding.fault],
        "label_faults": [finding.label_fault for finding in found if finding.label_fault],
    }


def _pixels(path: Path) -> tuple[str, bool]:
    pixels = read_image(path)
    content = hashlib.blake2b(pixels.data, key=repr(pixels.shape).encode(), digest_size=16).hexdigest()
    return content, bool((pixels == pixels[:1, :1]).all())


def _counts(values: Iterable[str]) -> dict[str, int]:
    return dict(Counter(values).most_common())
