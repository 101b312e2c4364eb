"""Runs pooled into rows: seeds of one configuration share a row, everything else is a row of its own."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from src.system.errors import UserError
from src.tables.table.collect import ScoredRun

BASE = "cut"
# the paper's columns, then ours; any other variant follows by name
ORDER = (BASE, "cyclegan", "self", "external", "bam", "triplet", "entropy")
# where, with what and under whose eyes a run was made, not what was trained
_ELSEWHERE = (
    *("variant", "seed", "data.seed", "resume", "compile", "logger", "callbacks"),
    *("data.root", "data.num_workers", "data.batch_size", "data.cache"),
    # which files they hold, the protocol tells by data_digest
    *("data.layout.x", "data.layout.y", "data.layout.x_val", "data.layout.y_val", "data.ignore_x", "data.ignore_y"),
    *("trainer.accelerator", "trainer.strategy", "trainer.devices", "trainer.num_nodes", "trainer.log_every_n_steps"),
    *("metrics", "extractor", "trainer.limit_val_batches"),  # how a run was scored: its protocol tells
)
_METHOD = ("method", "attention", "sampler")  # what makes a variant
_ABSENT = "-"

Settings = Mapping[str, Any]
Kind = tuple[str, Settings]
"""What runs of a row share: variant, and what was trained."""


@dataclass(frozen=True)
class Row:
    """Seeds of one configuration.

    Attributes:
        label: the variant, with whatever sets it apart from other rows of the variant.
        variant: of all its runs.
        runs: by seed.
        settings: what was trained, by dotted key; equal for all its runs.
    """

    label: str
    variant: str
    runs: Mapping[int, ScoredRun]
    settings: Settings

    def against(self, other: "Row") -> str:
        """How its settings differ beyond the method; empty if they do not."""
        changes = differing([self.settings, other.settings])
        return ", ".join(
            f"{name} {_text(ours)} against {_text(theirs)}"
            for name, (ours, theirs) in changes.items()
            if name.split(".")[0] not in _METHOD
        )


def pooled(runs: Sequence[ScoredRun]) -> list[Row]:
    """Rows in the table's order: CUT, CycleGAN, the attentions, the rest.

    Raises UserError if two runs of a row have the same seed.
    """
    groups: dict[str, dict[int, ScoredRun]] = {}
    kinds: dict[str, Kind] = {}
    for run in runs:
        kind = run.variant, _training(run.config, run.seed)
        key = _key(kind)
        kinds[key] = kind
        twin = groups.setdefault(key, {}).setdefault(run.seed, run)
        if twin is not run:
            raise UserError(
                f"{twin.name} and {run.name} are the same run twice (seed {run.seed}, one configuration); leave one out"
            )
    called = _labels(kinds)
    rows = [
        Row(called[key], variant, dict(sorted(groups[key].items())), trained)
        for key, (variant, trained) in kinds.items()
    ]
    return sorted(rows, key=lambda row: (_place(row.variant), row.label))


def labels(runs: Sequence[tuple[str, Settings]]) -> list[str]:
    """What the row of each run is called, by its variant and its configuration."""
    kinds = [(variant, _training(config, config.get("seed"))) for variant, config in runs]
    called = _labels({_key(kind): kind for kind in kinds})
    return [called[_key(kind)] for kind in kinds]


def _key(kind: Kind) -> str:
    return json.dumps(kind, sort_keys=True, default=str)


def _labels(kinds: Mapping[str, Kind]) -> dict[str, str]:
    """The label of each kind of run: its variant, and what sets it apart from others of the variant."""
    found = dict[str, str]()
    for variant in dict.fromkeys(variant for variant, _ in kinds.values()):
        alike = {key: trained for key, (name, trained) in kinds.items() if name == variant}
        changes = differing(list(alike.values()))
        found |= {key: _label(variant, changes, number) for number, key in enumerate(alike)}
    return found


def base_of(row: Row, rows: Sequence[Row]) -> Row | None:
    """The CUT row to compare with: the only one, or the one that shares what sets the CUT rows apart."""
    bases = [other for other in rows if other.variant == BASE]
    if len(bases) == 1:
        return bases[0]
    keys = [key for key in _keys([base.settings for base in bases]) if len({_at(b, key) for b in bases}) > 1]
    return next((base for base in bases if all(_at(base, key) == _at(row, key) for key in keys)), None)


def with_bases(rows: Sequence[Row]) -> list[tuple[Row, Row]]:
    """Every row that is not CUT, with the CUT row to compare it with; those that have none are left out."""
    return [(row, base) for row in rows if row.variant != BASE and (base := base_of(row, rows)) is not None]


def differing(settings: Sequence[Settings]) -> dict[str, list[Any]]:
    """Where settings differ, each difference once, under the shortest name that says which.

    A resolved configuration repeats itself (`selection` stands in `sampler` and in `method` too): of keys that end
    alike and hold the same values, the one nearest to the root and outside the method stays. Where another class was
    chosen (`_target_`), the choice is named as the command line would (`selection=spread`), and the keys that only
    some choices have are left out, unless one choice was made with several values of them.
    """
    changes = {}
    for key in _keys(settings):
        values = [one.get(key, _ABSENT) for one in settings]
        if len({_text(value) for value in values}) > 1:
            changes[key] = values
    chosen = {key.removesuffix("_target_") for key in changes if key.endswith("._target_")}
    once: dict[tuple[str, str], str] = {}
    for key in sorted(changes, key=lambda key: (key.split(".")[0] in _METHOD, key.count("."), key)):
        if not any(key.startswith(node) and _follows(key, f"{node}_target_", settings) for node in chosen):
            once.setdefault((key.rpartition(".")[2], _text(changes[key])), key)
    named: dict[str, list[Any]] = {}
    for key in once.values():
        group = key.split(".")[0]
        named |= {group: _choices(changes[key])} if key.endswith("._target_") else {key: changes[key]}
    return named


def _follows(key: str, choice: str, settings: Sequence[Settings]) -> bool:
    """Whether some of the choices lack the key, and each that has it has one value of it."""
    values: dict[str, set[str]] = {}
    for one in settings:
        values.setdefault(_text(one.get(choice, _ABSENT)), set()).add(_text(one.get(key, _ABSENT)))
    return {_ABSENT} in values.values() and all(len(found) == 1 for found in values.values())


def _training(config: Settings, seed: object) -> dict[str, Any]:
    # one process trains on the joint batch of several
    sizes = [config.get("data.batch_size", 1), config.get("trainer.devices", 1), config.get("trainer.num_nodes", 1)]
    whole = [size for size in sizes if isinstance(size, int)]
    joint = whole[0] * whole[1] * whole[2] if len(whole) == len(sizes) else sizes
    below = tuple(f"{name}." for name in _ELSEWHERE)
    # a key that came with a later version is null unless it is used, and its run a seed of the row of older ones
    kept = {key: value for key, value in config.items() if value is not None and not f"{key}.".startswith(below)}
    trained = {key: _as_number(value) for key, value in kept.items()}
    if (start := trained.get("init_from")) is not None:  # each from the weights of its own seed: seeds of one row
        trained["init_from"] = re.sub(rf"seed{re.escape(str(seed))}(?!\d)", "seed*", str(start))
    return {**trained, "data.batch_size": joint}


def _as_number(value: Any) -> Any:
    """A setting, 1.0 as 1: which of the two was typed makes no difference."""
    if isinstance(value, list):
        return [_as_number(one) for one in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _label(variant: str, changes: Mapping[str, Sequence[Any]], number: int) -> str:
    last = [name.rpartition(".")[2] for name in changes]
    parts = []
    # what this row does not have, as another choice has it, sets it apart only where nothing else does
    has = {name: values for name, values in changes.items() if values[number] != _ABSENT} or changes
    for name, values in has.items():
        short = name.rpartition(".")[2]
        parts.append(f"{name if last.count(short) > 1 else short}={_text(values[number])}")
    return f"{variant} ({', '.join(parts)})" if parts else variant


def _choices(targets: Sequence[Any]) -> list[str]:
    # a yaml has the stem of the file whose class it builds; functions of one file differ by name
    stems = [str(target).split(".")[-2:][0] for target in targets]
    return stems if len(set(stems)) > 1 else [str(target).rpartition(".")[2] for target in targets]


def _keys(settings: Sequence[Settings]) -> list[str]:
    return list(dict.fromkeys(key for one in settings for key in one))


def _at(row: Row, key: str) -> str:
    return _text(row.settings.get(key, _ABSENT))


def _place(variant: str) -> tuple[int, str]:
    return (ORDER.index(variant) if variant in ORDER else len(ORDER), variant)


def _text(value: Any) -> str:
    return f"[{','.join(map(_text, value))}]" if isinstance(value, list) else str(value)
