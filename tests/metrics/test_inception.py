"""Inception: torch-fidelity's network, from a weights file made here, and what is refused."""

import os
import pickle
from pathlib import Path
from urllib.error import URLError

import pytest
import torch
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

from src.metrics.inception import Inception
from src.system.errors import UserError


def test_gives_torch_fidelitys_features_and_logits_and_bare_names(inception_weights: Path):
    images = torch.randint(256, (2, 3, 40, 56), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    ours = Inception(weights=str(inception_weights))
    theirs = FeatureExtractorInceptionV3("inception", ["2048", "logits_unbiased"], str(inception_weights))
    features, logits = ours(images)
    torch.testing.assert_close((features, logits), theirs(images), atol=0, rtol=0)
    assert features.shape == (2, ours.width) == (2, 2048)
    assert logits is not None
    assert logits.shape == (2, 1008)
    assert ours.suffix == ""


def test_a_pickle_that_would_run_code_is_refused_unread(tmp_path: Path):
    class Bomb:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "exploded"),)

    (tmp_path / "bomb.pth").write_bytes(pickle.dumps({"fc.weight": Bomb()}))
    with pytest.raises(UserError, match="not a plain weights file"):
        Inception(weights=str(tmp_path / "bomb.pth"))
    assert not (tmp_path / "exploded").exists()


def test_other_weights_and_missing_ones_are_named_with_the_way_out(tmp_path: Path):
    torch.save({"layer": torch.zeros(2)}, tmp_path / "other.pth")
    torch.save([1, 2], tmp_path / "list.pth")
    for name, message in (
        ("other", "not the weights of"),
        ("list", "not a dictionary"),
        ("none", "no Inception weights"),
    ):
        with pytest.raises(UserError, match=rf"{name}\.pth: {message}.*extractor\.weights=<file>"):
            Inception(weights=str(tmp_path / f"{name}.pth"))


def test_without_a_network_the_error_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(*arguments: object, **options: object) -> None:
        raise URLError("no route")

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", refuse)
    with pytest.raises(UserError, match=r"cannot be downloaded .*extractor=efficientnet_lite0"):
        Inception(weights=None)
