"""Scores of image sets: names, preparation of images, pairing, floor and protocol, with a stand-in extractor."""

import json
import logging
from math import sqrt
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch_fidelity.metric_isc import isc_features_to_metric

from src.metrics.efficientnet import EfficientNetLite0
from src.metrics.extractor import Embedding
from src.metrics.floor import floor
from src.metrics.frechet import frechet_distance
from src.metrics.image_set import ImageSet
from src.metrics.kid import kid_contributions, kid_error
from src.metrics.scores import Scores, _warn
from src.metrics.sliced_wasserstein import sliced_wasserstein
from src.system.errors import UserError

SIDE = 16
CPU = torch.device("cpu")


class Means:
    """Mean and deviation of each channel: six features, which serve as logits too."""

    name = "means"
    suffix = "_means"
    weights_sha256 = "0" * 64
    width = 6
    classifies = True

    def __init__(self) -> None:
        self.seen: list[Tensor] = []

    def __call__(self, images_B3HW: Tensor) -> Embedding:
        self.seen.append(images_B3HW)
        x = images_B3HW.float().flatten(2) / 255
        features = torch.cat([x.mean(2), x.std(2)], dim=1)
        return Embedding(features, 10 * features)

    def to(self, where: torch.device) -> None:
        assert where == CPU


class Unclassified(Means):
    classifies = False

    def __call__(self, images_B3HW: Tensor) -> Embedding:
        return Embedding(super().__call__(images_B3HW).features, None)


def scores(extractor: object = None, **options: object) -> Scores:
    settings = {"side": SIDE, "own_size": False, "batch_size": 3, "kid_subsets": 5, "kid_subset_size": 1000}
    return Scores(extractor=extractor or Means(), **{**settings, "seeds": 2, "cache": None, **options})  # type: ignore[arg-type]


def gather(found: Scores, images: list[Tensor]) -> ImageSet:
    return found.gather(images, len(images), CPU)


def images(count: int, seed: int = 0, size: int = SIDE) -> list[Tensor]:
    draws = torch.Generator().manual_seed(seed)
    return [torch.rand(3, size, size, generator=draws) * 2 - 1 for _ in range(count)]


def test_scores_are_given_under_their_names():
    found = scores()
    assert found.names == ["kid_means", "fid_means", "is_means", "swd_unit", "swd_std", "sharpness"]
    values = found(gather(found, images(4)), gather(found, images(5, seed=1)), CPU)
    spreads = {"kid_means_std", "kid_means_error", "is_means_std", "swd_unit_spread", "swd_std_spread"}
    assert set(values) == set(found.names) | spreads
    assert all(isinstance(value, float) for value in values.values())


def test_without_logits_there_is_no_inception_score():
    found = scores(Unclassified())
    values = found(gather(found, images(4)), gather(found, images(4, seed=1)), CPU)
    assert found.names == ["kid_means", "fid_means", "swd_unit", "swd_std", "sharpness"]
    assert not [name for name in values if name.startswith("is")]
    assert "is" not in found.protocol(4, 4)


def test_kid_over_whole_sets_is_the_closed_form():
    found = scores()
    x, y = gather(found, images(7)), gather(found, images(7, seed=1))
    values = found(x, y, CPU)
    assert values["kid_means"] == pytest.approx(float(kid_contributions(x.features, y.features).mean()), abs=1e-12)
    assert "kid_means_std" not in values
    assert values["kid_means_error"] == kid_error(x.features, y.features)
    assert found.protocol(7, 7)["kid_subsets"] == 1


def test_kid_over_subsets_is_their_mean_and_deviation():
    found = scores(kid_subset_size=3, kid_subsets=4)
    x, y = gather(found, images(7)), gather(found, images(5, seed=1))
    draws, expected = np.random.RandomState(2020), []
    for _ in range(4):
        own, real = draws.choice(7, 3, replace=False), draws.choice(5, 3, replace=False)
        expected.append(float(kid_contributions(x.features[own], y.features[real]).mean()))
    values = found(x, y, CPU)
    assert values["kid_means"] == pytest.approx(np.mean(expected), abs=1e-12)
    assert values["kid_means_std"] == pytest.approx(np.std(expected), abs=1e-12)


def test_a_subset_is_as_large_as_the_smaller_set_allows():
    found = scores(kid_subset_size=1000)
    values = found(gather(found, images(7)), gather(found, images(4, seed=1)), CPU)
    assert np.isfinite(values["kid_means"])
    assert (found.protocol(7, 4)["kid_subset_size"], found.protocol(7, 4)["kid_subsets"]) == (4, 5)


def test_fid_is_that_of_the_features():
    found = scores()
    x, y = gather(found, images(9)), gather(found, images(8, seed=1))
    assert found(x, y, CPU)["fid_means"] == frechet_distance(x.features, y.features)


@pytest.mark.parametrize(("count", "splits"), [(2, 1), (3, 1), (9, 4), (20, 10), (33, 10)])
def test_is_has_ten_splits_or_as_many_as_hold_two_images(count: int, splits: int):
    found = scores()
    x = gather(found, images(count))
    values = found(x, x, CPU)
    assert x.logits is not None
    expected = isc_features_to_metric(x.logits, splits=splits)
    assert values["is_means"] == expected["inception_score_mean"]
    assert values["is_means_std"] == expected["inception_score_std"]
    assert f"of {splits} splits, n = {count}" in str(found.protocol(count, count)["is"])


@pytest.mark.parametrize("seeds", [1, 3])
def test_both_distances_are_means_over_seeds_with_their_deviation(seeds):
    found = scores(seeds=seeds)
    x, y = gather(found, images(4)), gather(found, images(4, seed=1))
    draws = sliced_wasserstein(x.squares.float(), y.squares.float(), seeds=range(seeds))
    values = found(x, y, CPU)
    for scale in ("unit", "std"):
        each = [getattr(draw, scale) for draw in draws]
        mean = sum(each) / seeds
        assert values[f"swd_{scale}"] == pytest.approx(mean, rel=1e-12)
        deviation = sqrt(sum((value - mean) ** 2 for value in each) / seeds)
        assert values[f"swd_{scale}_spread"] == pytest.approx(deviation, abs=1e-9)


def test_the_larger_set_is_thinned_evenly_for_both_distances():
    found = scores(seeds=1)
    x, y = gather(found, images(7)), gather(found, images(3, seed=1))
    # three of seven, evenly: floor(i * 7 / 3)
    (draw,) = sliced_wasserstein(x.squares[[0, 2, 4]].float(), y.squares.float(), seeds=[0])
    assert found(x, y, CPU)["swd_unit"] == pytest.approx(draw.unit, rel=1e-12)


def test_a_set_and_its_parts_keep_images_and_features_together():
    whole = gather(scores(), images(5))
    part = whole.part(slice(1, None, 2))
    assert (len(whole), len(part)) == (5, 2)
    assert part.squares.equal(whole.squares[[1, 3]])
    assert part.features.equal(whole.features[[1, 3]])
    assert part.features.equal(Means()(part.squares).features)
    assert part.logits is not None
    assert part.logits.equal(10 * part.features)


def test_features_are_computed_once_an_image_from_8_bits_in_batches():
    extractor = Means()
    found = scores(extractor)
    gathered = gather(found, images(5))
    found(gathered, gathered, CPU)
    floor(found, gathered, [[place] for place in range(5)], (5, 5), CPU)
    assert [tuple(x.shape) for x in extractor.seen] == [(3, 3, SIDE, SIDE), (2, 3, SIDE, SIDE)]
    assert all(x.dtype == torch.uint8 for x in extractor.seen)


@pytest.mark.parametrize("batch_size", [1, 2, 7, 64])
def test_scores_do_not_depend_on_the_batch_size(batch_size: int):
    network, x, y = EfficientNetLite0(), images(7, size=24), images(6, seed=1, size=24)
    expected, found = (
        found(gather(found, x), gather(found, y), CPU)
        for found in (scores(network, batch_size=3), scores(network, batch_size=batch_size))
    )
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=1e-4, abs=1e-5), name  # convolutions may sum in another order


def test_an_extractor_may_see_images_at_their_own_size():
    extractor = Means()
    mixed = [torch.zeros(3, 20, 33), torch.zeros(3, 20, 33), torch.zeros(3, 18, 18)]
    gathered = gather(scores(extractor, own_size=True), mixed)
    assert [tuple(x.shape) for x in extractor.seen] == [(2, 3, 20, 33), (1, 3, 18, 18)]
    assert gathered.squares.shape == (3, 3, SIDE, SIDE)


def test_images_may_come_from_an_iterator():
    assert len(scores().gather(iter(images(4)), 4, CPU)) == 4


def test_images_of_any_size_become_squares_of_one():
    mixed = [torch.zeros(3, 20, 33), torch.zeros(3, 8, 8), torch.zeros(3, 16, 16)]
    gathered = gather(scores(), mixed)
    assert gathered.squares.shape == (3, 3, SIDE, SIDE)
    assert gathered.squares.dtype == torch.uint8


def test_every_8_bit_value_survives_the_way_to_minus_one_and_one():
    levels = torch.arange(256, dtype=torch.uint8).reshape(1, 16, 16).expand(3, -1, -1)
    image = levels.float() / 127.5 - 1
    assert gather(scores(), [image, image]).squares[0].equal(levels)


def test_values_outside_the_range_are_cut_off():
    image = torch.stack([torch.full((16, 16), value) for value in (-1.5, 1.5, 0.999)])
    assert gather(scores(), [image, image]).squares[0, :, 0, 0].tolist() == [0, 255, 255]


def test_an_overshoot_of_the_bicubic_resize_is_cut_off_and_does_not_wrap():
    image = -torch.ones(3, 8, 8)
    image[..., 4:] = 1
    values = gather(scores(), [image, image]).squares[0]
    # a wrapped value would be white in the black half or black in the white one
    assert values[..., :6].max() < 40
    assert values[..., 10:].min() > 215


def test_equal_sets_are_nearer_than_different_ones():
    found = scores()
    x, dark = gather(found, images(8)), gather(found, [image * 0.2 - 0.5 for image in images(8, seed=1)])
    near, far = found(x, gather(found, images(8, seed=2)), CPU), found(x, dark, CPU)
    assert near["kid_means"] < far["kid_means"]
    assert near["fid_means"] < far["fid_means"]


def test_the_protocol_says_what_a_number_needs_beside_it():
    protocol = scores(seeds=5, side=64).protocol(50, 40)
    assert {"n_fake", "n_real", "side", "resize", "extractor", "extractor_sha256", "fid", "is", "kid", "swd"} <= set(
        protocol
    )
    assert (protocol["n_fake"], protocol["n_real"], protocol["side"]) == (50, 40, 64)
    assert protocol["extractor"] == "means"
    assert protocol["extractor_sha256"] == "0" * 64
    assert "mean of 5 projection seeds" in str(protocol["swd"])
    assert "n = 40 each" in str(protocol["swd"])
    assert json.loads(json.dumps(protocol)) == protocol


def test_fewer_images_than_features_are_warned_of_once_and_in_the_protocol(caplog: pytest.LogCaptureFixture):
    found = scores()
    few, many = gather(found, images(6)), gather(found, images(7))
    _warn.cache_clear()
    with caplog.at_level(logging.WARNING):
        found(many, many, CPU)
        assert not caplog.records
        found(few, many, CPU)
        found(many, few, CPU)
    assert [record.message for record in caplog.records] == [f"fid_means: {found.protocol(6, 7)['fid']}"]
    assert "6 images are too few for the covariance of 6 features, which makes FID larger" in caplog.text
    assert "too few" not in str(found.protocol(7, 7)["fid"])


def test_each_image_has_its_part_in_the_kid():
    found = scores()
    x, y = gather(found, images(5)), gather(found, images(5, seed=1))
    columns = found.per_image(x, y, CPU)
    assert list(columns) == ["kid_contribution_means"]
    assert np.mean(columns["kid_contribution_means"]) == pytest.approx(found(x, y, CPU)["kid_means"], abs=1e-12)


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_images_are_refused_with_the_mend(count):
    with pytest.raises(UserError, match=f"at least 2 images a set, got {count}; add images"):
        gather(scores(), images(count))


@pytest.mark.parametrize(
    ("name", "value", "least"),
    [
        ("side", 15, 16),
        ("side", 0, 16),
        ("seeds", 0, 1),
        ("batch_size", 0, 1),
        ("kid_subset_size", 1, 2),
        ("kid_subsets", 0, 1),
    ],
)
def test_a_setting_below_its_least_is_refused(name: str, value: int, least: int):
    with pytest.raises(UserError, match=rf"metrics\.scores\.{name} must be >= {least}, got {value}"):
        scores(**{name: value})


# Files -----------------------------------------------------------------------------------------------------------


def written(folder: Path, count: int, seed: int = 0) -> list[Path]:
    folder.mkdir(exist_ok=True)
    draws = np.random.default_rng(seed)
    for index in range(count):
        Image.fromarray(draws.integers(0, 256, (20, 24, 3), dtype=np.uint8)).save(folder / f"{index}.png")
    return sorted(folder.iterdir())


def read(path: Path) -> Tensor:
    return torch.from_numpy(np.array(Image.open(path))).permute(2, 0, 1).float() / 127.5 - 1


def calls(
    files: list[Path], folder: Path, preparation: str = "whole", extractor: Means | None = None, **options: object
) -> int:
    """How often the extractor is asked for the set of these files; its features must be right in any case."""
    fresh = extractor or Means()
    found = scores(fresh, cache=str(folder), **options)
    gathered = found.gather_files(files, read, CPU, name="real", preparation=preparation)
    expected = gather(scores(), [read(path) for path in files])
    assert gathered.squares.equal(expected.squares)
    assert gathered.features.equal(expected.features)
    assert gathered.logits is not None
    assert gathered.logits.equal(expected.logits)
    return len(fresh.seen)


def test_features_of_files_are_computed_once_for_all_jobs(tmp_path: Path):
    files = written(tmp_path / "images", 4)
    assert [calls(files, tmp_path / "cache") for _ in range(3)] == [2, 0, 0]
    moved = tmp_path / "elsewhere"
    (tmp_path / "images").rename(moved)
    assert calls(sorted(moved.iterdir()), tmp_path / "cache") == 0
    assert [path.suffix for path in (tmp_path / "cache").iterdir()] == [".safetensors"]


def test_what_changes_the_features_is_another_entry(tmp_path: Path):
    files, cache = written(tmp_path / "images", 4), tmp_path / "cache"
    calls(files, cache)
    other = Means()
    other.weights_sha256 = "1" * 64
    assert calls(files, cache, extractor=other) == 2
    assert calls(files, cache, preparation="another crop") == 2
    assert calls(files[:3], cache) == 1
    assert calls(files[::-1], cache) == 2
    Image.fromarray(np.zeros((20, 24, 3), dtype=np.uint8)).save(files[0])
    assert calls(files, cache) == 2
    assert len(list(cache.iterdir())) == 6


def test_a_damaged_entry_is_computed_again_and_replaced(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    files, cache = written(tmp_path / "images", 4), tmp_path / "cache"
    calls(files, cache)
    (entry,) = cache.iterdir()
    whole = entry.read_bytes()
    altered = bytearray(whole)
    altered[-3] ^= 64
    for damaged in (b"", b"torn", whole[:-5], bytes(altered), whole + b"more"):
        entry.write_bytes(damaged)
        assert calls(files, cache) == 2
        assert "damaged; its features are computed again" in caplog.text
        caplog.clear()
        assert entry.read_bytes() == whole
    assert calls(files, cache) == 0


def test_a_cache_that_cannot_be_made_is_said_at_once(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"metrics\.cache=.*file/cache: cannot be made .*name a folder, or null"):
        scores(cache=str(tmp_path / "file" / "cache"))


def test_without_a_cache_nothing_is_written(tmp_path: Path):
    files = written(tmp_path / "images", 2)
    scores().gather_files(files, read, CPU, name="real", preparation="whole")
    assert [path.name for path in tmp_path.iterdir()] == ["images"]
