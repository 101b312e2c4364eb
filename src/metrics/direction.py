"""Which way a score improves, and how far a value of it is from the best."""

from collections.abc import Mapping
from typing import Literal

Better = Literal["higher", "lower", "nearer to 1"]
ARROWS: Mapping[Better, str] = {"higher": "↑", "lower": "↓", "nearer to 1": "→ 1"}


def better(score: str) -> Better:
    """What improves a score, under any extractor (`is`, `is_clip`, ...).

    IS and content that is kept improve upwards; sharpness is a ratio to real images, of which too much is noise or
    ringing; distances (FID, KID, SWD) improve downwards, and so does content that is invented or lost.

    Examples:
        >>> better("kid_efficientnet_lite0"), better("is_clip"), better("sharpness_own")
        ('lower', 'higher', 'nearer to 1')
        >>> better("content_agreement"), better("content_agreement_loss_tree")
        ('higher', 'lower')
    """
    family, *rest = score.split("_")
    if family == "sharpness":
        return "nearer to 1"
    return (
        "higher" if family == "is" or (family == "content" and not {"hallucination", "loss"} & set(rest)) else "lower"
    )


def distance(score: str, value: float) -> float:
    """Of a value from the best that a score could be, or from any fixed point beyond it: the less, the better."""
    return {"lower": value, "higher": -value, "nearer to 1": abs(value - 1)}[better(score)]
