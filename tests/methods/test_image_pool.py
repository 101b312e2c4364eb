"""The pool against a list and a loop, on one process and two, and through a checkpoint."""

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor, distributed, multiprocessing

from src.methods.image_pool import ImagePool
from src.networks import noise


def numbered(count: int, first: int = 0) -> Tensor:
    """Images [count, 3, 2, 2] that bear their number."""
    return torch.arange(first, first + count).float()[:, None, None, None].expand(-1, 3, 2, 2).clone()


def keys(count: int) -> Tensor:
    return torch.arange(count) * 7919 + 3


def shown(pool: ImagePool, images: Tensor, keys_B: Tensor, sizes: Sequence[int]) -> list[int]:
    pairs = zip(images.split(list(sizes)), keys_B.split(list(sizes)), strict=True)
    return torch.cat([pool(*pair) for pair in pairs])[:, 0, 0, 0].int().tolist()


def naive(size: int, count: int, stream: int) -> tuple[list[int], list[int]]:
    """Numbers shown, and kept at the end."""
    kept: list[int] = []
    out = []
    for number, key in zip(range(count), keys(count), strict=True):
        if len(kept) < size:
            kept.append(number)
            out.append(number)
            continue
        chance, place = noise.uniform(key[None], 2, stream)[0].tolist()
        if chance < 0.5:
            slot = int(place * size)
            out.append(kept[slot])
            kept[slot] = number
        else:
            out.append(number)
    return out, kept


@pytest.mark.parametrize("sizes", [[1] * 300, [100, 100, 100], [3] * 100])
@pytest.mark.parametrize("size", [1, 4, 50])
def test_shows_and_keeps_what_a_list_and_a_loop_do_in_any_batches(size: int, sizes: list[int]):
    pool = ImagePool(size, stream=1)
    expected, kept = naive(size, 300, stream=1)
    assert shown(pool, numbered(300), keys(300), sizes) == expected
    assert pool.images[:, 0, 0, 0].int().tolist() == kept


def test_the_first_50_are_stored_and_shown_then_half_are_exchanged():
    count = 2050
    seen = shown(ImagePool(50, stream=0), numbered(count), keys(count), [count])
    assert seen[:50] == list(range(50))
    exchanged = [number for number, new in zip(seen, range(count), strict=True) if number != new]
    # binomial: deviation 22
    assert abs(len(exchanged) - 1000) < 90
    # what is shown as old leaves the pool for good, and none of the first stays for ever
    assert len(set(exchanged)) == len(exchanged)
    assert set(range(50)) <= set(exchanged)


def test_two_pools_draw_apart():
    one, two = (shown(ImagePool(4, stream=s), numbered(100), keys(100), [1] * 100) for s in (0, 1))
    assert one != two


def test_size_0_shows_every_image_as_it_comes():
    pool = ImagePool(0, stream=0)
    assert shown(pool, numbered(9), keys(9), [3, 3, 3]) == list(range(9))
    assert len(pool.images) == 0


def test_refuses_a_negative_size():
    with pytest.raises(ValueError, match="pool must be >= 0, got -1"):
        ImagePool(-1, stream=0)


def test_keeps_no_graph_and_no_view_of_what_it_was_given():
    pool = ImagePool(2, stream=0)
    images = numbered(2).requires_grad_()
    assert not pool(images, keys(2)).requires_grad
    with torch.no_grad():
        images.fill_(9)
    assert pool.images[:, 0, 0, 0].tolist() == [0, 1]


def test_nothing_is_read_back_from_the_device():
    """Tensors on `meta` hold no values: any look at one would raise."""
    pool = ImagePool(2, stream=0)
    for _ in range(3):
        assert pool(torch.empty(2, 3, 8, 8, device="meta"), torch.empty(2, dtype=torch.int64, device="meta")).is_meta


@pytest.mark.parametrize("done", [0, 3, 20])
def test_goes_on_from_a_checkpoint_as_if_never_stopped(done: int, tmp_path: Path):
    whole, parts = (ImagePool(4, stream=0) for _ in range(2))
    expected = shown(whole, numbered(60), keys(60), [1] * 60)
    before = shown(parts, numbered(done), keys(60)[:done], [1] * done) if done else []
    torch.save(parts.state_dict(), tmp_path / "pool.ckpt")
    resumed = ImagePool(4, stream=0)
    resumed.load_state_dict(torch.load(tmp_path / "pool.ckpt", weights_only=True))
    after = shown(resumed, numbered(60 - done, first=done), keys(60)[done:], [1] * (60 - done))
    assert before + after == expected
    assert torch.equal(whole.images, resumed.images)


def one_rank(rank: int, folder: str) -> None:
    """Every second image of the joint batches of four."""
    distributed.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)
    pool = ImagePool(5, stream=0)
    seen = shown(pool, numbered(40)[rank::2], keys(40)[rank::2], [2] * 10)
    torch.save({"shown": seen, "kept": pool.images}, f"{folder}/{rank}.pt")
    distributed.destroy_process_group()


def test_two_processes_share_the_pool_of_the_joint_batch(tmp_path: Path):
    multiprocessing.spawn(one_rank, (str(tmp_path),), nprocs=2)
    joint = ImagePool(5, stream=0)
    expected = shown(joint, numbered(40), keys(40), [4] * 10)
    ranks = [torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(2)]
    assert [rank["shown"] for rank in ranks] == [expected[0::2], expected[1::2]]
    assert all(torch.equal(rank["kept"], joint.images) for rank in ranks)
