"""Names of runs: of their folders, so that the jobs of a sweep never collide, of their rows, sweeps and choices."""

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

GROUPS = Path(__file__).resolve().parent.parent.parent / "conf"
LONGEST = 60


def run_name(overrides: Sequence[str], sweep: str | None = None) -> str:
    """A folder name from a job's overrides: "triplet_seed-1" for ["attention=triplet", "seed=1"].

    What differs between the jobs of a sweep comes first, then what they share; of each, groups by their choice, then
    values by the last part of their key. Where characters had to go, a short hash of all overrides keeps it unique.

    Args:
        overrides: of the job.
        sweep: folder of the sweep, where Hydra has written what was asked for.
    """
    shared = set() if sweep is None else _asked(Path(sweep))
    parts = [_parts([one for one in overrides if (one in shared) == later]) for later in (False, True)]
    name = "_".join(part for names, _ in parts for part in names) or "default"
    if any(lossy for _, lossy in parts) or len(name) > LONGEST:
        digest = hashlib.sha256("\n".join(overrides).encode()).hexdigest()[:6]
        name = f"{name[:LONGEST].rstrip('-_.')}_{digest}"
    return name


def _asked(sweep: Path) -> set[str]:
    """The overrides of a whole sweep; those of several values are none of any job."""
    try:
        return set(OmegaConf.load(sweep / "multirun.yaml").hydra.overrides.task)
    except (OSError, AttributeError, OmegaConfBaseException):
        return set()


def _parts(overrides: Sequence[str]) -> tuple[list[str], bool]:
    """The parts of a name, and whether characters had to go."""
    choices, values = [], []
    lossy = False
    for override in overrides:
        key, _, value = override.lstrip("+~").partition("=")
        if key == "resume":
            continue
        safe = file_name(value.rsplit("/", 1)[-1])
        lossy |= safe != value
        if (GROUPS / key).is_dir():
            choices.append(safe)
        else:
            values.append(f"{key.rsplit('.', 1)[-1]}-{safe}")
    return choices + values, lossy


def file_name(text: str) -> str:
    """Any text as one part of a path: no separator, no dot at either end."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-.")


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


def sweep_name() -> str | None:
    """Name of the folder a sweep's jobs share; None outside a sweep."""
    if not HydraConfig.initialized() or HydraConfig.get().mode != RunMode.MULTIRUN:
        return None
    return Path(HydraConfig.get().sweep.dir).name


def choice(group: str) -> str | None:
    """What was chosen in a group; None for nothing, and outside Hydra."""
    if not HydraConfig.initialized():
        return None
    chosen = HydraConfig.get().runtime.choices.get(group)
    return None if chosen is None else str(chosen)


def _stem(target: str) -> str:
    # "src.networks.attention.triplet.TripletAttention" -> "triplet", the stem of its yaml too
    return target.split(".")[-2] if "." in target else target


def register() -> None:
    """Make them usable in conf/*.yaml."""
    OmegaConf.register_new_resolver("variant", variant, replace=True)
    OmegaConf.register_new_resolver("run_name", run_name, replace=True)
    OmegaConf.register_new_resolver("run_dir", run_dir, replace=True)
    OmegaConf.register_new_resolver("sweep_name", sweep_name, replace=True)
    OmegaConf.register_new_resolver("choice", choice, replace=True)
