"""The device a command computes on, and what the last bits of a result follow from beside seed, data and code."""

import os

import torch

from src.system.errors import UserError, did_you_mean


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


def cores() -> int:
    """Of the CPU that this process may use, which a job of a cluster has fewer of than its machine."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def arithmetic(where: torch.device) -> str:
    """PyTorch's version, the device and, of a CPU, its kind of instructions and the threads that share a sum.

    Args:
        where: the device of the networks.
    """
    if where.type == "cuda":
        device = f"{torch.cuda.get_device_name(where)}, CUDA {torch.version.cuda}"
    else:
        kind = torch.backends.cpu.get_cpu_capability() if where.type == "cpu" else ""
        device = " ".join([*filter(None, [where.type, kind]), f"x{torch.get_num_threads()}"])
    return f"torch {torch.__version__}, {device}"
