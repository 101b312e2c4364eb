"""Whether a Matroska file is as long as its header tells: FFmpeg takes the end of a file cut short for its end."""

from pathlib import Path
from typing import BinaryIO

_HEADER, _SEGMENT = 0x1A45DFA3, 0x18538067
_LONGEST = 8  # bytes of a number


def lacks_its_end(path: Path) -> bool:
    """True if the segment of a Matroska or WebM file reaches beyond the file; False for any other file.

    Elements are an identifier, a length and a content (RFC 8794); the file is a header and a segment (RFC 9559). A
    recording that was never finished tells no length.
    """
    with path.open("rb") as file:
        if _number(file, keep_marker=True) != _HEADER:
            return False
        length = _number(file)
        if length is None:
            return False
        file.seek(length, 1)
        if _number(file, keep_marker=True) != _SEGMENT:
            return True
        length = _number(file)
        return length is not None and file.tell() + length > path.stat().st_size


def _number(file: BinaryIO, *, keep_marker: bool = False) -> int | None:
    """One of variable length; None if it is "unknown" or the file ends."""
    first = file.read(1)
    if not first or not first[0]:
        return None
    size = _LONGEST + 1 - first[0].bit_length()
    value = int.from_bytes(first + file.read(size - 1), "big")
    if keep_marker:
        return value
    marker = 1 << 7 * size
    return None if value == 2 * marker - 1 else value - marker
