"""What the last bits follow from, in words."""

import pytest
import torch

from src.system.device import arithmetic


def test_a_cpu_is_told_with_its_instructions_and_threads():
    *_, device, kind, threads = arithmetic(torch.device("cpu")).split()
    assert (device, kind) == ("cpu", torch.backends.cpu.get_cpu_capability())
    assert threads == f"x{torch.get_num_threads()}"


def test_a_gpu_is_told_by_its_name(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda where: "NVIDIA H100")
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    assert arithmetic(torch.device("cuda", 0)) == f"torch {torch.__version__}, NVIDIA H100, CUDA 13.0"
