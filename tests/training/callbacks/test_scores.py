"""The best epoch among those scored during training."""

from types import SimpleNamespace

import torch

from src.training.callbacks.scores import EpochScores

NAMES = SimpleNamespace(scores=SimpleNamespace(names=["kid", "fid"]))


def callback() -> EpochScores:
    return EpochScores(NAMES, None, every_n_epochs=2)  # type: ignore[arg-type]


def test_the_best_epoch_is_that_of_the_lowest_headline_with_all_its_scores():
    found = callback()
    for epoch, kid, fid in ((2, 0.5, 10.0), (4, 0.1, 30.0), (6, 0.3, 5.0)):
        found._remember(epoch, {"kid": kid, "fid": fid})
    assert found.best(8, {"kid": 0.2, "fid": 1.0}) == {"best_epoch": 4, "kid_best": 0.1, "fid_best": 30.0}


def test_the_last_epoch_may_be_the_best():
    found = callback()
    found._remember(2, {"kid": 0.5, "fid": 10.0})
    assert found.best(3, {"kid": -0.1, "fid": 1.0}) == {"best_epoch": 3, "kid_best": -0.1, "fid_best": 1.0}


def test_the_best_epoch_survives_a_checkpoint(tmp_path):
    found, resumed = callback(), callback()
    found._remember(2, {"kid": 0.1, "fid": 10.0})
    torch.save(found.state_dict(), tmp_path / "state.pt")
    resumed.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    assert resumed.best(4, {"kid": 0.2, "fid": 1.0}) == {"best_epoch": 2, "kid_best": 0.1, "fid_best": 10.0}
