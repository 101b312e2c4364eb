"""Negatives weighted by how hard they are, as in MoNCE.

Zhan et al. 2022, "Modulated contrast for versatile image synthesis".
Shapes: B images, N patches an image, D embedding channels.
"""

import torch
from torch import Tensor

from src.losses.precision import at_least_fp32

_ITERATIONS = 50
_LEAST = 1e-8
_EXPONENTIATED = 0.05
"""From this epsilon on, exp(cos / epsilon) and what Sinkhorn's iterations make of it lie well within fp32's range."""


@torch.no_grad()
def hard_negatives(query_BND: Tensor, key_BND: Tensor, epsilon: float) -> Tensor:
    """Weights [B, N, N] of query i against key j: N - 1 times an optimal transport plan that favours alike pairs.

        min_w  sum_ij -w_ij cos(q_i, k_j) + epsilon sum_ij w_ij log w_ij,   rows and columns of w sum to 1,

    by Sinkhorn's iterations, the pair of a patch with itself priced out. Every query spreads the weight N - 1 over
    its negatives, as plain PatchNCE does, and no key is everyone's negative. The released code's hard
    weighting, but for one thing: weights are constants here, where its gradient also passes through the iterations.

    Costs B * N * N numbers, as the logits do, and 100 small products of a matrix and a vector, without graph. An
    epsilon below 0.05 is computed in logarithms: the same iterations, each with B * N * N exponentials.

    Args:
        query_BND: embedded patches of the output, of unit length.
        key_BND: those of the source at the same places.
        epsilon: how even the plan is; 1 in the released code. Towards infinity all weights become equal.

    Examples:
        >>> alike, other = [1.0, 0.0], [0.0, 1.0]
        >>> features = torch.tensor([[alike, alike, other, other]])
        >>> [f"{weight:.2f}" for weight in hard_negatives(features, features, epsilon=0.5)[0, 0].tolist()]
        ['0.00', '2.36', '0.32', '0.32']
    """
    with torch.autocast(query_BND.device.type, enabled=False):
        cosine_BNN = at_least_fp32(query_BND) @ at_least_fp32(key_BND).mT
        cosine_BNN.diagonal(dim1=1, dim2=2).fill_(-10)
        plan = _plan if epsilon >= _EXPONENTIATED else _plan_in_logarithms
        weights_BNN: Tensor = plan(cosine_BNN / epsilon) * (cosine_BNN.shape[-1] - 1) + _LEAST
        return weights_BNN


def _plan(logits_BNN: Tensor) -> Tensor:
    kernel_BNN = logits_BNN.exp()
    column_BN1 = torch.ones_like(kernel_BNN[:, :, :1])
    for _ in range(_ITERATIONS):
        row_BN1 = 1 / (kernel_BNN @ column_BN1)
        column_BN1 = 1 / (kernel_BNN.mT @ row_BN1)
    return row_BN1 * kernel_BNN * column_BN1.mT


def _plan_in_logarithms(logits_BNN: Tensor) -> Tensor:
    column_B1N = torch.zeros_like(logits_BNN[:, :1])
    for _ in range(_ITERATIONS):
        row_BN1 = -(logits_BNN + column_B1N).logsumexp(2, keepdim=True)
        column_B1N = -(logits_BNN + row_BN1).logsumexp(1, keepdim=True)
    return (logits_BNN + row_BN1 + column_B1N).exp()
