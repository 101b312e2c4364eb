import torch
from torch.nn import functional as F

from src.networks.reflect import Reflect, from_slices


def test_borders_from_slices_are_the_librarys():
    x = torch.randn(2, 3, 9, 12, dtype=torch.float64, requires_grad=True)
    for padding in (1, 3):
        ours, theirs = from_slices(x, padding), F.pad(x, (padding,) * 4, mode="reflect")
        torch.testing.assert_close(ours, theirs, rtol=0, atol=0)
        assert torch.equal(Reflect(padding)(x), theirs)
        weight = torch.randn_like(ours)
        gradients = [torch.autograd.grad((out * weight).sum(), x)[0] for out in (ours, theirs)]
        torch.testing.assert_close(*gradients)
