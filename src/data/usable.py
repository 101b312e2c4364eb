"""Which frames of a labelled set can be used, decided once, from the first and last bytes of their files."""

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from src.data.images import image_size
from src.system.errors import UserError
from src.system.ranks import say

TOLERATED = 0.05
"""Share of a set's frames that may be skipped; with more, the set is broken or another one."""
FEW = 3
"""As many may be skipped of a small set too, if they are no more than a quarter of it."""
THREADS = 8  # a disk across the network answers several at a time
NAMED = 3


@dataclass(frozen=True)
class Skipped:
    """A frame that is left out, and why, in one line that names the file at fault."""

    image: Path
    reason: str


def usable(pairs: Mapping[Path, Path | None]) -> tuple[set[Path], tuple[Skipped, ...]]:
    """The images that can be used, and the others: unreadable, or without a class map of their size.

    What only a full decoding tells stays unnoticed here.

    Args:
        pairs: image to class map; None where it needs none.

    Raises UserError if more of them than TOLERATED, and than FEW, cannot be used.
    """
    with ThreadPoolExecutor(THREADS) as pool:
        found = pool.map(_fault, pairs, pairs.values())
        # a small set is done before a bar would be seen
        reasons = list(tqdm(found, total=len(pairs), desc="checking frames", unit="frame", leave=False, delay=2))
    skipped = tuple(Skipped(image, reason) for image, reason in zip(pairs, reasons, strict=True) if reason)
    if len(skipped) > max(TOLERATED * len(pairs), min(FEW, len(pairs) // 4)):
        raise UserError(
            f"data: {len(skipped)} of {len(pairs)} frames cannot be used, more than {TOLERATED:.0%}; "
            f"the first: {skipped[0].reason}"
        )
    return set(pairs) - {entry.image for entry in skipped}, skipped


def announce(skipped: tuple[Skipped, ...]) -> None:
    """One line on stderr that counts and names them; nothing if there are none."""
    if skipped:
        named = "; ".join(entry.reason for entry in skipped[:NAMED])
        more = f"; and {len(skipped) - NAMED} more" if len(skipped) > NAMED else ""
        say(f"data: {len(skipped)} frames skipped: {named}{more}")


def listing(skipped: tuple[Skipped, ...]) -> bytes:
    """A text file with a line for each: the image, then why it is left out."""
    return os.fsencode("".join(f"{entry.image}\t{entry.reason}\n" for entry in skipped))


def missing(labels: Path, image: Path) -> str:
    """One line for a class map that is not there; it names the one of train ids that Cityscapes may have instead."""
    line = f"{labels}: the class map of {image} is missing"
    other = labels.with_name(labels.name.replace("_labelIds.", "_labelTrainIds."))
    if other == labels or not other.is_file():
        return line
    return f"{line}; there is {other.name}: rename such files and choose labels=cityscapes_trainids"


def _fault(image: Path, labels: Path | None) -> str | None:
    try:
        size = image_size(image, to_its_end=True)
        if labels is None:
            return None
        if not labels.is_file():
            return missing(labels, image)
        other = image_size(labels, "class map", to_its_end=True)
    except UserError as error:
        return str(error)
    if size != other:
        return f"{labels}: is {other[0]}x{other[1]}, its image {size[0]}x{size[1]}"
    return None
