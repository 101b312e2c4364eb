"""The columns of a table, read off the names of scores and costs that its runs hold."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from src.metrics.direction import ARROWS, better
from src.tables.table.collect import ScoredRun
from src.tables.table.published import QUOTED

FAMILIES = (
    *("fid", "is", "kid", "swd_unit", "swd_std", "sharpness", "sharpness_own"),
    *("content_accuracy", "content_miou", "content_hallucination", "content_loss"),
    *("content_agreement", "content_agreement_hallucination", "content_agreement_loss"),
)
"""A name may go on with its extractor, or with a class."""
NEAR_ONE = ("sharpness", "sharpness_own")
COMPANIONS = ("_source", "_floor", "_transfer", "_aligned", "_raw", "_best", "_std", "_spread", "_error")
THROUGH = "discriminator_through"
"""Key of a protocol that names the network which took part in training."""
_ASIDE = ("best_epoch",)  # a number of an epoch is no score
_COSTS = {
    "seconds_per_step": ("s/step", 1.0),
    "peak_cuda_bytes": ("peak GPU memory, GiB", 2.0**-30),
    "peak_process_bytes": ("peak process memory, GiB", 2.0**-30),
}


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes:
        key: its name in files.
        heading: its name for people, without the arrow.
        kind: "score" is tested; "best" is the best epoch's, "quoted" the paper's, "cost" what training took.
        direction: +1 if more is better, -1 if less is, 0 where neither is.
        decimals: digits after the point, for people.
        unit: what a value is multiplied by, for people.
    """

    key: str
    heading: str
    kind: Literal["score", "best", "quoted", "cost"]
    direction: int
    decimals: int
    unit: float = 1.0

    @property
    def arrow(self) -> str:
        """The better direction."""
        if self.family in NEAR_ONE:
            return ARROWS["nearer to 1"]
        return {1: ARROWS["higher"], -1: ARROWS["lower"], 0: ""}[self.direction]

    @property
    def family(self) -> str:
        """What kind of score it is, whatever the extractor."""
        return family_of(self.key)

    def by_seed(self, runs: Mapping[int, ScoredRun]) -> dict[int, float]:
        """The values of those runs that have one."""
        return {seed: value for seed, run in runs.items() if (value := self.of(run)) is not None}

    def of(self, run: ScoredRun) -> float | None:
        """The value a run has here; None if it has none."""
        if self.kind in ("score", "best"):
            return run.metrics.get(self.key)
        return _costs(run).get(self.key)

    def reference(self, run: ScoredRun, suffix: str) -> float | None:
        """The value of a reference, such as "_source" or "_floor", that stands beside the run's own."""
        return run.metrics.get(self.key + suffix) if self.kind == "score" else None

    def text(self, value: float) -> str:
        """A value as people read it."""
        return f"{value * self.unit:,.{self.decimals}f}"


def columns(runs: Sequence[ScoredRun]) -> list[Column]:
    """Scores in the order of the runs' files, with the paper's values beside them, then costs.

    The best epoch stands beside the first score alone, by which it was chosen; runs.csv has the others'.
    """
    names = list(dict.fromkeys(name for run in runs for name in run.metrics))
    trained_with = tuple(f"_{run.protocol[THROUGH]}" for run in runs if THROUGH in run.protocol)
    found: list[Column] = []
    quoted: set[str] = set()
    for name in headlines(names):
        family = family_of(name)
        direction = 0 if family not in FAMILIES else {"higher": 1, "lower": -1, "nearer to 1": 0}[better(name)]
        decimals = _decimals(run.metrics.get(name) for run in runs)
        if trained_with and name.endswith(trained_with):
            # a judge who was the teacher: shown, never compared
            found.append(Column(name, f"{name}, whose network took part in training", "score", 0, decimals))
            continue
        found.append(Column(name, name, "score", direction, decimals))
        if (best := f"{name}_best") in names and not any(column.kind == "best" for column in found):
            found.append(Column(best, f"{name}, best epoch", "best", direction, decimals))
        if family in QUOTED and family not in quoted:
            quoted.add(family)
            found.append(Column(f"{family}_quoted", f"{QUOTED[family][0]}, paper (quoted)", "quoted", direction, 0))
    return found + _cost_columns(runs)


def headlines(names: Sequence[str]) -> list[str]:
    """The scores themselves, without what stands beside one of them: references, deviations, other weights.

    A companion is a name that is left when one such word is taken out of it, at its end or before the extractor:
    `is_std_clip` stands beside `is_clip`. `swd_std` is a score, for there is no `swd`.
    """
    there = set(names)
    return [name for name in names if name not in _ASIDE and not there & _without_a_word(name)]


def _without_a_word(name: str) -> set[str]:
    places = [(word, at.start()) for word in COMPANIONS for at in re.finditer(f"{word}(?=_|$)", name)]
    return {name[:start] + name[start + len(word) :] for word, start in places}


def family_of(name: str) -> str:
    """`fid` for `fid_efficientnet_lite0`; the name itself where no family is known."""
    fitting = [family for family in FAMILIES if name == family or name.startswith(f"{family}_")]
    return max(fitting, key=len, default=name)


def _cost_columns(runs: Sequence[ScoredRun]) -> list[Column]:
    there = list(dict.fromkeys(key for run in runs for key in _costs(run)))
    parts = [Column(key, f"parameters, {key.partition('.')[2]}", "cost", 0, 0) for key in there if "." in key]
    others = [
        Column(key, heading, "cost", -1, _decimals(_costs(run).get(key, 0.0) * unit for run in runs), unit)
        for key, (heading, unit) in _COSTS.items()
        if key in there
    ]
    return parts + others


def _costs(run: ScoredRun) -> Mapping[str, float]:
    parts: Mapping[str, Any] = run.protocol.get("parameters", {})
    return {f"parameters.{part}": float(count) for part, count in parts.items()} | dict(run.cost)


def _decimals(values: Iterable[float | None]) -> int:
    # four digits of the largest value, as the paper's 55.48 and 395.8
    largest = max((abs(value) for value in values if value is not None and abs(value) < float("inf")), default=0.0)
    if largest == 0:
        return 2
    return min(5, max(0, 3 - int(f"{largest:e}".partition("e")[2])))
