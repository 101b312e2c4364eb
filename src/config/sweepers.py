"""What sweeps are run by: whether its packages are there, and what a sweeper that searches must not be led by."""

from collections.abc import Mapping, Sequence
from typing import Any

from src.system import packages

LAUNCHER, SWEEPER = "hydra/launcher", "hydra/sweeper"
_SUBMITIT = (("hydra_plugins.hydra_submitit_launcher",), "cluster", "")
NEEDS = {
    (LAUNCHER, "submitit_local"): _SUBMITIT,
    (LAUNCHER, "submitit_slurm"): _SUBMITIT,
    (LAUNCHER, "joblib"): (("hydra_plugins.hydra_joblib_launcher",), "joblib", ""),
    # the launcher's own list of packages excludes those of constraints.txt: docs/sweeps.md
    (LAUNCHER, "ray"): (
        ("ray", "hydra_plugins.hydra_ray_launcher"),
        "ray",
        " && pip install --no-deps hydra-ray-launcher==1.2.2",
    ),
    (SWEEPER, "optuna"): (("hydra_plugins.hydra_optuna_sweeper",), "optuna", ""),
}
"""By choice: modules, their extra, and what is to be installed beside it."""


def lacking(key: str, value: str) -> str | None:
    """The line that says what such a choice needs and this environment has not; None where all is there."""
    modules, extra, further = NEEDS.get((key, value), ((), "", ""))
    return packages.lacking(f"{key}={value}", *modules, extra=extra, further=further)


def misled(chosen: Mapping[str, Any], layout: Mapping[str, Any], searched: Sequence[str]) -> str | None:
    """Why a search must not begin: its objective would be the scores of test frames, or it would choose a seed.

    Args:
        chosen: by group, as Hydra has it.
        layout: the node `data.layout`.
        searched: keys that the sweep goes through.
    """
    if chosen.get(SWEEPER) != "optuna":
        return None
    if "seed" in searched:
        return "seed: a search would find the luckiest one; leave it out, and train what it finds with seeds of its own"
    if not _tests(layout):
        return None
    return (
        f"{SWEEPER}=optuna: its objective would be the scores of the test frames; hold out a part of the training set "
        "instead: data.layout.tune=5"
    )


def _tests(layout: Mapping[str, Any]) -> bool:
    """Whether the frames that are scored are those of a set's tests, as far as its settings tell."""
    if layout.get("tune") is not None:
        return False
    if str(layout.get("_target_")).endswith(".folders"):
        return any(layout.get(f"{of}_val") is not None and layout.get(f"{of}_held") is None for of in "xy")
    return True
