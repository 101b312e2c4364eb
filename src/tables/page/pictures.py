"""Pictures as part of a page: WebP in data URIs, together within a budget."""

import io
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from src.data.images import LONGEST, Pixels

BUDGET = 6 * 2**20
"""Bytes all pictures of a page may take, encoded."""
LOSSLESS = 160
"""Pixels of height up to which a frame is kept as it is: artefacts would be as large as what it shows."""
_STEPS = ((1.0, 88), (1.0, 75), (0.7, 75), (0.5, 70), (0.35, 60), (0.25, 50))  # of size, and WebP's quality


@dataclass(frozen=True)
class EmbeddedPicture:
    """A picture as the page shows it: width and height in pixels, and its data URI."""

    width: int
    height: int
    uri: str


def encoded(images: Sequence[Pixels]) -> tuple[list[EmbeddedPicture | None], int]:
    """All pictures at the best of a few sizes and qualities that keeps them within BUDGET, and the bytes they take.

    Those that do not fit at the least one are None, from the last on.
    """
    contents: list[bytes] = []
    for size, quality in _STEPS:
        contents = [_webp(image, size, quality) for image in images]
        if sum(map(len, contents)) <= BUDGET:
            break
    taken, pictures = 0, list[EmbeddedPicture | None]()
    for image, content in zip(images, contents, strict=True):
        fits = taken + len(content) <= BUDGET
        taken += len(content) if fits else 0
        uri = "data:image/webp;base64," + b64encode(content).decode()
        pictures.append(EmbeddedPicture(image.shape[1], image.shape[0], uri) if fits else None)
    return pictures, taken


def _webp(image: Pixels, size: float, quality: int) -> bytes:
    picture, file = Image.fromarray(image), io.BytesIO()
    size = min(size, LONGEST[".webp"] / max(picture.size))
    if size < 1:
        shape = tuple(max(1, round(side * size)) for side in picture.size)
        picture = picture.resize((shape[0], shape[1]), Image.Resampling.LANCZOS)
    picture.save(file, format="WEBP", quality=quality, lossless=picture.height <= LOSSLESS, method=4)
    return file.getvalue()
