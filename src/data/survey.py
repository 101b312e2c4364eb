"""What the files of a data set hold: sizes, kinds, class maps, and what is wrong with which."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from src.data import colour_profiles
from src.data.images import image_size, open_image, read_image
from src.data.labelled import expected_frame
from src.data.labels import LabelTable, read_ids
from src.data.sixteen_bits import WHITE, has_sixteen_bits, sixteen_bits
from src.data.usable import missing
from src.system.errors import UserError


@dataclass(frozen=True)
class Finding:
    """One image file and its class map.

    Attributes:
        path: of the image.
        size: width and height of the upright picture; None if it cannot be read.
        mode: Pillow's name for its channels.
        fault: why it cannot be read.
        content: of its pixels, 32 hex digits; None if they were not looked at.
        profile_fault: why its ICC profile cannot be used.
        deep: whether it has 16 bits a channel.
        highest: value of such a file; None of others, and if it was not looked at.
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
    profile_fault: str | None = None
    deep: bool = False
    highest: int | None = None
    labels: Path | None = None
    ids: Mapping[int, int] | None = None
    label_fault: str | None = None


def survey(files: Sequence[Path], *, quick: bool, workers: int, white: int = WHITE) -> Iterator[Finding]:
    """A finding for each file, in their order.

    Args:
        files: images.
        quick: look at headers and ends only; else everything is decoded.
        workers: threads that read; decoders let each other run.
        white: see read_image.
    """
    with ThreadPoolExecutor(workers) as pool:
        yield from pool.map(partial(inspect, quick=quick, white=white), files)


def inspect(path: Path, *, quick: bool, white: int = WHITE) -> Finding:
    """Look at one image and its class map, if its place in the set has one."""
    try:
        with open_image(path) as file:
            mode, deep = file.mode, has_sixteen_bits(file)
            profile_fault = colour_profiles.fault(file, file.info.get("icc_profile"))
        size = image_size(path, to_its_end=True)
        content, flat = (None, False) if quick else _pixels(path, white)
        highest = None if quick or not deep else int(sixteen_bits(path).max())
    except UserError as error:
        return Finding(path, fault=str(error))
    found = Finding(path, size, mode, None, content, flat, profile_fault and f"{path}: {profile_fault}", deep, highest)
    frame = expected_frame(path)
    if frame is None:
        return found
    ids, label_fault = None, None
    try:
        if not frame.labels.is_file():
            raise UserError(missing(frame.labels, path))
        pictures = [companion for companion in frame.companions if companion.suffix.lower() == ".png"]
        for picture in pictures:
            if (other := image_size(picture, "class map", to_its_end=True)) != size:
                raise UserError(f"{picture}: is {other[0]}x{other[1]}, its image {size[0]}x{size[1]}")
        if not quick:
            numbers, counts = np.unique(read_ids(frame.labels), return_counts=True)
            ids = dict(zip(numbers.tolist(), counts.tolist(), strict=True))
    except UserError as error:
        label_fault = str(error)
    return replace(found, labels=frame.labels, ids=ids, label_fault=label_fault)


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
    beside = {path for folder in {path.parent for path in expected} for path in folder.glob("[!.]*.[pP][nN][gG]")}
    # Cityscapes keeps other pictures of the labels in the same folder
    maps = {path for path in beside if "_gtFine_" not in path.name or path.stem.endswith("_labelIds")}
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
        "sixteen_bits": sum(finding.deep for finding in found),
        "highest": max((finding.highest for finding in found if finding.highest is not None), default=None),
        "profile_faults": [finding.profile_fault for finding in found if finding.profile_fault],
        "one_colour": [str(finding.path) for finding in found if finding.flat],
        "unreadable": [finding.fault for finding in found if finding.fault],
        "label_faults": [finding.label_fault for finding in found if finding.label_fault],
    }


def _pixels(path: Path, white: int) -> tuple[str, bool]:
    pixels = read_image(path, white)
    content = hashlib.blake2b(pixels.data, key=repr(pixels.shape).encode(), digest_size=16).hexdigest()
    return content, bool((pixels == pixels[:1, :1]).all())


def _counts(values: Iterable[str]) -> dict[str, int]:
    return dict(Counter(values).most_common())
