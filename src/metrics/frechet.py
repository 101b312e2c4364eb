"""Frechet distance between the Gaussians of two sets of features: FID (Heusel et al. 2017, Eq. 6) for any extractor.

torch-fidelity's number, at a fraction of its time where images are fewer than features: it takes eigenvalues of a
D x D product however few images there are, and of singular ones they are inexact.
"""

import torch
from torch import Tensor

from src.metrics.double import in_double


def frechet_distance(x_MD: Tensor, y_ND: Tensor) -> float:
    """|mu_x - mu_y|^2 + tr(S_x + S_y - 2 (S_x S_y)^(1/2)) with unbiased covariances S; 0 for equal sets.

    With S = R^T R for both (R from QR of the centred rows), the last trace is the sum of the singular values of
    R_x R_y^T: its sides are at most the number of images, and nothing has to be taken for real. Computed in float64
    on the tensors' device; never below 0 but for rounding. With fewer rows than columns S is singular and the
    distance grows as rows get fewer: compare it at one number of images only.

    Raises ValueError for fewer than two rows.

    Examples:
        >>> x = torch.tensor([[0.0, 0.0], [2.0, 0.0]])
        >>> round(frechet_distance(x, x + torch.tensor([3.0, 4.0])), 6)  # the same shape, five to the side
        25.0
        >>> round(frechet_distance(x, 2 * x), 6)  # the means differ by 1, the deviations by the root of 2
        3.0
    """
    if min(len(x_MD), len(y_ND)) < 2:
        raise ValueError(f"FID needs at least 2 images a set, got {len(x_MD)} and {len(y_ND)}")
    (x_mean, x_root), (y_mean, y_root) = (_moments(in_double(rows)) for rows in (x_MD, y_ND))
    cross = torch.linalg.svdvals(x_root @ y_root.T).sum()
    return float(((x_mean - y_mean) ** 2).sum() + (x_root**2).sum() + (y_root**2).sum() - 2 * cross)


def _moments(rows_ND: Tensor) -> tuple[Tensor, Tensor]:
    mean = rows_ND.mean(0)
    return mean, torch.linalg.qr((rows_ND - mean) / (len(rows_ND) - 1) ** 0.5, mode="r").R
