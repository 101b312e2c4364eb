"""Seeds as a sample: mean and deviation, the paired t-test, and Holm's correction for testing several rows."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

CONFIDENCE = 0.95
LEVEL = "95 %"


@dataclass(frozen=True)
class Summary:
    """Mean of `n` values, and their sample deviation (n - 1 in the denominator); None for a single value."""

    mean: float
    std: float | None
    n: int


def interval(values: Sequence[float]) -> tuple[float, float] | None:
    """95 % interval of the mean of normal values (Student 1908); None for fewer than two."""
    if len(values) < 2:
        return None
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, len(values) - 1) * np.std(values, ddof=1) / math.sqrt(len(values)))
    mean = float(np.mean(values))
    return mean - half, mean + half


@dataclass(frozen=True)
class Paired:
    """Paired t-test of a difference: its mean, 95 % interval (not corrected), p of "no difference", and n pairs."""

    difference: float
    low: float
    high: float
    p: float
    n: int


def summary(values: Sequence[float]) -> Summary:
    """Mean and deviation of at least one value."""
    std = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return Summary(float(np.mean(values)), std, len(values))


def paired(values: Mapping[int, float], base: Mapping[int, float]) -> Paired | None:
    """Paired t-test (Student 1908) of values minus base, by seed.

    Returns None where nothing can be tested: fewer than two common seeds, a value that is not finite, or differences
    that are all the same, whose variance is no estimate.
    """
    seeds = sorted(values.keys() & base.keys())
    ours = np.array([values[seed] for seed in seeds])
    theirs = np.array([base[seed] for seed in seeds])
    differences = ours - theirs
    if len(seeds) < 2 or not np.isfinite(differences).all():
        return None
    if np.ptp(differences) <= 1e-12 * max(np.abs(ours).max(), np.abs(theirs).max()):
        return None
    test = stats.ttest_rel(ours, theirs)
    between = test.confidence_interval(CONFIDENCE)
    return Paired(float(differences.mean()), float(between.low), float(between.high), float(test.pvalue), len(seeds))


def holm(p: Sequence[float]) -> list[float]:
    """Holm's step-down adjusted p-values (Holm 1979), in the order given.

    The i-th smallest of m is multiplied by m - i + 1; none falls below a smaller one's, none exceeds 1.
    """
    adjusted = [math.nan] * len(p)
    running = 0.0
    for rank, index in enumerate(sorted(range(len(p)), key=lambda index: p[index])):
        running = max(running, min(1.0, (len(p) - rank) * p[index]))
        adjusted[index] = running
    return adjusted


def power(effect: float, n: int, alpha: float = 1 - CONFIDENCE) -> float:
    """Chance that the two-sided paired t-test of n pairs finds a difference of `effect` standard deviations.

    The deviation is that of the differences. By the noncentral t distribution (Cohen 1988, ch. 2).
    """
    freedom, shift = n - 1, abs(effect) * math.sqrt(n)
    critical = stats.t.ppf(1 - alpha / 2, freedom)
    return float(stats.nct.sf(critical, freedom, shift) + stats.nct.cdf(-critical, freedom, shift))


def pairs_needed(effect: float, wanted: float = 0.8, most: int = 1000) -> int | None:
    """The fewest pairs, two at least, that give the paired t-test such a power; None where `most` do not.

    Examples:
        >>> pairs_needed(0.8), pairs_needed(0.5)
        (15, 34)
    """
    return next((n for n in range(2, most + 1) if power(effect, n) >= wanted), None)
