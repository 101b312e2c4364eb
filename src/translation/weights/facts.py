"""What an exported file says of itself: texts by name, the same in every format."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from src.data.sixteen_bits import WHITE, white_of
from src.networks.generator import STRIDE, Architecture, Generator
from src.runs.folder import WEIGHTS, load_config
from src.runs.results import load_metrics
from src.system.commit import git_commit
from src.system.errors import UserError
from src.system.files import sha256
from src.translation.weights.terms import Terms, terms

MADE_BY = "attention-cut, python -m src.export"
RANGE = "[-1, 1]"
LONGEST = 1000
"""Characters of a fact."""


@dataclass(frozen=True)
class Provenance:
    """Where a generator comes from, as far as its run says.

    Attributes:
        facts: texts by name, for the file.
        terms: its licence, and credits to the makers of its training frames.
        metrics: scores of the run.
        protocol: what they need beside them.
    """

    facts: dict[str, str]
    terms: Terms
    metrics: dict[str, float]
    protocol: dict[str, object]


def gather(folder: Path, network: Generator, *, average: bool, licence: str | None) -> Provenance:
    """The facts of a run's generator.

    Args:
        folder: of a finished run.
        network: its generator.
        average: whether the weights are the averaged ones.
        licence: what may be done with the weights; None says what follows from the data set.

    Raises UserError if the run has no scores yet.
    """
    config = load_config(folder)
    metrics, protocol = load_metrics(folder)
    data = config.get("data")
    white = white_of(data)
    layout = str(OmegaConf.select(config, "data.layout._target_"))
    digest = str(protocol.get("data_digest", "unknown"))
    start = protocol.get("init_from_sha256")
    allowed = terms(layout, _name(data), digest, licence)
    facts = {
        "made_by": MADE_BY,
        "what": f"image-to-image translator x -> y, a ResNet generator ({config.get('variant', 'unknown')})",
        "architecture": json.dumps(network.architecture._asdict()),
        "weights": "average over training" if average else "last step",
        "weights_sha256": sha256(folder / WEIGHTS),
        "input": f"images [B, 3, H, W], float32, RGB, values in {RANGE}",
        "output": f"images of the same shape, RGB, values in {RANGE}",
        "sizes": f"H and W multiples of {STRIDE}, at least {2 * STRIDE}; src.translate repeats the border up to one "
        "and cuts it off again",
        "data": _named(data, layout),
        "data_digest": digest,
        "training_size": _size(height_of(data)),
        **({} if white == WHITE else {"white": f"{white} in 16-bit files: src.translate weights=... white={white}"}),
        "seed": str(protocol.get("seed", "unknown")),
        "steps": str(protocol.get("batches", "unknown")),
        **({"began_with": f"weights of another training, sha256 {start}; their terms hold too"} if start else {}),
        "commit": str(protocol.get("commit", "unknown")),
        "exported_by_commit": git_commit(),
        "licence": f"weights: {allowed.licence}; code: MIT",
    }
    for key, value in facts.items():
        if len(value) > LONGEST or not value.isprintable():
            raise UserError(f"{key}: up to {LONGEST} printable characters in one line, please")
    return Provenance(facts, allowed, metrics, protocol)


def architecture(facts: Mapping[str, str]) -> Architecture:
    """Read from the facts; raises ValueError if they are none of src.export's."""
    if facts.get("made_by") != MADE_BY or "architecture" not in facts:
        raise ValueError("does not say that src.export wrote it")
    try:
        content = json.loads(facts["architecture"])
        width, blur, blocks = content["width"], content["blur"], content["blocks"]
        output, align = content.get("output", "plain"), content.get("align", False)  # older files do not say
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError("says no architecture that can be read") from error
    whole = all(isinstance(number, int) and not isinstance(number, bool) for number in (width, blocks))
    known = (isinstance(blur, bool) or blur in ("down", "up")) and output in ("plain", "residual")
    if not whole or not known or not isinstance(align, bool):
        raise ValueError(f"says an architecture that there is not: {facts['architecture'][:80]!r}")
    return Architecture(width, blur, blocks, output, align)


def _named(data: DictConfig | None, layout: str) -> str:
    kind, name = layout.rpartition(".")[2], _name(data)
    return kind if name in ("", kind) else f"{name} ({kind})"


def _name(data: DictConfig | None) -> str:
    """The last part of the root alone: paths say more of the user than of the data."""
    root = None if data is None else data.get("root")
    return Path(str(root)).name if root is not None else ""


def height_of(data: DictConfig | None) -> int | None:
    """Height in pixels of the frames that a run's `data` is loaded at; None where it does not say."""
    if data is None:
        return None
    height = data.get("load") or data.get("size")
    return height if isinstance(height, int) and not isinstance(height, bool) and height > 0 else None


def height(facts: Mapping[str, str]) -> int | None:
    """Height in pixels of the frames that the network of an exported file was trained on; None if it does not say."""
    found = re.fullmatch(r"frames of ([1-9]\d{0,5}) pixels height", facts.get("training_size", ""))
    return None if found is None else int(found[1])


def _size(height: int | None) -> str:
    return "unknown" if height is None else f"frames of {height} pixels height"
