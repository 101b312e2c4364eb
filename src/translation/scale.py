"""The height that frames are translated at, beside the height that the translator was trained at."""

import sys
from dataclasses import dataclass, field
from pathlib import Path

from tqdm import tqdm

from src.system.errors import UserError

FAR = 1.5
"""Times a frame may be higher than those of the training, or lower, before a word is said."""
SMALLEST, LARGEST = 32, 8192


@dataclass
class Scale:
    """One for all frames of a command.

    Attributes:
        trained: height in pixels of the frames the translator was trained on; None if that is not known.
        size: height in pixels that frames are translated at, and come back from; None takes them at their own.

    Raises UserError for a size that no frame should have.
    """

    trained: int | None = None
    size: int | None = None
    _said: bool = field(default=False, init=False, repr=False)

    def __post_init__(self) -> None:
        """Refuse it."""
        if self.size is not None and not SMALLEST <= self.size <= LARGEST:
            raise UserError(f"size must lie in [{SMALLEST}, {LARGEST}], got {self.size}")

    def is_far(self, height: int) -> bool:
        """Whether a frame of that height is far from what the translator has learnt, and is not brought nearer."""
        if self.trained is None or self.size is not None:
            return False
        return not self.trained / FAR <= height <= self.trained * FAR

    def look(self, path: Path, height: int) -> None:
        """Say in one line, once, that a frame is far.

        Args:
            path: of the frame, or of its film.
            height: of the frame in pixels.
        """
        if self._said or not self.is_far(height):
            return
        self._said = True
        tqdm.write(  # above a progress bar and not into it
            f"{path} is {height} pixels high, the translator was trained at {self.trained} and paints worse the "
            f"farther from it; size={self.trained} works at that height and comes back to the frame's own",
            sys.stderr,
        )
