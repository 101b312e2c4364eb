"""Which table of conf/labels the ids of a set belong to: where code ranges overlap, that one knows them is no proof.

Train ids, 0 to 18, are all label ids of Cityscapes too, of other classes; CamVid's, 0 to 11, are both. The narrowest
table that knows all ids of a set is taken for its own: no real set of a wider one lacks cars, sky and trees.
"""

from collections.abc import Iterable, Sequence
from functools import cache

import numpy as np
from omegaconf import OmegaConf

from src.config.build import build
from src.config.naming import GROUPS
from src.data.labelled import LabelledFrame
from src.data.labels import LabelTable, read_ids
from src.system.errors import UserError

LOOKED_AT = 50
"""Class maps, evenly spaced; they hold the ids of a set of any size."""


@cache
def tables() -> dict[str, LabelTable]:
    """All of conf/labels, by name."""
    return {path.stem: build(OmegaConf.load(path), "labels") for path in sorted((GROUPS / "labels").glob("*.yaml"))}


def closest_table(ids: Iterable[int]) -> str | None:
    """Name of the table of conf/labels that knows all ids of a set and fewest others; None if none knows all."""
    found = set(ids)
    knowing = {name: table for name, table in tables().items() if found <= table.known}
    return min(knowing, key=lambda name: len(knowing[name].known), default=None)


def other_table(ids: Iterable[int], table: LabelTable) -> str | None:
    """Name of the table of conf/labels that the ids of a set belong to, if `table` is another of conf/labels.

    A table that stands nowhere there is its user's own, and is not doubted.
    """
    found = set(ids)
    name = closest_table(found) if found <= table.known else None
    ours = any(one.known == table.known for one in tables().values())
    return name if ours and name is not None and tables()[name].known != table.known else None


def demand_own(frames: Sequence[LabelledFrame], table: LabelTable, key: str, mend: str = "choose it") -> None:
    """Refuse a set whose ids belong to another table, and class maps that the table cannot read.

    Args:
        frames: of the set.
        table: that is to read it.
        key: of the set in the configuration, for messages.
        mend: what to do with the other table.
    """
    looked_at = frames[:: max(1, len(frames) // LOOKED_AT)]
    ids = {identity for frame in looked_at for identity in np.unique(read_ids(frame.labels)).tolist()}
    if (other := other_table(ids, table)) is not None:
        found = ", ".join(map(str, sorted(ids)))
        raise UserError(f"{key}: its class maps hold the ids {found}, which are those of labels={other}; {mend}")
    for frame in looked_at:
        table.read(frame.labels)
