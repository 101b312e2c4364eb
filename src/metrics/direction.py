"""Which way a score improves."""


def higher_is_better(score: str) -> bool:
    """True for IS under any extractor (`is`, `is_clip`, ...) and for content that is kept.

    Distances (FID, KID, SWD) improve downwards, and so does content that is invented or lost.
    """
    family, *rest = score.split("_")
    return family == "is" or (family == "content" and not {"hallucination", "loss"} & set(rest))
