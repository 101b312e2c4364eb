"""Kernel inception distance (Binkowski et al. 2018) of two sets of features, and what each image adds to it."""

import torch
from torch import Tensor
from torch_fidelity.metric_kid import KEY_METRIC_KID_MEAN, KEY_METRIC_KID_STD, kid_features_to_metric

from src.metrics.double import in_double

DRAWS = 2020
"""torch-fidelity's seed of the subsets."""
ROWS = 1024
"""Kernel rows held at a time."""


def kid(x_MD: Tensor, y_ND: Tensor, *, subsets: int, size: int) -> tuple[float, float]:
    """Mean and deviation of the unbiased estimate over random subsets of `size` rows of both sets, by torch-fidelity.

    0 in expectation for equal distributions, lower is closer. Subsets overlap, all of them where they are as large as
    the sets, so the deviation is no error of the mean: that is `kid_error`. Computed in float64 on the CPU.
    """
    x, y = in_double(x_MD), in_double(y_ND)  # torch-fidelity computes in the precision it is given
    found = kid_features_to_metric(x, y, kid_subsets=subsets, kid_subset_size=size, rng_seed=DRAWS, verbose=False)
    return found[KEY_METRIC_KID_MEAN], found[KEY_METRIC_KID_STD]


def kid_contributions(x_MD: Tensor, y_ND: Tensor) -> Tensor:
    """Float64 [M]: c_i of each x_i, whose mean is the unbiased KID over the whole sets.

        c_i = 1/(m-1) sum_{j!=i} k(x_i, x_j) + 1/(n(n-1)) sum_{j!=l} k(y_j, y_l) - 2/n sum_j k(x_i, y_j)

    with k(a, b) = (a . b / D + 1)^3. High for an image of a kind that x has and y lacks (not for a single odd
    one: what no other image repeats hardly counts); may be below 0.
    Computed on the tensors' device; time grows with (m + n)^2, memory with m + n.
    Raises ValueError for fewer than two rows.
    """
    if min(len(x_MD), len(y_ND)) < 2:
        raise ValueError(f"KID needs at least 2 images a set, got {len(x_MD)} and {len(y_ND)}")
    x, y = in_double(x_MD), in_double(y_ND)
    return _to_others(x) + _to_others(y).mean() - 2 * _row_means(x, y)


def kid_error(x_MD: Tensor, y_ND: Tensor) -> float:
    """Standard error of the KID over whole sets: what it would scatter by over fresh images, by the jackknife.

    sqrt((m-1)/m sum_i (U_(i) - mean)^2 + the same over y), with U_(i) the estimate without one image (Efron and Stein
    1981, who show that it errs upwards): from the sums of each image's kernels, without computing any again. Images
    count as independent, which frames of one video are not. Needs three rows a set.
    """
    x, y = in_double(x_MD), in_double(y_ND)
    cross_M, cross_N = _row_means(x, y), _row_means(y, x)
    return float((_left_out(_to_others(x), cross_M) + _left_out(_to_others(y), cross_N)).sqrt())


def _left_out(others_M: Tensor, cross_M: Tensor) -> Tensor:
    """The jackknife's variance over one set, from each image's mean kernels with its own set and with the other."""
    count = len(others_M)
    # without image i: the sum over pairs loses it twice, the sum over both sets once
    within_M = (others_M.sum() - 2 * others_M) / (count - 2)
    between_M = (cross_M.sum() - cross_M) / (count - 1)
    without_M = within_M - 2 * between_M
    return (count - 1) / count * (without_M - without_M.mean()).square().sum()


def _to_others(a_MD: Tensor) -> Tensor:
    count = len(a_MD)
    own = ((a_MD**2).sum(1) / a_MD.shape[1] + 1) ** 3
    return (_row_means(a_MD, a_MD) * count - own) / (count - 1)


def _row_means(a_MD: Tensor, b_ND: Tensor) -> Tensor:
    return torch.cat([((rows @ b_ND.T / b_ND.shape[1] + 1) ** 3).mean(1) for rows in a_MD.split(ROWS)])
