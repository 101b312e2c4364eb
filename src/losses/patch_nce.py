"""PatchNCE, the patch-wise contrastive loss (the paper, Eq. 2; CUT, Park et al. 2020, Sec. 3.2).

Shapes: B images, N patches an image, D embedding channels.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from src.losses.precision import at_least_fp32


def patch_nce(query_BND: Tensor, key_BND: Tensor, temperature: float, weights_BNN: Tensor | None = None) -> Tensor:
    """Cross-entropy of recognising each query's own key among the N keys of the same image; a scalar >= 0.

        l(v, v+, v-) = -log [ exp(v.v+ / tau) / (exp(v.v+ / tau) + sum_n exp(v.v-_n / tau)) ]

    (Eq. 2 prints it without the minus sign.) Averaged over patches and images; ln N when all features are
    equal. Rows are expected L2-normalised. Computed in fp32 or wider whatever the autocast state is.

    Args:
        query_BND: embedded patches of the output.
        key_BND: those of the source at the same places; constants.
        temperature: tau.
        weights_BNN: > 0, what exp(v.v-_n / tau) of query i and key n is multiplied by; constants, without effect at
            i = n. All 1 where none are given.

    Examples:
        >>> alike = torch.tensor([[[1.0, 0.0]]]).expand(1, 4, 2)  # one image, four patches that cannot be told apart
        >>> f"{patch_nce(alike, alike, temperature=0.07):.4f}"  # ln 4
        '1.3863'
        >>> apart = torch.eye(4)[None]
        >>> f"{patch_nce(apart, apart, temperature=0.07):.4f}"
        '0.0000'
    """
    with torch.autocast(query_BND.device.type, enabled=False):
        # keys are constants: the encoder must move the output, not the source (CUT, Sec. 3.2)
        query_BND, key_BND = at_least_fp32(query_BND), at_least_fp32(key_BND.detach())
        logits_BNN = query_BND @ key_BND.mT / temperature
        if weights_BNN is not None:
            own_NN = torch.eye(logits_BNN.shape[-1], dtype=torch.bool, device=logits_BNN.device)
            logits_BNN = logits_BNN + weights_BNN.log().masked_fill(own_NN, 0)
        truth_BN = torch.arange(logits_BNN.shape[-1], device=logits_BNN.device).expand(logits_BNN.shape[:-1])
        return F.cross_entropy(logits_BNN.flatten(0, 1), truth_BN.flatten())
