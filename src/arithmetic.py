"""What the last bits of a result follow from, beside seed, data and code."""

import torch


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
