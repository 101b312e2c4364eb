"""Scores of sets that come again are computed once, and only for the same images, settings and extractor."""

from pathlib import Path

import pytest

from src.metrics import cache
from src.metrics.floor import floor
from src.metrics.image_set import ImageSet
from src.metrics.scores import Scores
from tests.metrics.test_image_scores import CPU, Means, gather, images, scores


class Counting(Scores):
    computed = 0

    def _all(self, *arguments: object) -> dict[str, float]:
        Counting.computed += 1
        return super()._all(*arguments)  # type: ignore[arg-type]


def counting(cache: Path | None, **options: object) -> Counting:
    found = scores(cache=None if cache is None else str(cache), **options)
    found.__class__ = Counting
    assert isinstance(found, Counting)
    return found


def computed(found: Counting, one: ImageSet, real: ImageSet) -> tuple[int, dict[str, float]]:
    Counting.computed = 0
    values = found.again(one, real, CPU)
    return Counting.computed, values


@pytest.fixture
def sets() -> tuple[ImageSet, ImageSet]:
    return gather(scores(), images(5, seed=1)), gather(scores(), images(6, seed=2))


def test_the_second_time_the_same_numbers_come_from_the_folder(sets: tuple[ImageSet, ImageSet], tmp_path: Path):
    first, values = computed(counting(tmp_path), *sets)
    second, again = computed(counting(tmp_path), *sets)
    assert (first, second) == (1, 0)
    assert again == values == scores()(*sets, CPU)
    assert list(again) == list(values)


def test_anything_else_is_computed_anew(sets: tuple[ImageSet, ImageSet], tmp_path: Path):
    class Other(Means):
        name = "other"

    one, real = sets
    computed(counting(tmp_path), one, real)
    assert computed(counting(tmp_path), real, one)[0] == 1
    assert computed(counting(tmp_path), one, real.part(slice(5)))[0] == 1
    for options in ({"seeds": 3}, {"kid_subsets": 6}, {"kid_subset_size": 4}, {"extractor": Other()}, {"side": 32}):
        assert computed(counting(tmp_path, **options), one, real)[0] == 1
    assert computed(counting(tmp_path), one, real)[0] == 0


def test_what_an_earlier_version_kept_is_computed_anew(
    sets: tuple[ImageSet, ImageSet], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    with monkeypatch.context() as patch:
        patch.setattr(cache, "VERSION", 1)
        assert computed(counting(tmp_path), *sets)[0] == 1
    assert computed(counting(tmp_path), *sets)[0] == 1
    assert computed(counting(tmp_path), *sets)[0] == 0


@pytest.mark.parametrize("damaged", [b"", b"{", b"[]", b"{}", b'{"fid_means": NaN}', b'{"fid_means": "x"}'])
def test_a_damaged_file_is_computed_again_and_replaced(
    damaged: bytes, sets: tuple[ImageSet, ImageSet], tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    values = computed(counting(tmp_path), *sets)[1]
    (kept,) = tmp_path.glob("*.json")
    kept.write_bytes(damaged)
    assert computed(counting(tmp_path), *sets) == (1, values)
    assert "damaged; its scores are computed again" in caplog.text
    assert computed(counting(tmp_path), *sets) == (0, values)


def test_the_floor_is_kept_and_scores_of_outputs_are_not(sets: tuple[ImageSet, ImageSet], tmp_path: Path):
    found = counting(tmp_path)
    found(*sets, CPU)
    assert not list(tmp_path.iterdir())
    values = floor(found, sets[1], [[place] for place in range(6)], (6, 6), CPU)
    Counting.computed = 0
    assert floor(counting(tmp_path), sets[1], [[place] for place in range(6)], (6, 6), CPU) == values
    assert Counting.computed == 0


def test_without_a_folder_everything_is_computed(sets: tuple[ImageSet, ImageSet]):
    assert [computed(counting(None), *sets)[0] for _ in range(2)] == [1, 1]
