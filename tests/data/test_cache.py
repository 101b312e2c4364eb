"""Frames kept as raw pixels: the same to the bit, shared, never half written, refused when damaged."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open

from src.config.build import build
from src.data import cache as module
from src.data.cache import FrameCache
from src.data.datamodule import UnpairedData
from src.data.images import read_image
from src.data.transforms import Fit, Transforms
from src.system.errors import UserError
from tests import forked
from tests.conftest import config


def transforms(fit: Fit = "cover", size: int = 32) -> Transforms:
    return Transforms(size=size, aspect=1.0, fit=fit, load_scale=1.25, flip=True)


@pytest.fixture
def files(frames: Callable[..., Path]) -> list[Path]:
    return sorted(frames().rglob("*.png"))


def shards(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in folder.glob("*.safetensors")}


@pytest.mark.parametrize("fit", ["cover", "stretch", "width"])
def test_frames_are_those_that_decoding_gives(fit: Fit, files: list[Path], tmp_path: Path):
    cache = FrameCache(tmp_path / "cache", transforms(fit))
    cache.prepare(files)
    for path in files:
        np.testing.assert_array_equal(cache(path), transforms(fit).to_size(read_image(path)))


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_are_the_same_to_the_bit(workers: int, frames: Callable[..., Path], tmp_path: Path):
    root = frames()

    def batches(*overrides: str) -> list[dict[str, torch.Tensor]]:
        own = [
            "data=folders",
            f"data.root={root}",
            "data.size=32",
            "data.load=32",
            "data.load_scale=1.25",
            "data.samples_per_epoch=6",
        ]
        data: UnpairedData = build(config(*own, f"data.num_workers={workers}", *overrides).data, "data")
        data.setup()
        return list(data.train_dataloader())

    decoded, cached = batches(), batches(f"data.cache={tmp_path / 'cache'}")
    assert len(decoded) == len(cached) == 6
    for one, other in zip(decoded, cached, strict=True):
        assert all(torch.equal(one[key], other[key]) for key in ("x", "y", "key"))


def test_what_is_there_is_not_written_again_by_other_jobs(files: list[Path], tmp_path: Path):
    FrameCache(tmp_path / "cache", transforms()).prepare(files)
    before = shards(tmp_path / "cache")
    FrameCache(tmp_path / "cache", transforms()).prepare(files)
    assert shards(tmp_path / "cache") == before
    assert len(before) == 1


def test_another_size_fit_or_content_is_another_shard(files: list[Path], tmp_path: Path):
    folder = tmp_path / "cache"
    for number, settings in enumerate((transforms(), transforms(size=36), transforms("stretch")), start=1):
        FrameCache(folder, settings).prepare(files)
        assert len(shards(folder)) == number
    Image.fromarray(255 - read_image(files[0])).save(files[0])
    cache = FrameCache(folder, transforms())
    cache.prepare(files)
    assert len(shards(folder)) == 4
    np.testing.assert_array_equal(cache(files[0]), transforms().to_size(read_image(files[0])))


def test_the_content_counts_and_not_the_place(files: list[Path], tmp_path: Path):
    FrameCache(tmp_path / "cache", transforms()).prepare(files)
    before = shards(tmp_path / "cache")
    moved = [path.rename(path.with_name(f"moved_{path.name}")) for path in files]
    cache = FrameCache(tmp_path / "cache", transforms())
    cache.prepare(moved)
    assert shards(tmp_path / "cache") == before
    np.testing.assert_array_equal(cache(moved[3]), transforms().to_size(read_image(moved[3])))


def test_files_are_split_into_shards(files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "SHARD", 4)
    cache = FrameCache(tmp_path / "cache", transforms())
    cache.prepare(files)
    assert len(shards(tmp_path / "cache")) == -(-len(files) // 4)
    for path in files:
        np.testing.assert_array_equal(cache(path), transforms().to_size(read_image(path)))


def test_a_torn_shard_is_written_again_when_a_job_starts(files: list[Path], tmp_path: Path):
    FrameCache(tmp_path / "cache", transforms()).prepare(files)
    (shard,) = (tmp_path / "cache").glob("*.safetensors")
    whole = shard.read_bytes()
    shard.write_bytes(whole[: len(whole) // 2])
    cache = FrameCache(tmp_path / "cache", transforms())
    cache.prepare(files)
    for path in files:
        np.testing.assert_array_equal(cache(path), transforms().to_size(read_image(path)))


def test_a_flipped_bit_is_found_when_the_frame_is_read(files: list[Path], tmp_path: Path):
    cache = FrameCache(tmp_path / "cache", transforms())
    cache.prepare(files)
    (shard,) = (tmp_path / "cache").glob("*.safetensors")
    content = bytearray(shard.read_bytes())
    content[-1] ^= 1
    shard.write_bytes(content)
    with safe_open(shard, framework="numpy") as file:
        last = file.offset_keys()[-1]
    (path,) = [path for path in files if hashlib.sha256(path.read_bytes()).hexdigest() == last]
    with pytest.raises(UserError, match=r"damaged \(wrong checksum\); remove it and start again"):
        cache(path)


def test_a_shard_that_vanished_is_said(files: list[Path], tmp_path: Path):
    cache = FrameCache(tmp_path / "cache", transforms())
    cache.prepare(files)
    for shard in (tmp_path / "cache").glob("*.safetensors"):
        shard.unlink()
    with pytest.raises(UserError, match="damaged or gone"):
        cache(files[0])


def test_a_broken_image_leaves_nothing_behind(files: list[Path], tmp_path: Path):
    files[2].write_bytes(b"torn")
    with pytest.raises(UserError, match="cannot be read as an image"):
        FrameCache(tmp_path / "cache", transforms()).prepare(files)
    assert not shards(tmp_path / "cache")
    assert not list((tmp_path / "cache").glob("*.part"))


def test_a_folder_that_cannot_be_written_is_named(files: list[Path], tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"data\.cache=.*cannot be written"):
        FrameCache(tmp_path / "file", transforms()).prepare(files)


def test_two_commands_at_once_leave_one_whole_cache(frames: Callable[..., Path], tmp_path: Path):
    arguments = [
        "data=folders",
        f"data.root={frames()}",
        "data.size=32",
        "data.load=32",
        f"data.cache={tmp_path / 'cache'}",
    ]
    started = [forked.Command("src.prepare", *arguments) for _ in range(2)]
    for process in started:
        stdout, stderr = process.communicate(timeout=300)
        assert process.returncode == 0, stderr
        assert stdout.strip() == str(tmp_path / "cache")
    assert len(shards(tmp_path / "cache")) == 1
    data: UnpairedData = build(config(*arguments).data, "data")
    data.setup()
    assert len(shards(tmp_path / "cache")) == 1
    assert data.images[(0, 0)]["x"].shape == (3, 32, 32)


def test_prepare_without_a_folder_says_what_to_name():
    done = forked.run("src.prepare", "data=folders", "data.root=/nowhere")
    assert done.returncode == 1
    assert "data.cache must name the folder" in done.stderr
    assert "Traceback" not in done.stderr
