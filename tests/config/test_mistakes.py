"""Command lines, taken apart: what is mistaken is known before any import that takes seconds."""

import pytest

from src.config import schema
from src.config.mistakes import mistakes, taken_apart


def lines(name: str, *arguments: str) -> list[str]:
    return mistakes(name, arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["attention=bam", "seed=3", "data.size=128", "optimizer.lr=1e-3"],
        ["-m", "attention=none,triplet", "seed=range(0,3)"],
        ["-m", "table1=glob(*)", "seed=0,1,2"],
        ["attention=self", "attention.module.reduction=4"],
        ["logger=wandb", "logger.wandb.mode=offline"],
        ["+optimizer.weight_decay=0.1", "~callbacks.image_grid"],
        ['data.root="/my frames"', "data.layout.x=trainA", "data=folders"],
        ["--cfg", "job", "seed=1"],
        ["--cfg=job", "--resolve"],
        ["-i", "defaults", "seed=1"],
        ["--config-path", "/elsewhere", "--config-name", "mine", "own=1"],
        ["resume=outputs/run", "trainer.max_epochs=10"],
        ["hydra.run.dir=outputs/mine", "hydra/launcher=submitit_local"],
        ["attention.taps=[down1,down2]"],
    ],
)
def test_what_is_right_is_not_mistaken(arguments: list[str]):
    assert lines("train", *arguments) == []


def test_overrides_may_stand_before_and_behind_an_option():
    line = taken_apart(["attention=none,bam", "-m", "seed=0,1", "--cfg", "job"][:3])
    assert (line.options, line.overrides, line.sweep) == (["-m"], ["attention=none,bam", "seed=0,1"], True)
    line = taken_apart(["seed=1", "--cfg", "job", "data.size=64"])
    assert (line.options, line.overrides) == (["--cfg", "job"], ["seed=1", "data.size=64"])


@pytest.mark.parametrize("name", schema.ROOTS)
def test_a_command_that_is_given_nothing_says_all_that_it_needs(name: str):
    said = lines(name)
    needs = {
        "content": 2,
        "publish": 2,
        "study": 1,
        "explain": 2,
        "segment": 2,
        "translate": 1,
        "export": 3,
        "evaluate": 2,
    }
    assert len(said) == (name in {*needs, "dashboard"})
    assert sum(line.count("=...") for line in said) == {**needs, "dashboard": 1}.get(name, 0)


def test_a_resumed_run_needs_nothing_more():
    assert lines("segment", "resume=outputs/segment/one") == []
    assert mistakes("segment", (), asks=True) == []
