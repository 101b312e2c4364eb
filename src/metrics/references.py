"""What a score is held against, by the suffix that its name then has: what learns nothing, and real frames."""

LEARNT_NOTHING = ("_source", "_transfer", "_aligned")
"""A translator has to do better than each: source frames as they are, or in the photographs' colours."""
OLDEST = ("_source", "_floor")
"""Those that every run has; the others came later."""
NAMES = {
    "_source": "source",
    "_transfer": "colour transfer",
    "_aligned": "colour alignment",
    "_floor": "real against real",
}
"""In columns and sentences."""
ROWS = {
    "_source": "untranslated source",
    "_transfer": "colour transfer (Reinhard)",
    "_aligned": "colour alignment alone",
    "_floor": "real against real",
}
"""In tables whose other rows are translators."""
