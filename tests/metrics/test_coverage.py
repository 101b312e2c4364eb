"""Coverage and mean distance of chosen places against naive loops and closed forms."""

from math import dist, hypot

import pytest
import torch
from torch import Tensor

from src.metrics.coverage import coverage, mean_distance

GRIDS = [(16, 16), (64, 64), (8, 8), (17, 30), (5, 40), (3, 2), (1, 20), (100, 100)]
each_grid = pytest.mark.parametrize("grid", GRIDS)


def places(grid: tuple[int, int], patches: int, batch: int = 3) -> Tensor:
    draws = torch.Generator().manual_seed(0)
    count = grid[0] * grid[1]
    return torch.stack([torch.randperm(count, generator=draws)[: min(patches, count)] for _ in range(batch)])


def naive_coverage(chosen: Tensor, grid: tuple[int, int]) -> float:
    rows, columns = min(8, grid[0]), min(8, grid[1])

    def cell(index: int, size: int, cells: int) -> int:
        return next(c for c in range(cells) if c * size <= index * cells < (c + 1) * size)

    shares = []
    for image in chosen.tolist():
        hit = {(cell(p // grid[1], grid[0], rows), cell(p % grid[1], grid[1], columns)) for p in image}
        shares.append(len(hit) / (rows * columns))
    return sum(shares) / len(shares)


def naive_distance(chosen: Tensor, grid: tuple[int, int]) -> float:
    means = []
    for image in chosen.tolist():
        points = [divmod(p, grid[1]) for p in image]
        pairs = [dist(points[i], points[j]) for i in range(len(points)) for j in range(i)]
        means.append(sum(pairs) / len(pairs) / hypot(*grid))
    return sum(means) / len(means)


@each_grid
@pytest.mark.parametrize("patches", [2, 12, 40])
def test_coverage_equals_a_naive_count_of_cells(grid, patches):
    chosen = places(grid, patches)
    assert float(coverage(chosen, grid)) == pytest.approx(naive_coverage(chosen, grid), abs=1e-6)  # float32


@each_grid
@pytest.mark.parametrize("patches", [2, 12, 40])
def test_distance_equals_a_naive_double_loop(grid, patches):
    chosen = places(grid, patches)
    assert float(mean_distance(chosen, grid)) == pytest.approx(naive_distance(chosen, grid), abs=1e-5)  # float32


def test_distance_is_exact_far_from_the_origin():
    # 40 neighbours in the far corner of a large map: squares of coordinates cancel in a product form
    chosen = torch.arange(40)[None] + 1023 * 1024 + 900
    expected = sum(j - i for i in range(40) for j in range(i, 40)) / (40 * 39 / 2) / hypot(1024, 1024)
    assert float(mean_distance(chosen, (1024, 1024))) == pytest.approx(expected, rel=1e-5)


@each_grid
def test_all_places_cover_the_whole_map(grid):
    chosen = torch.arange(grid[0] * grid[1])[None]
    assert float(coverage(chosen, grid)) == 1


def test_places_in_one_cell_cover_one_in_64():
    chosen = torch.tensor([[0, 1, 16, 17], [255, 254, 239, 238]])  # two corners of 2 x 2 in 16 x 16
    assert float(coverage(chosen, (16, 16))) == 1 / 64


def test_coverage_is_the_mean_over_images():
    chosen = torch.tensor([[0, 1], [0, 63]])
    assert float(coverage(chosen, (8, 8))) == pytest.approx(2 / 64)
    assert float(coverage(torch.tensor([[0, 1, 8], [0, 0, 0]]), (8, 8))) == pytest.approx((3 + 1) / 2 / 64)


def test_opposite_corners_are_almost_a_diagonal_apart():
    # places are centres, so the largest distance is one step short of the map's size
    assert float(mean_distance(torch.tensor([[0, 12 * 5 - 1]]), (5, 12))) == pytest.approx(hypot(4, 11) / 13)


@each_grid
def test_both_lie_in_their_range(grid):
    chosen = places(grid, 20)
    assert 0 < float(coverage(chosen, grid)) <= 1
    assert 0 < float(mean_distance(chosen, grid)) < 1


def test_order_of_places_is_irrelevant():
    chosen = places((16, 16), 20)
    assert coverage(chosen.flip(1), (16, 16)).equal(coverage(chosen, (16, 16)))
    torch.testing.assert_close(mean_distance(chosen.flip(1), (16, 16)), mean_distance(chosen, (16, 16)))
