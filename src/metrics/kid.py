"""Kernel inception distance between two whole sets of features (Binkowski et al. 2018), for sets of any two sizes.

torchmetrics and torch-fidelity average over random subsets of one size; taken over whole sets the estimate is the
same in expectation and has no subset to choose.
"""

import torch
from torch import Tensor


def kid(x_MD: Tensor, y_ND: Tensor) -> float:
    """Unbiased squared MMD with the kernel k(a, b) = (a . b / D + 1)^3; 0 in expectation for equal distributions.

        1/(m(m-1)) sum_{i!=j} k(x_i, x_j) + 1/(n(n-1)) sum_{i!=j} k(y_i, y_j) - 2/(mn) sum_ij k(x_i, y_j)

    Lower is closer; may fall a little below 0. Computed in float64. Memory and time grow with (m + n)^2.
    Raises ValueError for fewer than two rows.
    """
    if min(len(x_MD), len(y_ND)) < 2:
        raise ValueError(f"KID needs at least 2 images a set, got {len(x_MD)} and {len(y_ND)}")
    x, y = x_MD.double(), y_ND.double()
    return float(_within(x) + _within(y) - 2 * _kernel(x, y).mean())


def _kernel(a_MD: Tensor, b_ND: Tensor) -> Tensor:
    return (a_MD @ b_ND.T / a_MD.shape[1] + 1) ** 3


def _within(a_MD: Tensor) -> Tensor:
    k_MM = _kernel(a_MD, a_MD)
    count = len(a_MD)
    return (k_MM.sum() - torch.trace(k_MM)) / (count * (count - 1))
