"""Files are written whole or not at all."""

import hashlib
import io
import os
import sys
from pathlib import Path
from uuid import uuid4


def as_bytes(text: str) -> bytes:
    """UTF-8; the name of a file that is none keeps its own bytes."""
    return text.encode("utf-8", "surrogateescape")


def print_any_name() -> None:
    """Let stdout take the name of a file that is no UTF-8, as its own bytes, instead of ending what has been done."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="surrogateescape")


def write(path: Path, content: bytes) -> None:
    """Under a temporary name, then renamed, whoever else writes the same file at the same time.

    Raises OSError, which names the file, and leaves nothing where the disk is full or the place may not be written; nor
    does a signal that ends the process.
    """
    # of a long name a part, of at most four bytes a character: no name may have more than 255
    temporary = path.with_name(f".{path.name[:50]}.{uuid4().hex[:12]}.part")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise


def sha256(path: Path) -> str:
    """SHA-256 of a file's content, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
