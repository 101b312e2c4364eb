"""How long something will take, in words."""


def in_words(seconds: float) -> str:
    """A duration as one would say it of an estimate.

    >>> in_words(8.2), in_words(95), in_words(5400), in_words(200_000)
    ('about 8 seconds', 'about 2 minutes', 'about 1.5 hours', 'about 2.3 days')
    """
    for unit, length, digits in (("day", 86400, 1), ("hour", 3600, 1), ("minute", 60, 0)):
        if seconds >= 1.5 * length:
            return f"about {seconds / length:.{digits}f} {unit}s"
    return f"about {max(1, round(seconds))} second{'s' if round(seconds) > 1 else ''}"
