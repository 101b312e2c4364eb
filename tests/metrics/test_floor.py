"""The floor at the rows' n against fresh draws, on stills and on videos; how files are cut into stretches."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import fmean, stdev

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from src.metrics.extractor import Embedding
from src.metrics.floor import DRAWS, described, floor, geometric, linear, stretches
from src.metrics.image_set import ImageSet
from src.metrics.scores import Scores
from tests.metrics.test_image_scores import CPU, Means, gather, scores

COUNT = 64
STILLS = [Path(f"{number:05d}.png") for number in range(COUNT)]
VIDEOS = [Path(f"v{video:02d}_{frame:04d}.png") for video in range(16) for frame in range(4)]


class Projections(Means):
    """Random projections, more of them than images."""

    name = "projections"
    suffix = "_projections"
    width = 256
    classifies = False

    def __call__(self, images_B3HW: Tensor) -> Embedding:
        weights = torch.randn(768, self.width, generator=torch.Generator().manual_seed(0)) / 20
        return Embedding((images_B3HW.float().flatten(1) / 127.5 - 1).matmul(weights).tanh(), None)


def scenes(count: int, seed: int, frames: int = 1) -> list[Tensor]:
    """Scenes drawn afresh, each as several nearly equal frames."""
    draws = torch.Generator().manual_seed(seed)

    def noise() -> Tensor:
        return torch.randn(3, 16, 16, generator=draws)

    found = []
    for _ in range(count):
        coarse = torch.rand(1, 3, 4, 4, generator=draws) * 2 - 1
        light = torch.rand(3, 1, 1, generator=draws) - 0.5
        scene = F.interpolate(coarse, (16, 16), mode="bicubic")[0] * torch.rand(1, generator=draws) + light
        scene = scene + 0.1 * noise()
        found += [(scene + 0.02 * noise()).clamp(-1, 1) for _ in range(frames)]
    return found


def sets(found: Scores, frames: int) -> list[ImageSet]:
    return [gather(found, scenes(COUNT // frames, seed, frames)) for seed in range(12)]


def means(values: Iterable[dict[str, float]], names: Sequence[str]) -> dict[str, float]:
    listed = list(values)
    return {name: fmean(value[name] for value in listed) for name in names}


@pytest.fixture(scope="module", params=[1, 4])
def measured(request: pytest.FixtureRequest):
    """Fresh sets against each other, the floors of single sets, and every second image against the others."""
    found = scores(Projections(), seeds=1)
    all_sets = sets(found, request.param)
    files = STILLS if request.param == 1 else VIDEOS
    fresh = [found(*all_sets[place : place + 2], CPU) for place in range(0, 12, 2)]
    floors = [floor(found, one, stretches(files), (COUNT, COUNT), CPU) for one in all_sets[:6]]
    parity = [found(one.part(slice(0, None, 2)), one.part(slice(1, None, 2)), CPU) for one in all_sets[:6]]
    return request.param, found.names, fresh, floors, parity


def test_floors_are_what_fresh_sets_of_as_many_images_score(measured):
    frames, names, fresh, floors, parity = measured
    truth, found, before = (means(values, names) for values in (fresh, floors, parity))
    for name in ("swd_unit", "swd_std"):
        assert found[name] == pytest.approx(truth[name], rel=0.15)
    assert found["fid_projections"] == pytest.approx(truth["fid_projections"], rel=0.3)
    scatter = stdev(value["kid_projections"] for value in fresh)
    assert abs(found["kid_projections"] - truth["kid_projections"]) < 1.5 * scatter
    # what every second image against the others says: too much of stills, too little of near-duplicates
    ratio = before["swd_unit"] / truth["swd_unit"]
    assert ratio > 1.3 if frames == 1 else ratio < 0.75


def test_the_error_of_a_floor_is_about_what_floors_of_fresh_sets_scatter_by(measured):
    _, names, _, floors, _ = measured
    for name in names:
        error, scatter = fmean(value[f"{name}_error"] for value in floors), stdev(value[name] for value in floors)
        # six floors of four cuts each: factors of two and more are chance
        assert 0.3 < error / scatter < 4


def test_the_floor_of_fewer_images_is_higher_and_the_same_when_repeated():
    found = scores(seeds=1)
    real = gather(found, scenes(32, 3))
    files = STILLS[:32]
    many, few, again = (floor(found, real, stretches(files), (n, 32), CPU) for n in (32, 8, 32))
    assert again == many
    assert few["swd_unit"] > 1.5 * many["swd_unit"]
    assert few["fid_means"] > many["fid_means"]
    assert few["is_means"] == many["is_means"] == found(real, real, CPU)["is_means"]


@pytest.mark.parametrize(("count", "sizes"), [(4, 1), (8, 2), (32, 3)])
def test_a_floor_exists_from_four_images_on(count: int, sizes: int, tmp_path: Path):
    found = scores(seeds=1, cache=str(tmp_path))
    values = floor(found, gather(found, scenes(count, 3)), stretches(STILLS[:count]), (count, count), CPU)
    expected = {f"{name}{end}" for name in found.names if name != "is_means" for end in ("", "_error")}
    assert set(values) == expected | {"is_means", "is_means_std"}
    assert len(list(tmp_path.iterdir())) <= DRAWS * sizes  # four images are cut in three ways


def test_images_that_are_all_the_same_are_at_distance_zero():
    found = scores(seeds=1)
    real = gather(found, [torch.zeros(3, 16, 16)] * 16)
    values = floor(found, real, stretches(STILLS[:16]), (16, 16), CPU)
    assert [values[name] for name in ("kid_means", "fid_means", "swd_unit")] == pytest.approx([0, 0, 0], abs=1e-9)


def test_laws_are_met_exactly():
    sizes = [8, 16, 32]
    assert linear(sizes, [3 + 5 / n**0.5 for n in sizes], 64, 0.5) == pytest.approx(3 + 5 / 8)
    assert linear(sizes, [3 + 5 / n for n in sizes], 50, 1.0) == pytest.approx(3 + 5 / 50)
    assert geometric(sizes, [7 * n**-0.8 for n in sizes], 64) == pytest.approx(7 * 64**-0.8)
    assert geometric(sizes[:2], [7 * n**-0.8 for n in sizes[:2]], 100) == pytest.approx(7 * 100**-0.8)


@pytest.mark.parametrize(
    "names",
    [
        ["0001TP_006690", "0001TP_006720", "Seq05VD_f00000", "Seq05VD_f00030"],
        [
            *("aachen_000000_000019_leftImg8bit", "aachen_000000_000020_leftImg8bit"),
            *("aachen_000001_000019_leftImg8bit", "aachen_000001_000020_leftImg8bit"),
        ],
        ["a/f00001", "a/f00002", "b/f00001", "b/f00002"],
    ],
)
def test_a_sequence_is_what_a_name_says_before_its_frame(names: list[str]):
    # eight times as many, so that two frames may stay together
    files = [Path(f"{copy}") / f"{name}.png" for copy in range(8) for name in names]
    assert stretches(files) == [[place, place + 1] for place in range(0, 32, 2)]


def test_long_sequences_and_numbered_stills_are_cut_into_consecutive_stretches():
    long = [Path(f"Town05_{number:06d}.jpg") for number in range(100)]
    for files in (long, STILLS):
        found = stretches(files)
        assert [place for stretch in found for place in stretch] == list(range(len(files)))
        assert max(map(len, found)) <= len(files) // 8
        assert min(map(len, found)) > 1


def test_the_protocol_says_at_which_n():
    assert "at n = 249 and 233" in described((249, 233))
