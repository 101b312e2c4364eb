"""Whether a finished run has learnt anything: its output beside what learns nothing, by one score, in one line."""

from collections.abc import Mapping

from src.metrics.direction import distance

_LEARNT_NOTHING = {"_source": "the source", "_transfer": "a colour transfer that learns nothing"}


def verdict(score: str, metrics: Mapping[str, float], longer: str) -> str:
    """Whether the output is nearer to the photographs than the source is, and than a colour transfer makes it.

    A difference of less than the score's standard error, which stands beside it where it is known, says little.

    Args:
        score: that judges, KID as a rule.
        metrics: of the run; those of the source and the colour transfer are there.
        longer: the command that trains on.
    """
    family, value = score.partition("_")[0].upper(), metrics[score]
    error = metrics.get(f"{score}_error")
    said: dict[bool, list[str]] = {True: [], False: []}
    for suffix, name in _LEARNT_NOTHING.items():
        other = metrics[score + suffix]
        said[distance(score, value) < distance(score, other)].append(f"{name} ({other:.3f})")
    ways = [
        f"{word} to the photographs than {' and than '.join(said[won])}"
        for won, word in ((True, "nearer"), (False, "NO NEARER"))
        if said[won]
    ]
    line = f"{family} {value:.3f}{'' if error is None else f' ± {error:.3f}'}: {', but '.join(ways)}"
    return line if not said[False] else f"{line}; look at the picture, and train longer: {longer}"
