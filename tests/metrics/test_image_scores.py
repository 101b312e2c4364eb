"""Scores of image sets: names, preparation of images, pairing, floor and protocol, with a stand-in extractor."""

import pytest
import torch
from torch import Tensor

from src.errors import UserError
from src.metrics.kid import kid
from src.metrics.scores import ImageSet, Scores
from src.metrics.sliced_wasserstein import sliced_wasserstein

SIDE = 16


class Means:
    """Mean and deviation of each channel: six features."""

    name = "means"
    suffix = "_means"
    weights_sha256 = "0" * 64

    def __init__(self) -> None:
        self.seen: list[Tensor] = []

    def __call__(self, images_B3HW: Tensor) -> Tensor:
        self.seen.append(images_B3HW)
        x = images_B3HW.float().flatten(2) / 255
        return torch.cat([x.mean(2), x.std(2)], dim=1)


def scores(seeds: int = 2, side: int = SIDE) -> Scores:
    return Scores(extractor=Means(), side=side, seeds=seeds)


def images(count: int, seed: int = 0, size: int = SIDE) -> list[Tensor]:
    draws = torch.Generator().manual_seed(seed)
    return [torch.rand(3, size, size, generator=draws) * 2 - 1 for _ in range(count)]


def test_three_scores_are_given_under_their_names():
    found = scores()
    assert found.names == ["kid_means", "swd_unit", "swd_std"]
    values = found(found.gather(images(4)), found.gather(images(4, seed=1)))
    assert list(values) == found.names
    assert all(isinstance(value, float) for value in values.values())


def test_kid_is_that_of_the_features_of_all_images():
    found = scores()
    x, y = found.gather(images(7)), found.gather(images(4, seed=1))
    assert found(x, y)["kid_means"] == kid(x.features, y.features)


@pytest.mark.parametrize("seeds", [1, 3])
def test_both_distances_are_means_over_seeds(seeds):
    found = scores(seeds)
    x, y = found.gather(images(4)), found.gather(images(4, seed=1))
    draws = [sliced_wasserstein(x.images.float(), y.images.float(), seed=seed) for seed in range(seeds)]
    values = found(x, y)
    assert values["swd_unit"] == pytest.approx(sum(d.unit for d in draws) / seeds, rel=1e-12)
    assert values["swd_std"] == pytest.approx(sum(d.std for d in draws) / seeds, rel=1e-12)


def test_the_larger_set_is_thinned_evenly_for_both_distances():
    found = scores(1)
    x, y = found.gather(images(7)), found.gather(images(3, seed=1))
    # three of seven, evenly: floor(i * 7 / 3)
    draw = sliced_wasserstein(x.images[[0, 2, 4]].float(), y.images.float(), seed=0)
    assert found(x, y)["swd_unit"] == pytest.approx(draw.unit, rel=1e-12)


def test_the_floor_compares_every_second_image_with_the_others():
    found, real = scores(), images(9)
    floor = found.floor(found.gather(real))
    assert floor == found(found.gather(real[::2]), found.gather(real[1::2]))


def test_a_set_and_its_parts_keep_images_and_features_together():
    whole = ImageSet(images(5), Means(), SIDE)
    part = whole.part(slice(1, None, 2))
    assert (len(whole), len(part)) == (5, 2)
    assert part.images.equal(whole.images[[1, 3]])
    assert part.features.equal(whole.features[[1, 3]])
    assert part.features.equal(Means()(part.images))


def test_features_are_computed_once_an_image_from_8_bits():
    extractor = Means()
    found = Scores(extractor=extractor, side=SIDE, seeds=1)
    gathered = found.gather(images(5))
    found(gathered, gathered)
    found.floor(gathered)
    assert len(extractor.seen) == 5
    assert all(x.shape == (1, 3, SIDE, SIDE) and x.dtype == torch.uint8 for x in extractor.seen)


def test_images_may_come_from_an_iterator():
    assert len(scores().gather(iter(images(4)))) == 4


def test_images_of_any_size_become_squares_of_one():
    mixed = [torch.zeros(3, 20, 33), torch.zeros(3, 8, 8), torch.zeros(3, 16, 16)]
    gathered = ImageSet(mixed, Means(), SIDE)
    assert gathered.images.shape == (3, 3, SIDE, SIDE)
    assert gathered.images.dtype == torch.uint8


def test_every_8_bit_value_survives_the_way_to_minus_one_and_one():
    levels = torch.arange(256, dtype=torch.uint8).reshape(1, 16, 16).expand(3, -1, -1)
    image = levels.float() / 127.5 - 1
    assert ImageSet([image, image], Means(), SIDE).images[0].equal(levels)


def test_values_outside_the_range_are_cut_off():
    image = torch.stack([torch.full((16, 16), value) for value in (-1.5, 1.5, 0.999)])
    assert ImageSet([image, image], Means(), SIDE).images[0, :, 0, 0].tolist() == [0, 255, 255]


def test_an_overshoot_of_the_bicubic_resize_is_cut_off_and_does_not_wrap():
    image = -torch.ones(3, 8, 8)
    image[..., 4:] = 1
    values = ImageSet([image, image], Means(), SIDE).images[0]
    # a wrapped value would be white in the black half or black in the white one
    assert values[..., :6].max() < 40
    assert values[..., 10:].min() > 215


def test_equal_sets_are_nearer_than_different_ones():
    found = scores()
    x, dark = found.gather(images(8)), found.gather([image * 0.2 - 0.5 for image in images(8, seed=1)])
    near, far = found(x, found.gather(images(8, seed=2))), found(x, dark)
    assert near["kid_means"] < far["kid_means"]


def test_the_protocol_says_what_a_number_needs_beside_it():
    protocol = scores(seeds=5, side=64).protocol()
    assert set(protocol) == {"side", "resize", "extractor", "extractor_sha256", "kid", "swd"}
    assert protocol["side"] == 64
    assert protocol["extractor"] == "means"
    assert protocol["extractor_sha256"] == "0" * 64
    assert "mean of 5 projection seeds" in str(protocol["swd"])


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_images_are_refused_with_the_mend(count):
    with pytest.raises(UserError, match=f"at least 2 images a set, got {count}; add images"):
        scores().gather(images(count))


@pytest.mark.parametrize("side", [15, 0])
def test_a_side_below_the_lowest_level_is_refused(side):
    with pytest.raises(UserError, match=f"metrics.side must be >= 16, got {side}"):
        scores(side=side)


def test_no_seed_at_all_is_refused():
    with pytest.raises(UserError, match=r"metrics.seeds must be >= 1, got 0"):
        scores(seeds=0)
