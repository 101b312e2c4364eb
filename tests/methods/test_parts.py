"""Parameters by part add up, whatever the method."""

import pytest
from torch import nn

from src.config.build import build_method
from src.methods.parts import parameters_by_part
from tests.conftest import config, cut


def test_full_width_has_the_published_counts():
    method = build_method(config("attention=triplet", "generator.width=64", "discriminator=discriminator"))
    assert parameters_by_part(method) == {"G": 11378179, "D": 2764737, "heads": 560384, "attention": 1500}


def test_cyclegan_has_two_of_each_and_no_sampler():
    width = ["generator.width=4", "discriminator.width=4"]
    one = parameters_by_part(build_method(config("method=cut", *width)))
    two = parameters_by_part(build_method(config("method=cyclegan", *width)))
    assert two == {"G": 2 * one["G"], "D": 2 * one["D"], "heads": 0, "attention": 0}


def test_an_unknown_part_is_not_left_out_in_silence():
    method = cut()
    method.extra = nn.Linear(2, 3)
    with pytest.raises(ValueError, match=r"9 of .* parameters belong to no known part"):
        parameters_by_part(method)
