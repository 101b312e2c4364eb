"""The line below the scores of a run says whether its output beats what learns nothing."""

import pytest

from src.training.verdict import verdict

SOURCE, TRANSFER = "the source (0.205)", "a colour transfer that learns nothing (0.185)"


def judged(value: float, score: str = "kid_efficientnet_lite0", **further: float) -> str:
    beside = {f"{score}_source": 0.2054, f"{score}_transfer": 0.1849, f"{score}_aligned": 0.0}
    return verdict(score, {score: value, **beside, **further}, "TRAIN ON")


def test_an_output_nearer_than_both_is_said_to_be():
    expected = f"KID 0.146: nearer to the photographs than {SOURCE} and than {TRANSFER}"
    assert judged(0.1461) == expected


@pytest.mark.parametrize(
    ("value", "way"),
    [
        (0.19, f"nearer to the photographs than {SOURCE}, but NO NEARER to the photographs than {TRANSFER}"),
        (0.1849, f"nearer to the photographs than {SOURCE}, but NO NEARER to the photographs than {TRANSFER}"),
        (0.31, f"NO NEARER to the photographs than {SOURCE} and than {TRANSFER}"),
        (float("nan"), f"NO NEARER to the photographs than {SOURCE} and than {TRANSFER}"),
    ],
)
def test_one_that_is_not_is_answered_by_what_to_do(value: float, way: str):
    assert judged(value) == f"KID {value:.3f}: {way}; look at the picture, and train longer: TRAIN ON"


def test_what_is_higher_where_higher_is_better_is_nearer():
    assert "NO NEARER" not in judged(0.3, "is_clip")
    assert "nearer" not in judged(0.1, "is_clip")


def test_the_error_of_the_score_stands_beside_it():
    assert judged(0.1461, kid_efficientnet_lite0_error=0.0123).startswith("KID 0.146 ± 0.012: nearer")
