"""NaN and infinity are found, named by batch and term, and never read from the device in between."""

import pytest
import torch

from src.system.errors import UserError
from src.training.finite import FiniteTerms, demand_finite

NAN, INF = float("nan"), float("inf")


def terms(*values: float) -> dict[str, torch.Tensor]:
    return dict(zip(("gan", "nce_x", "d_fake"), map(torch.tensor, values), strict=True))


def test_finite_terms_pass():
    finite = FiniteTerms()
    finite.demand()
    for batch in range(1, 4):
        finite.note(terms(1.0, -2.0, 1e38), batch)
    finite.demand()


@pytest.mark.parametrize("value", [NAN, INF, -INF])
def test_the_first_batch_and_its_terms_are_named_however_late_they_are_read(value: float):
    finite = FiniteTerms()
    finite.note(terms(1.0, 1.0, 1.0), 1)
    finite.note(terms(1.0, value, 1.0), 2)
    finite.note(terms(value, value, value), 3)
    with pytest.raises(UserError, match=r"^batch 2: the term nce_x is NaN or infinite"):
        finite.demand()


def test_several_terms_of_one_batch_are_all_named():
    finite = FiniteTerms()
    finite.note(terms(NAN, 0.0, INF), 7)
    with pytest.raises(UserError, match=r"^batch 7: the terms gan, d_fake are NaN or infinite"):
        finite.demand()


def test_noting_reads_nothing_from_the_device():
    """On the meta device there is nothing to read: whatever tried would fail."""
    finite = FiniteTerms()
    for batch in range(1, 4):
        finite.note({"gan": torch.empty((), device="meta"), "nce_x": torch.empty((), device="meta")}, batch)
    with pytest.raises((RuntimeError, NotImplementedError)):
        finite.demand()


@pytest.mark.parametrize(
    ("state", "moments", "name"),
    [
        ({"a": torch.tensor([1.0, NAN])}, {}, "a"),
        ({"a": torch.ones(2), "pool": {"images": torch.tensor([INF])}}, {}, "pool.images"),
        ({"a": torch.ones(2)}, {0: {"exp_avg_sq": torch.tensor([INF]), "step": torch.tensor(3.0)}}, "exp_avg_sq"),
    ],
)
def test_a_checkpoint_that_is_not_finite_is_refused_by_name(state, moments, name: str):
    with pytest.raises(
        UserError, match=rf"^batch 5: .*{name} holds NaN or infinite values, so no checkpoint is written"
    ):
        demand_finite({"state_dict": state, "optimizer_states": [{"state": moments}]}, 5)


def test_a_finite_checkpoint_with_counts_and_empty_pools_passes():
    state = {"a": torch.ones(2), "n": torch.tensor(3), "pool": {"images": torch.empty(0)}}
    demand_finite({"state_dict": state, "optimizer_states": [{"state": {}, "param_groups": [{"lr": 0.1}]}]}, 1)
