"""Selection rules against naive loops, closed forms and the laws of the draws they claim."""

from math import exp, sqrt
from pathlib import Path

import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from torch import Tensor

from src.networks.selection.base import Selection
from src.networks.selection.gumbel import Gumbel
from src.networks.selection.least import Least
from src.networks.selection.spread import Spread
from src.networks.selection.topk import TopK

FOLDER = Path(__file__).parents[3] / "conf" / "selection"
RULES = sorted(path.stem for path in FOLDER.glob("*.yaml"))
GRID = (6, 8)

each_rule = pytest.mark.parametrize("rule", RULES)


def build(rule: str, patches: int, **own: float) -> Selection:
    return instantiate(OmegaConf.load(FOLDER / f"{rule}.yaml"), patches=patches, **own)


def scores(batch: int = 3, places: int = 48, seed: int = 0) -> Tensor:
    return torch.randn(batch, places, generator=torch.Generator().manual_seed(seed))


def keys(batch: int = 3, seed: int = 0) -> Tensor:
    return torch.randint(-(2**62), 2**62, (batch,), generator=torch.Generator().manual_seed(seed))


# Every rule ------------------------------------------------------------------------------------------------------


def test_the_folder_holds_the_papers_rule_its_two_alternatives_and_its_control():
    assert {"topk", "spread", "gumbel", "least"} <= set(RULES)


@each_rule
@pytest.mark.parametrize("patches", [2, 7, 48])
@pytest.mark.parametrize("progress", [0.0, 0.5, 1.0])
def test_places_are_distinct_and_on_the_map(rule, patches, progress):
    places = build(rule, patches)(scores(), GRID, keys(), progress)
    assert places.shape == (3, patches)
    assert places.dtype == torch.int64
    assert places.min() >= 0
    assert places.max() < 48
    assert all(len(set(image.tolist())) == patches for image in places)


@each_rule
def test_equal_scores_are_a_uniform_draw_from_the_images_key(rule):
    """Three places stand out, the others are tied, as where most units are dead: index order once decided."""
    draws, patches = 2000, 12
    score = torch.zeros(draws, 48)
    score[:, [5, 20, 33]] = torch.tensor([3.0, 2.0, 1.0])
    key = torch.arange(draws) * 7919
    places = build(rule, patches)(score, GRID, key, 1.0)
    counts = torch.zeros(48).index_add(0, places.flatten(), torch.ones(places.numel()))
    tied = counts[[place for place in range(48) if place not in (5, 20, 33)]]
    if rule == "topk":
        # nine of 45 each time; five binomial deviations
        assert (tied / draws - 9 / 45).abs().max() < 5 * sqrt(0.2 * 0.8 / draws)
    # a window about a place that stands out holds no maximum, so there spread chooses last
    near = {place + step for place in (5, 20, 33) for step in (-9, -8, -7, -1, 0, 1, 7, 8, 9)}
    apart = counts[[place for place in range(48) if place not in near]]
    assert apart.max() < 1.3 * apart.min()
    # and whoever else is in the batch
    assert build(rule, patches)(score[7:8], GRID, key[7:8], 1.0).equal(places[7:8])


@each_rule
@pytest.mark.parametrize("value", [0.0, 0.1, -3.7, 1e-30, 1e30])
def test_equal_scores_still_give_distinct_places(rule, value):
    places = build(rule, 12)(torch.full((2, 48), value), GRID, keys(2), 0.5)
    assert all(len(set(image.tolist())) == 12 for image in places)


@each_rule
def test_each_image_of_a_batch_has_its_own_places(rule):
    module, score, key = build(rule, 9), scores(), keys()
    together = module(score, GRID, key, 0.3)
    for b in range(3):
        alone = module(score[b : b + 1], GRID, key[b : b + 1], 0.3)
        assert alone[0].equal(together[b])
    assert len({tuple(sorted(image.tolist())) for image in together}) == 3


@each_rule
def test_the_same_key_makes_the_same_choice(rule):
    module = build(rule, 9)
    assert module(scores(), GRID, keys(), 0.0).equal(module(scores(), GRID, keys(), 0.0))


@each_rule
def test_scores_are_not_written_to(rule):
    score = scores()
    before = score.clone()
    build(rule, 9)(score, GRID, keys(), 0.3)
    assert score.equal(before)


@each_rule
def test_more_patches_than_places_are_refused_with_both_numbers(rule):
    with pytest.raises(ValueError, match=r"49.*48"):
        build(rule, 49)(scores(), GRID, keys(), 0.0)


@pytest.mark.parametrize("patches", [1, 0, -3])
@pytest.mark.parametrize(
    "rule",
    [
        TopK,
        lambda patches: Spread(patches=patches, separation=0.2),
        lambda patches: Gumbel(patches=patches, start=1.0, end=0.1),
    ],
)
def test_a_patch_without_a_negative_is_refused(rule, patches):
    with pytest.raises(ValueError, match=f"patches must be >= 2 to have a negative, got {patches}"):
        rule(patches=patches)


# Top N -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("patches", [2, 5, 48])
def test_top_n_is_the_head_of_the_sorted_places(patches):
    score = scores()
    places = TopK(patches=patches)(score, GRID, keys(), 0.0)
    for image, chosen in zip(score.tolist(), places.tolist(), strict=True):
        assert chosen == sorted(range(48), key=lambda p: -image[p])[:patches]


@pytest.mark.parametrize("patches", [2, 5, 46])
def test_the_least_are_what_top_n_leaves(patches):
    """Its other 48 - N places, from the lowest up."""
    score = scores()
    least = Least(patches=patches)(score, GRID, keys(), 0.0)
    top = TopK(patches=48 - patches)(score, GRID, keys(), 0.0)
    for image, low, high in zip(score.tolist(), least.tolist(), top.tolist(), strict=True):
        assert low == sorted(range(48), key=lambda p: image[p])[:patches]
        assert sorted([*low, *high]) == list(range(48))


# Spread ----------------------------------------------------------------------------------------------------------


def naive_spread(score: list[float], grid: tuple[int, int], patches: int, radius: int) -> list[int]:
    """Places that no place of their square window exceeds, by score; then the others, by score."""
    height, width = grid

    def is_peak(place: int) -> bool:
        row, column = divmod(place, width)
        return all(
            score[r * width + c] <= score[place]
            for r in range(max(0, row - radius), min(height, row + radius + 1))
            for c in range(max(0, column - radius), min(width, column + radius + 1))
        )

    return sorted(range(len(score)), key=lambda p: (not is_peak(p), -score[p]))[:patches]


@pytest.mark.parametrize(
    ("grid", "patches", "separation", "radius"),
    [
        ((6, 8), 12, 0.5, 1),  # 0.5 sqrt(48 / 12) = 1
        ((6, 8), 12, 1.0, 2),
        ((6, 8), 12, 0.0, 0),
        ((7, 13), 4, 0.5, 2),  # 0.5 sqrt(91 / 4) = 2.4
        ((16, 5), 40, 0.2, 0),
        ((16, 5), 5, 3.0, 12),  # a window larger than the map: one peak, the rest fills up
    ],
)
def test_spread_equals_a_naive_search_for_local_maxima(grid, patches, separation, radius):
    score = scores(places=grid[0] * grid[1])
    # shuffled ranks instead of draws: no two places score the same
    score = score.argsort(1).argsort(1).float() - 20
    places = Spread(patches=patches, separation=separation)(score, grid, keys(), 0.0)
    for image, chosen in zip(score.tolist(), places.tolist(), strict=True):
        assert chosen == naive_spread(image, grid, patches, radius)


@pytest.mark.parametrize(("side", "radius"), [(256, 3), (64, 1)])
def test_256_places_stand_alone_in_the_documented_window(side, radius):
    # a slope with two bumps: the lower one is a peak of its own only outside the higher one's window
    def order(distance: int) -> list[int]:
        score = torch.arange(side * side).float()[None] / side**2
        higher, lower = (side // 2) * side + 10, (side // 2) * side + 10 + distance
        score[0, higher], score[0, lower] = 3.0, 2.0
        places = Spread(patches=256, separation=0.2)(score, (side, side), keys(1), 0.0)[0].tolist()
        return [places.index(place) for place in (higher, lower, side * side - 1)]  # the last: the slope's own top

    assert order(radius + 1) == [0, 1, 2]
    assert order(radius) == [0, 2, 1]


def test_spread_scores_below_zero_do_not_mix_peaks_with_the_rest():
    score = torch.tensor([[-9.0, -8.0, -7.0, -1.0, -2.0, -3.0, -30.0, -20.0, -25.0]])
    # windows of one neighbour: -1 and -20 are the peaks, and the lower of them precedes -2
    assert Spread(patches=3, separation=0.6)(score, (1, 9), keys(1), 0.0).tolist() == [[3, 7, 4]]


def test_spread_without_separation_is_top_n():
    score = scores()
    plain = TopK(patches=10)(score, GRID, keys(), 0.0)
    assert Spread(patches=10, separation=0.0)(score, GRID, keys(), 0.0).equal(plain)


def test_a_negative_separation_is_refused():
    with pytest.raises(ValueError, match=r"separation must lie in \[0, 10\], got -0.1"):
        Spread(patches=4, separation=-0.1)


# Gumbel ----------------------------------------------------------------------------------------------------------


def drawn(score: list[float], draws: int, patches: int, temperature: float) -> Tensor:
    """Places of many draws from one image's scores: [draws, patches]."""
    rule = Gumbel(patches=patches, start=temperature, end=temperature)
    return rule(torch.tensor([score]).expand(draws, -1), (1, len(score)), keys(draws), 0.5)


def test_different_keys_make_different_choices():
    places = drawn([0.1 * p for p in range(48)], 200, 6, 1.0)
    assert len({tuple(sorted(image)) for image in places.tolist()}) > 190


def standardised(score: list[float]) -> list[float]:
    mean = sum(score) / len(score)
    deviation = sqrt(sum((s - mean) ** 2 for s in score) / (len(score) - 1))
    return [(s - mean) / deviation for s in score]


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_first_pick_is_drawn_in_proportion_to_exp_of_score_over_temperature(temperature):
    score, draws = [0.3, -1.2, 2.0, 0.9, -0.4], 20_000
    weights = [exp(s / temperature) for s in standardised(score)]
    expected = torch.tensor([w / sum(weights) * draws for w in weights])
    counts = torch.bincount(drawn(score, draws, 2, temperature)[:, 0], minlength=5)
    # chi-square with 4 degrees of freedom exceeds 23.5 once in 10,000
    assert ((counts - expected).square() / expected).sum() < 23.5


def test_the_second_pick_is_drawn_from_what_is_left():
    score, draws = [0.3, -1.2, 2.0, 0.9], 20_000
    weights = [exp(s) for s in standardised(score)]
    total = sum(weights)
    places = drawn(score, draws, 2, 1.0)
    statistic = 0.0
    for first in range(4):
        for second in range(4):
            if first == second:
                continue
            expected = draws * weights[first] / total * weights[second] / (total - weights[first])
            count = int(((places[:, 0] == first) & (places[:, 1] == second)).sum())
            statistic += (count - expected) ** 2 / expected
    # chi-square with 11 degrees of freedom exceeds 37.4 once in 10,000
    assert statistic < 37.4


def test_a_high_temperature_includes_every_place_alike():
    draws, places, patches = 5000, 16, 4
    chosen = drawn([float(p) for p in range(places)], draws, patches, 1e4)
    share = torch.bincount(chosen.flatten(), minlength=places) / draws
    # five deviations of a frequency of 1/4 over 5000 draws
    assert (share - 0.25).abs().max() < 5 * (0.25 * 0.75 / draws) ** 0.5


def test_equal_scores_are_drawn_alike():
    draws = 5000
    share = torch.bincount(drawn([0.1] * 16, draws, 4, 0.1).flatten(), minlength=16) / draws
    assert (share - 0.25).abs().max() < 5 * (0.25 * 0.75 / draws) ** 0.5


def test_a_low_temperature_is_top_n():
    score = scores()
    plain = TopK(patches=10)(score, GRID, keys(), 0.0)
    assert Gumbel(patches=10, start=1e-6, end=1e-6)(score, GRID, keys(), 0.0).equal(plain)


def test_the_temperature_falls_geometrically_from_start_to_end():
    annealed, score, key = Gumbel(patches=10, start=4.0, end=0.01), scores(), keys()
    for progress, temperature in ((0.0, 4.0), (0.5, 0.2), (1.0, 0.01)):  # 0.2 = sqrt(4 * 0.01)
        fixed = Gumbel(patches=10, start=temperature, end=temperature)
        assert annealed(score, GRID, key, progress).equal(fixed(score, GRID, key, 0.0))


def test_the_unit_and_offset_of_scores_do_not_matter():
    rule, score = Gumbel(patches=10, start=1.0, end=1.0), scores().double()
    assert rule(score * 250 - 30, GRID, keys(), 0.0).equal(rule(score, GRID, keys(), 0.0))


@pytest.mark.parametrize(("start", "end"), [(0.1, 3.0), (1.0, 0.0), (0.0, 0.0), (1.0, -1.0)])
def test_a_rising_or_empty_temperature_is_refused(start, end):
    with pytest.raises(ValueError, match=f"start >= end > 0, got start={start}, end={end}"):
        Gumbel(patches=4, start=start, end=end)


# A share of places by the rule, the rest at random -----------------------------------------------------------------


@each_rule
def test_a_share_is_the_rules_and_the_rest_a_uniform_draw_of_what_is_left(rule):
    draws, patches = 4000, 12
    score = scores(1).expand(draws, -1)
    key = torch.arange(draws) * 7919
    half = build(rule, patches, ranked=0.5)(score, GRID, key, 1.0)
    assert all(len(set(image.tolist())) == patches for image in half)
    by_rule = build(rule, 6)(score, GRID, key, 1.0)
    if rule != "spread":  # its window follows N
        assert half[:, :6].equal(by_rule)
    rest = half[:, 6:]
    left = torch.ones(draws, 48).scatter(1, half[:, :6], 0)
    taken = torch.zeros(draws, 48).scatter(1, rest, 1)
    # each of 42 that are left is drawn six times of 42: five binomial deviations
    expected, shown = left.sum(0) / 7, taken.sum(0)
    often = expected > 500
    assert often.sum() > 20
    assert ((shown - expected).abs()[often] < 5 * (expected[often] * 6 / 7).sqrt()).all()


@each_rule
def test_no_share_of_the_rule_is_random_whatever_the_score(rule):
    first = build(rule, 12, ranked=0.0)(scores(3), GRID, keys(), 0.5)
    assert first.equal(build(rule, 12, ranked=0.0)(-scores(3), GRID, keys(), 0.5))
    assert not first.equal(build(rule, 12, ranked=0.0)(scores(3), GRID, keys(seed=1), 0.5))


@each_rule
def test_the_rest_avoids_places_that_come_last(rule):
    last = torch.zeros(3, 48, dtype=torch.bool)
    last[:, :30] = True
    places = build(rule, 18, ranked=0.5)(scores(3), GRID, keys(), 0.5, last)
    assert sorted(places[0].tolist()) == list(range(30, 48))
    more = build(rule, 20, ranked=0.5)(scores(3), GRID, keys(), 0.5, last)
    assert all(set(range(30, 48)) < set(image.tolist()) for image in more)


@pytest.mark.parametrize("share", [-0.1, 1.5, float("nan")])
def test_a_share_outside_its_range_is_refused(share):
    with pytest.raises(ValueError, match=r"selection\.ranked"):
        TopK(patches=4, ranked=share)
