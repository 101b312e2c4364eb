"""What all runs of one table must share, so that their scores may stand beside each other."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from src.system.errors import UserError
from src.tables.table.collect import ScoredRun

# what a run has of its own; the table gives it a place elsewhere
OWN = ("seed", "commit", "ranks", "parameters", "arithmetic", "scores", "discriminator_through", "init_from_sha256")
# what older runs do not tell; it is compared among those that do
LATER = ("frame_size", "white")
NAMED = 3


def shared(runs: Sequence[ScoredRun]) -> dict[str, Any]:
    """The one protocol of the runs, without what each has of its own, in the order of the first run's file.

    A run without scores need not say how they were computed.

    Raises UserError, naming keys, values and runs, where they differ.
    """
    keys = list(dict.fromkeys(key for run in runs for key in run.protocol if key not in OWN))
    differences = [found for key in keys if (found := _difference(key, runs))]
    for start in dict.fromkeys(run.config.get("init_from") for run in runs):  # one path was one file to all
        alike = [run for run in runs if run.config.get("init_from") == start]
        differences += [found] if (found := _difference("init_from_sha256", alike)) else []
    if differences:
        raise UserError(
            f"scores of different protocols cannot share a table: {'; '.join(differences)}; report the runs apart"
        )
    return {key: next(run.protocol[key] for run in runs if key in run.protocol) for key in keys}


def _difference(key: str, runs: Sequence[ScoredRun]) -> str | None:
    by_value: dict[str, list[str]] = {}
    for run in runs:
        if key in run.protocol or (run.metrics and key not in LATER):
            by_value.setdefault(readable(run.protocol.get(key)), []).append(run.name)
    if len(by_value) < 2:
        return None
    return f"{key} is " + ", ".join(f"{value} in {_names(names)}" for value, names in by_value.items())


def readable(value: object) -> str:
    """A value of a protocol as text; "-" for what is missing."""
    if value is None:
        return "-"
    return value if isinstance(value, str) else json.dumps(value)


def described(protocol: Mapping[str, Any], runs: Sequence[ScoredRun]) -> str:
    """One paragraph: what `entries` holds, every entry under its own name."""
    return "; ".join(f"{key}: {value}" for key, value in entries(protocol, runs).items()) + "."


def entries(protocol: Mapping[str, Any], runs: Sequence[ScoredRun]) -> dict[str, str]:
    """Seeds, commits, what the last bits follow from, and the shared protocol as text, by name."""
    kinds = {str(run.protocol["arithmetic"]) for run in runs if "arithmetic" in run.protocol}
    own = {
        "seeds": ", ".join(str(seed) for seed in sorted({run.seed for run in runs})),
        "commit": ", ".join(commits(runs)),
        **({"arithmetic": " or ".join(sorted(kinds))} if kinds else {}),
    }
    return {key: readable(value) for key, value in {**own, **protocol}.items()}


def commits(runs: Sequence[ScoredRun]) -> list[str]:
    """Commits of the code that trained the runs, sorted."""
    return sorted({str(run.protocol.get("commit", "unknown")) for run in runs})


def _names(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
