"""Against closed forms and step-by-step computations."""

import math
from itertools import combinations

import numpy as np
import pytest
from scipy import integrate, special

from src.tables.table.statistics import holm, paired, summary

OURS = {0: 50.1, 1: 48.7, 2: 51.9, 3: 47.2}
CUT = {0: 55.2, 1: 52.3, 2: 53.0, 3: 54.4}


def t_density(t: float, degrees: int) -> float:
    constant = special.gamma((degrees + 1) / 2) / (math.sqrt(degrees * math.pi) * special.gamma(degrees / 2))
    return constant * (1 + t * t / degrees) ** (-(degrees + 1) / 2)


def test_a_summary_has_the_sample_deviation():
    found = summary([1.0, 2.0, 6.0])
    assert (found.mean, found.n) == (3.0, 3)
    assert found.std == pytest.approx(math.sqrt((4 + 1 + 9) / 2))
    assert summary([2.5]).std is None


def test_the_paired_test_equals_its_formula_integrated():
    found = paired(OURS, CUT)
    assert found is not None
    differences = [OURS[seed] - CUT[seed] for seed in range(4)]
    mean = sum(differences) / 4
    error = math.sqrt(sum((d - mean) ** 2 for d in differences) / 3 / 4)
    tail, _ = integrate.quad(t_density, abs(mean / error), math.inf, args=(3,))
    assert found.p == pytest.approx(2 * tail, rel=1e-6)  # of the quadrature
    assert found.difference == pytest.approx(mean)
    # 3.182446 is the 97.5 % quantile of Student's t with three degrees of freedom; its last digit bounds the tolerance
    interval = (mean - 3.182446 * error, mean + 3.182446 * error)
    assert (found.low, found.high) == pytest.approx(interval, abs=1e-6 * error)
    assert found.n == 4


def test_pairs_are_made_by_seed_and_not_by_order():
    shuffled = {seed: CUT[seed] for seed in (3, 1, 0, 2)}
    assert paired(OURS, {**shuffled, 9: 1000.0}) == paired(OURS, CUT)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({0: 1.0}, {0: 2.0}),
        ({0: 1.0, 1: 2.0}, {2: 1.0, 3: 2.0}),
        ({0: 1.0, 1: 2.0}, {0: 1.0, 1: 2.0}),
        ({0: 1.0, 1: 2.0}, {0: 1.1, 1: 2.1}),
        ({0: math.nan, 1: 2.0}, {0: 1.1, 1: 2.5}),
    ],
    ids=["one seed", "no common seed", "equal", "equal but for a constant, up to rounding", "not a number"],
)
def test_what_cannot_be_tested_is_not(ours: dict[int, float], theirs: dict[int, float]):
    assert paired(ours, theirs) is None


def holm_by_closure(p: list[float]) -> list[float]:
    """The closed testing principle: the largest Bonferroni p of any set of hypotheses that holds the one."""
    indices = range(len(p))
    subsets = [subset for size in range(1, len(p) + 1) for subset in combinations(indices, size)]
    return [
        max(min(1.0, len(subset) * min(p[i] for i in subset)) for subset in subsets if index in subset)
        for index in indices
    ]


def test_holms_correction_equals_closed_testing_with_bonferroni():
    draws = np.random.default_rng(0)
    for count in range(1, 7):
        p = list(draws.uniform(0, 0.2, count))
        assert holm(p) == pytest.approx(holm_by_closure(p))
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])  # by hand
    assert holm([]) == []
