"""The carriageway of a scene and the strips beside it."""

from dataclasses import dataclass

import numpy as np

LANE = 3.3  # metres
END = 135.0  # metres; the street ends here


@dataclass(frozen=True)
class Road:
    """Positions are x in metres from the centre line; pairs are (left, right)."""

    kerbs: tuple[float, float]
    parking: tuple[bool, bool]
    pavements: tuple[float, float]  # widths
    verges: tuple[float, float]  # widths of the grass beyond the pavements, 0 for none
    lanes: tuple[int, int]
    solid: bool  # centre line without gaps
    yellow: bool  # centre line in yellow
    crossing: float | None  # z at which a side street begins
    crossing_width: float
    zebra: bool

    def lots(self, side: int) -> float:
        """X at which the lots of side -1 (left) or 1 (right) begin."""
        i = int(side > 0)
        return self.kerbs[i] + side * (self.pavements[i] + self.verges[i])

    def in_crossing(self, z: float, margin: float = 0.0) -> bool:
        """Whether z lies in the side street or within a margin of it."""
        start = self.crossing
        return start is not None and start - margin < z < start + self.crossing_width + margin


def random_road(rng: np.random.Generator) -> Road:
    """Two to four lanes, perhaps parking, pavements, verges and a side street."""
    lanes = (1 + int(rng.random() < 0.2), 1 + int(rng.random() < 0.25))
    parking = (bool(rng.random() < 0.5), bool(rng.random() < 0.45))
    left, right = (LANE * n + 2.2 * p + 0.3 for n, p in zip(lanes, parking, strict=True))
    grass = [rng.uniform(0.8, 3.0) if rng.random() < 0.5 else 0.0 for _ in range(2)]
    return Road(
        kerbs=(-left, right),
        parking=parking,
        pavements=(rng.uniform(2.2, 4.8), rng.uniform(2.2, 4.8)),
        verges=(grass[0], grass[1]),
        lanes=lanes,
        solid=bool(rng.random() < 0.35),
        yellow=bool(rng.random() < 0.25),
        crossing=rng.uniform(11, 45) if rng.random() < 0.45 else None,
        crossing_width=rng.uniform(7, 11),
        zebra=bool(rng.random() < 0.7),
    )
