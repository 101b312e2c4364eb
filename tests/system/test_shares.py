"""Sets shared out over ranks: two real processes give the numbers of one."""

from pathlib import Path

import pytest
import torch
from torch import distributed as dist
from torch import multiprocessing

from src.system import ranks as module
from src.system.ranks import share, to_first
from tests.metrics.test_image_scores import CPU, gather, images, scores, written
from tests.metrics.test_image_scores import read as read_image

COUNTS = (7, 4, 3)


@pytest.mark.parametrize("count", [1, 2, 7, 8])
@pytest.mark.parametrize("ranks", [1, 2, 3, 8])
def test_every_image_has_its_rank_and_shares_are_equally_large(count: int, ranks: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "ranks", lambda: ranks)
    taken = []
    for number in range(ranks):
        monkeypatch.setattr(module, "rank", lambda number=number: number)
        taken.append(share(count))
    assert len({len(own) for own in taken}) == 1
    # as `join` puts them together: step by step, rank after rank
    assert [own[step] for step in range(len(taken[0])) for own in taken][:count] == list(range(count))


def work(number: int, folder: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/rendezvous", rank=number, world_size=2)
    try:
        found = scores(cache=f"{folder}/cache")
        sets = []
        for seed, count in enumerate(COUNTS):
            whole = images(count, seed)
            sets.append(found.gather([whole[i] for i in share(count)], count, CPU))
        files = sorted(Path(f"{folder}/images").iterdir())
        for _ in range(2):
            kept = found.gather_files(files, read_image, CPU, name="real", preparation="whole")
        result = [found(sets[0], other, CPU) for other in (*sets[1:], kept)]
        pieces = to_first(f"of {number}")
        torch.save({"scores": result, "pieces": pieces, "seen": len(found.extractor.seen)}, f"{folder}/{number}.pt")
    finally:
        dist.destroy_process_group()


def test_two_processes_give_the_numbers_of_one(tmp_path: Path):
    files = written(tmp_path / "images", 5)
    multiprocessing.spawn(work, args=(str(tmp_path),), nprocs=2)
    first, second = (torch.load(tmp_path / f"{number}.pt", weights_only=True) for number in (0, 1))
    found = scores()
    whole = gather(found, images(COUNTS[0]))
    others = [gather(found, images(count, seed)) for seed, count in list(enumerate(COUNTS))[1:]]
    others.append(gather(found, [read_image(path) for path in files]))
    assert first["scores"] == second["scores"] == [found(whole, other, CPU) for other in others]
    assert (first["pieces"], second["pieces"]) == (["of 0", "of 1"], [])
    # shares of 4, 2, 2 and 3 images in batches of 3; the files' second time comes from the cache
    assert first["seen"] == second["seen"] == 2 + 1 + 1 + 1
