"""Which way a score improves."""


def higher_is_better(score: str) -> bool:
    """True for IS under any extractor (`is`, `is_clip`, ...); distances (FID, KID, SWD) improve downwards."""
    return score.split("_")[0] == "is"
