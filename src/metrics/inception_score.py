"""Inception score (Salimans et al. 2016) of one set of images, by torch-fidelity, from the logits of any classifier."""

from torch import Tensor
from torch_fidelity.metric_isc import KEY_METRIC_ISC_MEAN, KEY_METRIC_ISC_STD, isc_features_to_metric

MOST = 10
DRAWS = 2020
"""torch-fidelity's seed of the order in which images are split."""


def inception_score(logits_NK: Tensor) -> tuple[float, float]:
    """Mean and deviation over splits of exp(mean KL(p(class | image) || p(class))), from 1 to K; higher is better."""
    found = isc_features_to_metric(logits_NK, splits=splits(len(logits_NK)), shuffle=True, rng_seed=DRAWS)
    return found[KEY_METRIC_ISC_MEAN], found[KEY_METRIC_ISC_STD]


def splits(count: int) -> int:
    """Ten, or as many as hold two images: a split of one scores 1, whatever it shows.

    Examples:
        >>> splits(500), splits(7), splits(1)
        (10, 3, 1)
    """
    return max(1, min(MOST, count // 2))
