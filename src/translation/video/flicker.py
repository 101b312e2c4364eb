"""How much more a translated video changes from frame to frame than its source does."""

import numpy as np

from src.data.images import Pixels


class Flicker:
    """Mean absolute difference of consecutive frames, in grey levels of 255, over all pixels, colours and pairs.

    Motion changes source and output alike. What the output changes more than that is flicker, or contrast that the
    translator adds; what it changes less is smoothed away. A still camera on a still street tells them best apart.
    """

    def __init__(self) -> None:
        self._last: tuple[Pixels, Pixels] | None = None
        self._sums = [0.0, 0.0]
        self._pairs = 0

    def add(self, source: Pixels, output: Pixels) -> None:
        """The next frame, [H, W, 3], before and after translation."""
        if self._last is not None:
            for number, (now, before) in enumerate(zip((source, output), self._last, strict=True)):
                self._sums[number] += float(np.abs(now.astype(np.int16) - before).mean())
            self._pairs += 1
        self._last = (source, output)

    def numbers(self) -> dict[str, float | None]:
        """`change_source`, `change_output`, and `flicker`, the second minus the first; None of a single frame."""
        if not self._pairs:
            return {"change_source": None, "change_output": None, "flicker": None}
        source, output = (total / self._pairs for total in self._sums)
        return {"change_source": source, "change_output": output, "flicker": output - source}
