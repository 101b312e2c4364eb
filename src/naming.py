"""Names of runs: of their folders, so that the jobs of a sweep never collide, and of their rows in a table."""

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

from omegaconf import OmegaConf

GROUPS = Path(__file__).resolve().parent.parent / "conf"
LONGEST = 120


def run_name(overrides: Sequence[str]) -> str:
    """A folder name from a job's overrides: "triplet_seed-1" for ["attention=triplet", "seed=1"].

    Groups come first, by their choice, then values by the last part of their key. Where characters had to go, a short
    hash of all overrides keeps the name unique.
    """
    choices, values = [], []
    lossy = False
    for override in overrides:
        key, _, value = override.lstrip("+~").partition("=")
        if key == "resume":
            continue
        safe = re.sub(r"[^A-Za-z0-9._-]+", "-", value.rsplit("/", 1)[-1]).strip("-.")
        lossy |= safe != value
        if (GROUPS / key).is_dir():
            choices.append(safe)
        else:
            values.append(f"{key.rsplit('.', 1)[-1]}-{safe}")
    name = "_".join(choices + values) or "default"
    if lossy or len(name) > LONGEST:
        digest = hashlib.sha256("\n".join(overrides).encode()).hexdigest()[:6]
        name = f"{name[:LONGEST].rstrip('-_.')}_{digest}"
    return name


def variant(method: str, attention: str) -> str:
    """The row of a run: "triplet" for CUT with that attention, "cut" for CUT without any, else the method's name.

    Args:
        method: its name, or the class that conf/method names.
        attention: likewise; of no matter to CycleGAN, which samples no patches.
    """
    method, attention = _stem(method), _stem(attention)
    if attention == "none" or method == "cyclegan":
        return method
    return attention if method == "cut" else f"{method}_{attention}"


def run_dir(resume: str | None, fresh: str) -> str:
    """The folder of a single run: the one to continue, or a fresh one."""
    return fresh if resume is None else resume


def _stem(target: str) -> str:
    # "src.networks.attention.triplet.TripletAttention" -> "triplet", the stem of its yaml too
    return target.split(".")[-2] if "." in target else target


def register() -> None:
    """Make them usable in conf/*.yaml."""
    OmegaConf.register_new_resolver("variant", variant, replace=True)
    OmegaConf.register_new_resolver("run_name", run_name, replace=True)
    OmegaConf.register_new_resolver("run_dir", run_dir, replace=True)
