"""Inception v3 features and logits by torch-fidelity: its TensorFlow weights, its resize, so its numbers."""

from pathlib import Path
from urllib.error import URLError

import torch
from torch import Tensor, nn
from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3, FeatureExtractorInceptionV3

from src.metrics.extractor import REMEDY, Embedding, read_weights
from src.system.errors import UserError


class Inception(nn.Module):
    """2,048 globally pooled features and the logits; scores made of them bear the bare names.

    Args:
        weights: torch-fidelity's weights file (weights-inception-2015-12-05-6726825d.pth); None downloads it
            into torch's hub folder, once.

    Raises UserError if there are no such weights to be had, or the file holds anything but them.
    """

    name = "inception"
    suffix = ""
    width = 2048
    classifies = True

    def __init__(self, *, weights: str | None) -> None:
        super().__init__()
        path = Path(weights) if weights is not None else _download()
        # torch-fidelity itself unpickles anything; a file that passes the safe load holds tensors only
        _, self.weights_sha256 = read_weights(path, "Inception")
        try:
            self.network = FeatureExtractorInceptionV3("inception", ["2048", "logits_unbiased"], str(path))
        except RuntimeError as error:
            raise UserError(f"{path}: not the weights of torch-fidelity's Inception; {REMEDY}") from error
        self.eval().requires_grad_(False)

    @torch.no_grad()
    def forward(self, images_B3HW: Tensor) -> Embedding:
        """uint8 RGB images [B, 3, H, W] of any size -> float32 features [B, 2048], logits [B, 1008].

        The logits are without the last layer's bias, as IS takes them.
        """
        return Embedding(*self.network(images_B3HW))


def _download() -> Path:
    name = str(URL_INCEPTION_V3).rpartition("/")[2]
    path = Path(str(torch.hub.get_dir())) / "checkpoints" / name
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            torch.hub.download_url_to_file(URL_INCEPTION_V3, str(path), hash_prefix=Path(name).stem.rpartition("-")[2])
        except (URLError, OSError, RuntimeError) as error:
            raise UserError(f"Inception weights cannot be downloaded ({error}); {REMEDY}") from error
    return path
