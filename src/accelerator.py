"""The device a command computes on."""

import torch

from src.errors import UserError, did_you_mean


def device(accelerator: str) -> torch.device:
    """The device an accelerator's name stands for; `auto` takes the best there is."""
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if accelerator == "auto":
        return torch.device(next(name for name in ("cuda", "mps", "cpu") if there[name]))
    accelerator = "cuda" if accelerator == "gpu" else accelerator
    if not there.get(accelerator, False):
        usable = ", ".join(name for name in there if there[name])
        near = "" if accelerator in there else did_you_mean(accelerator, [*there, "auto"])
        raise UserError(f"accelerator={accelerator}: not to be had here; use auto, {usable}{near}")
    return torch.device(accelerator)
