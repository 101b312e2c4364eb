"""Classes of a data set: which ids its class maps hold, their names and colours, and what is left out."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from src.data.images import Pixels, open_image
from src.system.errors import UserError, did_you_mean

IGNORE = 255

ClassMap = NDArray[np.uint8]
"""[H, W], train ids from 0, or IGNORE."""


class LabelTable:
    """From the ids of a data set's class maps to train ids, which count from 0 in the order of `classes`.

    Args:
        classes: of each its `id` in the files (0 to 255), its `name` and its `colour` (R, G, B).
        void: ids that become IGNORE. An id that is neither here nor a class's is taken for a wrong table.
        watched: name of the class whose invention is reported first, trees in road scenes.
    """

    def __init__(self, *, classes: Sequence[Mapping[str, Any]], void: Sequence[int], watched: str) -> None:
        if len(classes) < 2:
            raise UserError(f"labels.classes must name at least 2 classes, got {len(classes)}")
        self._train_ids = np.full(256, IGNORE, np.uint8)
        self._known = np.isin(np.arange(256), [*void, *(entry.get("id", -1) for entry in classes)])
        self._colours = np.zeros((256, 3), np.uint8)
        self.names: list[str] = []
        for number, entry in enumerate(classes):
            if set(entry) != {"id", "name", "colour"}:
                raise UserError(f"labels.classes[{number}] must have id, name and colour, got {', '.join(entry)}")
            identity, name, colour = entry["id"], str(entry["name"]), list(entry["colour"])
            if not isinstance(identity, int) or not 0 <= identity <= 255:
                raise UserError(f"labels.classes[{number}].id must be a whole number in [0, 255], got {identity}")
            if len(colour) != 3 or not all(isinstance(c, int) and 0 <= c <= 255 for c in colour):
                raise UserError(f"labels.classes[{number}].colour must be three numbers in [0, 255], got {colour}")
            if self._train_ids[identity] != IGNORE or name in self.names:
                raise UserError(f"labels.classes[{number}]: id {identity} or name {name!r} is there twice")
            self._train_ids[identity] = number
            self._colours[number] = colour
            self.names.append(name)
        if watched not in self.names:
            near = did_you_mean(watched, self.names)
            raise UserError(f"labels.watched={watched}: no such class; there are {', '.join(self.names)}{near}")
        self.watched = watched

    def __len__(self) -> int:
        """Number of classes."""
        return len(self.names)

    @property
    def known(self) -> frozenset[int]:
        """All ids that are a class's or void."""
        return frozenset(np.flatnonzero(self._known).tolist())

    def unknown(self, ids: Iterable[int]) -> list[int]:
        """Those ids that are neither a class's nor void."""
        return [identity for identity in ids if not self._known[identity]]

    def shares(self, pixels: Mapping[int, int]) -> dict[str, float]:
        """Share of all pixels by class, largest first, with "void" and "unknown to the table" where there are such.

        Args:
            pixels: how many there are, by id.
        """
        counts: Counter[str] = Counter()
        for identity, count in pixels.items():
            number = int(self._train_ids[identity])
            left_out = "void" if self._known[identity] else "unknown to the table"
            counts[left_out if number == IGNORE else self.names[number]] += count
        return {name: count / counts.total() for name, count in counts.most_common()}

    def encode(self, ids_HW: NDArray[np.uint8]) -> ClassMap:
        """Ids as in the files -> train ids."""
        return np.asarray(self._train_ids[ids_HW])

    def paint(self, labels_HW: ClassMap) -> Pixels:
        """Train ids -> colours, [H, W, 3]; IGNORE is black."""
        return np.asarray(self._colours[labels_HW])

    def read(self, path: Path) -> ClassMap:
        """The class map of a file of ids: 8-bit grey, 16-bit grey, or a palette picture, whose indices are the ids.

        Raises UserError if the file is missing, unreadable, a picture of colours, or holds an id that the table does
        not know, or no class at all.
        """
        ids = read_ids(path)
        strange = self.unknown(np.unique(ids).tolist())
        if strange:
            named = ", ".join(map(str, strange))
            raise UserError(f"{path}: the label table knows no id {named}; choose another with labels=")
        labels = self.encode(ids)
        if (labels == IGNORE).all():
            raise UserError(f"{path}: holds none of the classes of this label table; choose another with labels=")
        return labels


def read_ids(path: Path) -> NDArray[np.uint8]:
    """The ids of a class map as they are, whatever table they belong to; raises UserError as LabelTable.read does."""
    with open_image(path, "class map") as file:
        demand_ids(path, file)
        mode, ids = file.mode, np.asarray(file)
    if ids.dtype == bool or ids.min() < 0 or ids.max() > 255:
        raise UserError(f"{path}: class ids must lie in [0, 255] (mode {mode}); convert it to an 8-bit PNG")
    return ids.astype(np.uint8)


def demand_ids(path: Path, file: Image.Image) -> None:
    """Raise UserError, by its header, for a picture of colours where one of ids should be."""
    if len(file.getbands()) > 1:
        raise UserError(f"{path}: holds colours (mode {file.mode}), not class ids; convert it to a grey or palette PNG")
