"""Draws as a pure function of (seed, epoch, index), and batches that continue anywhere."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from src.config.build import build
from src.data.datamodule import UnpairedData
from src.data.layouts import Domains
from src.data.transforms import Transforms
from src.data.unpaired import Draws, UnpairedImages, sample_key, spaced
from src.system.errors import UserError
from tests.conftest import config


def images(x: int, y: int, samples: int, seed: int = 0) -> UnpairedImages:
    files = [[Path(f"{name}{index}.png") for index in range(count)] for name, count in (("x", x), ("y", y))]
    domains = Domains(files[0], files[1], [Path("x_val.png")], [Path("y_val.png")])
    transforms = Transforms(size=32, aspect=1.0, fit="cover", load_scale=1.0, flip=True)
    return UnpairedImages(domains, transforms, samples=samples, seed=seed)


def draws(data: UnpairedImages, epochs: int) -> list[tuple[str, str]]:
    pairs = [data.files((epoch, index)) for epoch in range(epochs) for index in range(len(data))]
    return [(x.stem, y.stem) for x, y in pairs]


def test_each_domain_is_gone_through_once_before_it_begins_again():
    # 4 epochs of 6 draws: 24 = 3 passes over 8 sources and 4.8 over 5 targets
    x, y = zip(*draws(images(8, 5, samples=6), epochs=4), strict=True)
    assert set(Counter(x).values()) == {3}
    assert all(len(set(x[start : start + 8])) == 8 for start in (0, 8, 16))
    assert all(len(set(y[start : start + 5])) == 5 for start in (0, 5, 10, 15))


def test_orders_differ_by_pass_domain_and_seed():
    data = images(30, 30, samples=30)
    x, y = zip(*draws(data, epochs=2), strict=True)
    assert [name[1:] for name in x[:30]] != [name[1:] for name in y[:30]]
    assert x[:30] != x[30:]
    assert draws(images(30, 30, samples=30, seed=1), 1) != draws(data, 1)


def test_pairs_are_unpaired():
    # over 2,000 passes each source meets each of 5 targets about 400 times; 5 deviations are 90
    met = Counter(draws(images(5, 5, samples=10_000), epochs=1))
    assert len(met) == 25
    assert all(abs(count - 400) < 90 for count in met.values())


def test_a_sample_is_the_same_whoever_asks_and_whenever(frames: Callable[..., Path]):
    def data() -> UnpairedData:
        cfg = config(
            "data=folders", f"data.root={frames_root}", "data.size=32", "data.load=32", "data.load_scale=1.2", "seed=7"
        )
        return build(cfg.data, "data")

    frames_root = frames()
    one, other = data(), data()
    other.images[(1, 2)]  # a different history
    for draw in ((3, 1), (0, 0), (3, 1)):
        a, b = one.images[draw], other.images[draw]
        assert torch.equal(a["x"], b["x"])
        assert torch.equal(a["y"], b["y"])
        assert a["key"] == b["key"] == sample_key(7, *draw)


def test_crop_flip_and_domains_are_drawn_apart(frames: Callable[..., Path]):
    cfg = config("data=folders", f"data.root={frames(train=1)}", "data.size=32", "data.load=32", "data.load_scale=1.25")
    data: UnpairedData = build(cfg.data, "data")
    # one source file: what differs between draws is crop and flip
    seen = {data.images[(epoch, 0)]["x"].numpy().tobytes() for epoch in range(40)}
    assert len(seen) > 25


def test_keys_differ_and_use_their_64_bits():
    keys = {sample_key(seed, epoch, index) for seed in range(5) for epoch in range(20) for index in range(100)}
    assert len(keys) == 10_000
    assert min(keys) < -(2**62)
    assert max(keys) > 2**62


def test_an_epoch_continues_at_its_start_and_the_next_begins_at_zero():
    sampler = Draws(5, epoch=3, start=2)
    assert list(sampler) == [(3, 2), (3, 3), (3, 4)]
    sampler.set_epoch(3)
    assert list(sampler) == [(3, 2), (3, 3), (3, 4)]
    sampler.set_epoch(4)
    assert list(sampler) == [(4, index) for index in range(5)]
    assert len(sampler) == 5


def test_samples_per_epoch_caps_an_epoch_and_defaults_to_the_larger_domain(frames: Callable[..., Path]):
    root = frames(train=5)
    overrides = [
        "experiment=gta_cut16",
        "data=folders",
        f"data.root={root}",
        "data.size=32",
        "data.load=32",
        "data.load_scale=1",
    ]
    assert len(build(config(*overrides).data, "data").images) == 6
    assert len(build(config(*overrides, "data.samples_per_epoch=4").data, "data").images) == 4


def test_validation_frames_are_evenly_spaced():
    files = [Path(str(index)) for index in range(10)]
    assert [path.name for path in spaced(files, 4)] == ["0", "2", "5", "7"]
    assert spaced(files, 99) == files
    assert spaced(files, 1.0) == files
    assert len(spaced(files, 0.5)) == 5
    with pytest.raises(UserError, match="leaves no validation image"):
        spaced(files, 0)
