"""What may be uploaded to the page, told by a file's header and its packets before anything is decoded."""

from contextlib import closing
from dataclasses import dataclass, fields
from pathlib import Path

from src.data.images import image_size
from src.system.errors import UserError
from src.translation.jobs import is_video
from src.translation.video.film import Film

RATE = 60
"""Frames a second that a video may have on average, or its seconds would be no limit."""


@dataclass(frozen=True)
class Limits:
    """Of an upload.

    Attributes:
        megapixels: of an image, or of a video's frame.
        megabytes: of the file.
        seconds: of a video.

    Raises UserError for a limit that nothing is within.
    """

    megapixels: float
    megabytes: float
    seconds: float

    def __post_init__(self) -> None:
        """Refuse it."""
        for field in fields(self):
            if not 0 < getattr(self, field.name) < float("inf"):
                raise UserError(f"{field.name} must be > 0, got {getattr(self, field.name)}")

    def demand(self, path: Path) -> None:
        """Raise UserError if a file is beyond a limit, or neither an image nor a video that can be read."""
        if path.stat().st_size > self.megabytes * 1e6:
            raise UserError(f"{path}: has more than {self.megabytes:g} MB; shrink or shorten it")
        if not is_video(path):
            self._demand_pixels(path, *image_size(path))
            return
        with closing(Film(path)) as film:
            self._demand_pixels(path, film.video.codec_context.width, film.video.codec_context.height)
            frames, seconds = film.length()
        if seconds > self.seconds:
            raise UserError(f"{path}: lasts {float(seconds):.1f} s, more than {self.seconds:g}; cut it shorter")
        if frames > self.seconds * RATE:
            raise UserError(f"{path}: holds {frames} frames, more than {RATE} a second; cut it shorter")

    def _demand_pixels(self, path: Path, width: int, height: int) -> None:
        if width * height > self.megapixels * 1e6:
            pixels = f"{width}x{height} pixels"
            raise UserError(f"{path}: has {pixels}, more than {self.megapixels:g} megapixels; shrink it")
