"""What two sets of real images score against each other at the numbers of images that the rows have.

No set of real images can be cut into two as large as itself, and distances of small sets are larger. So it is cut into
two at several sizes, and what is found there is carried on to the rows' number. Frames of one video are near-duplicates
of their neighbours: it is cut between stretches of a video, never within one.
"""

import math
import random
import re
from collections.abc import Callable, Sequence
from functools import partial
from itertools import groupby
from math import log2, sqrt
from pathlib import Path
from statistics import fmean, stdev

import numpy as np
import torch

from src.metrics.image_set import ImageSet
from src.metrics.inception_score import inception_score
from src.metrics.scores import Scores

DRAWS = 4
"""Ways in which the real images are cut into two."""
LEAST = 4
"""Real images: two a side."""

_FRAME = re.compile(r"(?P<sequence>.*?)[_-]?[A-Za-z]?\d+(_[A-Za-z][A-Za-z0-9]*)*")


def stretches(files: Sequence[Path]) -> list[list[int]]:
    """Places in `files`, in stretches of consecutive frames that stay on one side of a cut; each place once.

    A sequence is what a name says before its frame number (`0001TP_006690`, `Seq05VD_f00000`,
    `aachen_000000_000019_leftImg8bit`), in one folder; names that are numbers alone are one. One of more than an eighth
    of all files is cut into stretches of at most that.

    Examples:
        >>> one, other = ([Path(f"{name}_{number}.png") for number in range(8)] for name in ("street", "tunnel"))
        >>> stretches(one + other)
        [[0, 1], [2, 3], [4, 5], [6, 7], [8, 9], [10, 11], [12, 13], [14, 15]]
    """
    most = max(1, len(files) // 8)
    order = sorted(range(len(files)), key=lambda place: (_sequence(files[place]), place))
    found: list[list[int]] = []
    for _, members in groupby(order, key=lambda place: _sequence(files[place])):
        places = list(members)
        parts = -(-len(places) // most)
        found += [places[len(places) * part // parts : len(places) * (part + 1) // parts] for part in range(parts)]
    return found


def floor(
    scores: Scores, real: ImageSet, stretches: Sequence[Sequence[int]], counts: tuple[int, int], where: torch.device
) -> dict[str, float]:
    """Scores of real images against real ones, by the names of Scores.

    KID, FID and SWD are means over four cuts at up to three sizes, carried on to `counts`; `*_error` is the standard
    error over cuts. IS is that of all real images.

    Args:
        scores: of the rows.
        real: at least four images.
        stretches: of its images, see `stretches`.
        counts: images of the rows, translated and real.
        where: the device to compute on.
    """
    cuts = [_cut(stretches, draw) for draw in range(DRAWS)]
    sizes = _sizes(min(len(side) for cut in cuts for side in cut))
    found = [
        [scores.again(real.part(one[:size]), real.part(other[:size]), where) for size in sizes] for one, other in cuts
    ]
    # distances of unequal sets fall as those of sets of their harmonic mean; SWD thins the larger one
    fewer, harmonic = min(counts), 2 / (1 / counts[0] + 1 / counts[1])
    values: dict[str, float] = {}
    for name in scores.names:
        family = name.partition("_")[0]
        if family not in _LAWS or name not in found[0][0]:
            continue
        count = fewer if family == "swd" else harmonic
        by_cut = [[of_size[name] for of_size in of_cut] for of_cut in found]
        means = [fmean(column) for column in zip(*by_cut, strict=True)]
        values[name] = _LAWS[family](sizes, means, count)
        values[f"{name}_error"] = stdev(_LAWS[family](sizes, one, count) for one in by_cut) / sqrt(DRAWS)
    if real.logits is not None:
        name = next(name for name in scores.names if name.startswith("is"))
        values[name], values[f"{name}_std"] = inception_score(real.logits)
    return values


def described(counts: tuple[int, int]) -> str:
    """The floor's protocol."""
    return (
        f"real against real at n = {counts[0]} and {counts[1]}: mean of {DRAWS} cuts into two between stretches of a "
        "video, at up to three sizes, carried on as a + b / sqrt(n) (SWD), a + b / n (KID) and b / n^p (FID); *_error: "
        "standard error over cuts; IS: of all real images"
    )


def linear(sizes: Sequence[int], values: Sequence[float], count: float, power: float) -> float:
    """What a + b n^-power gives at n = count, fitted to values at sizes; those of larger sizes weigh more."""
    if len(sizes) == 1:
        return values[0]
    slope, limit = np.polyfit(np.power(sizes, -power), values, 1, w=np.sqrt(sizes))
    return float(limit + slope * math.pow(count, -power))


def geometric(sizes: Sequence[int], values: Sequence[float], count: float) -> float:
    """What b / n^p gives at n = count, through the two largest sizes, one twice the other.

    p is 1 where images are many more than features, and less where they are fewer.
    """
    if len(sizes) == 1 or min(values[-2:]) <= 0:  # images that are all the same
        return values[-1]
    power: float = log2(values[-2] / values[-1])
    return values[-1] * math.pow(sizes[-1] / count, power)


def constant(sizes: Sequence[int], values: Sequence[float], count: float) -> float:
    """The value at the largest size, of a score that does not depend on the number of images."""
    return values[-1]


_LAWS: dict[str, Callable[[Sequence[int], Sequence[float], float], float]] = {
    "swd": partial(linear, power=0.5),
    "kid": partial(linear, power=1.0),
    "fid": geometric,
    "sharpness": constant,
}


def _sizes(half: int) -> list[int]:
    """Up to three, each twice the one before, the largest at most `half`."""
    for doublings in (2, 1):
        if (smallest := half // 2**doublings) >= 2:
            return [smallest * 2**step for step in range(doublings + 1)]
    return [half]


def _cut(stretches: Sequence[Sequence[int]], draw: int) -> tuple[list[int], list[int]]:
    """Stretches in random order, each to the side that has fewer images."""
    sides: tuple[list[int], list[int]] = ([], [])
    for stretch in random.Random(draw).sample(list(stretches), len(stretches)):
        min(sides, key=len).extend(stretch)
    return sides


def _sequence(path: Path) -> tuple[str, str]:
    found = _FRAME.fullmatch(path.stem)
    return str(path.parent), found["sequence"] if found else ""
