"""Checkpoints and weights that are of another network, torn, foreign, or meant to do harm; two runs in one folder."""

import json
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
import torch
from filelock import FileLock
from omegaconf import OmegaConf
from safetensors.torch import load_file, save_file

from src.runs.folder import load_config, save_config
from src.runs.weights import load_weights
from src.training.run import train
from tests import labelled
from tests.bad_inputs.refusal import assert_refused, listing, run, run_composed
from tests.conftest import TINY, UNDRAWN, config


@pytest.fixture(scope="module")
def finished(frames: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole run of one step, whose checkpoint one could continue from."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    folder.mkdir()
    short = ["trainer=cpu", "trainer.max_epochs=1", "trainer.limit_train_batches=1", "metrics.scores.seeds=1", UNDRAWN]
    train(
        config(
            *TINY, *short, "data=folders", f"data.root={frames}", "data.size=32", "data.load=32", "data.num_workers=0"
        ),
        folder,
    )
    return folder


@pytest.fixture
def spoilt(finished: Path, tmp_path: Path) -> Path:
    """A copy to do harm to."""
    return Path(copytree(finished, tmp_path / "run"))


class Bomb:
    """Unpickled without care, it leaves a file behind."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.trace,))


def garbage(path: Path) -> None:
    path.write_bytes(b"\x13\x37" * 4000)


def nothing(path: Path) -> None:
    path.write_bytes(b"")


def half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def bomb(path: Path) -> None:
    path.write_bytes(pickle.dumps({"state_dict": Bomb(path.parent / "trace")}, protocol=2))


def zipped_bomb(path: Path) -> None:
    torch.save({"state_dict": Bomb(path.parent / "trace")}, path)


def huge_header(path: Path) -> None:
    """A safetensors file that claims a header of an exabyte."""
    path.write_bytes(struct.pack("<Q", 1 << 60) + b"{}")


def lying_header(path: Path) -> None:
    """One whose tensor would lie beyond the end of the file."""
    header = json.dumps({"G": {"dtype": "F32", "shape": [1 << 40], "data_offsets": [0, 4 << 40]}}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header)


def gone(path: Path) -> None:
    path.unlink()


def folder_instead(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("spoil", [garbage, nothing, half, bomb, zipped_bomb, huge_header])
def test_a_checkpoint_that_is_none_is_not_continued(spoil: Callable[[Path], None], spoilt: Path):
    (spoilt / "metrics.json").unlink()  # a finished run is not continued anyway
    spoil(spoilt / "last.ckpt")
    before = listing(spoilt)
    assert_refused(run("train", [f"resume={spoilt}"]), r"^.*last\.ckpt: not a readable checkpoint")
    assert listing(spoilt) == before  # and no trace of a bomb


@pytest.mark.parametrize(
    "spoil", [garbage, nothing, half, bomb, zipped_bomb, huge_header, lying_header, folder_instead]
)
def test_weights_that_are_none_are_not_used(spoil: Callable[[Path], None], spoilt: Path, frames: Path, tmp_path: Path):
    spoil(spoilt / "weights.safetensors")
    before = listing(tmp_path)
    arguments = [f"run={spoilt}", f"input={frames}/testA", f"output={tmp_path / 'out'}"]
    assert_refused(run("translate", arguments), r"weights\.safetensors: (not a readable safetensors file|missing)")
    assert listing(tmp_path) == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("generator.width=8", r"weights\.safetensors: does not fit config\.yaml beside it .* differs"),
        ("method=cyclegan", r"^average=false: |weights\.safetensors: does not fit config\.yaml beside it"),
        ("generator.blur=false", r"weights\.safetensors: does not fit config\.yaml beside it"),
    ],
)
def test_weights_of_another_network_are_not_used(change: str, message: str, spoilt: Path, frames: Path, tmp_path: Path):
    (spoilt / "config.yaml").unlink()
    save_config(spoilt, config(*TINY, "data=folders", f"data.root={frames}", "data.size=32", "data.load=32", change))
    before = listing(tmp_path)
    average = "false" if change == "method=cyclegan" else "true"
    if change == "method=cyclegan":  # whose G is CUT's; of F there is none
        tensors = load_file(spoilt / "weights.safetensors")
        save_file({k: v for k, v in tensors.items() if "block" not in k and "G.encoder.stem" not in k}, tmp_path / "w")
        (tmp_path / "w").replace(spoilt / "weights.safetensors")
        before = listing(tmp_path)
    arguments = [f"run={spoilt}", f"input={frames}/testA", f"output={tmp_path / 'out'}", f"average={average}"]
    assert_refused(run("translate", arguments), message)
    assert listing(tmp_path) == before


def test_weights_that_are_no_numbers_are_not_used(spoilt: Path, frames: Path, tmp_path: Path):
    tensors = {key: torch.full_like(value, float("nan")) for key, value in load_weights(spoilt).items()}
    save_file(tensors, spoilt / "weights.safetensors")
    before = listing(tmp_path)
    arguments = [f"run={spoilt}", f"input={frames}/testA", f"output={tmp_path / 'out'}"]
    assert_refused(
        run("translate", arguments), r"weights\.safetensors: .* holds NaN or infinity, .*; name another run$"
    )
    assert listing(tmp_path) == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"generator": {"width": 8}},
            r"last\.ckpt: does not fit the configuration beside it \(.* differs\); start a new run",
        ),
        ({"attention": {"module": {"_target_": "src.networks.attention.none.NoAttention"}}}, r"takes no such setting"),
    ],
)
def test_a_checkpoint_of_another_network_is_not_continued(change: dict[str, Any], message: str, spoilt: Path):
    (spoilt / "metrics.json").unlink()
    saved = load_config(spoilt)
    merged = OmegaConf.merge(saved, change)
    if "generator" in change:
        for place in ("method",):
            merged = OmegaConf.merge(merged, {place: change})
    else:
        merged = OmegaConf.merge(merged, {"method": {"sampler": {"attention": change["attention"]["module"]}}})
    (spoilt / "config.yaml").write_text(OmegaConf.to_yaml(merged))
    before = listing(spoilt)
    assert_refused(run("train", [f"resume={spoilt}"]), message)
    assert {path: seen for path, seen in listing(spoilt).items() if "logs" not in path} == {
        path: seen for path, seen in before.items() if "logs" not in path
    }


def test_a_run_is_not_continued_with_other_frames(spoilt: Path, frames: Path):
    (spoilt / "metrics.json").unlink()
    before = listing(spoilt)
    gone = max((frames / "trainB").iterdir())
    content = gone.read_bytes()
    gone.unlink()
    try:
        message = r"last\.ckpt: the training files are not those that the run began with .*or start a new run$"
        assert_refused(run("train", [f"resume={spoilt}"]), message)
    finally:
        gone.write_bytes(content)
    assert {path: seen for path, seen in listing(spoilt).items() if "logs" not in path} == {
        path: seen for path, seen in before.items() if "logs" not in path
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", r"config\.yaml: not readable as YAML"),
        ("- 1", r"config\.yaml: not a run's configuration; name a folder that src\.train wrote"),
        ("a: 1", "(data: names no layout|method: missing from the configuration)"),
        ("variant: ${oc.env:HOME}", r"config\.yaml: refers to other values with \$\{\.\.\.\}, as no run does"),
        (
            "method: {_target_: os.system, command: touch trace}",
            r"^method\._target_: os\.system is none of the classes",
        ),
        ("method: !!python/object/apply:os.system [touch trace]", r"config\.yaml: not readable as YAML"),
    ],
)
def test_a_strangers_configuration_is_not_followed(
    text: str, message: str, spoilt: Path, frames: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    (spoilt / "config.yaml").write_text(text)
    before = listing(tmp_path)
    assert_refused(run("translate", [f"run={spoilt}", f"input={frames}/testA", "output=out"]), message)
    assert listing(tmp_path) == before


@pytest.mark.parametrize("content", [b"", b"{}", b"[1", b'{"metrics": {"kid": "low"}, "protocol": {}}'])
def test_scores_that_are_none_are_not_tabulated(content: bytes, spoilt: Path, tmp_path: Path):
    (spoilt / "metrics.json").write_bytes(content)
    before = listing(tmp_path)
    answer = run("report", [str(spoilt), "--output", str(tmp_path / "table")])
    assert_refused(answer, r"metrics\.json: not the scores of a run .*leave the run out or repeat it$")
    assert listing(tmp_path) == before


def test_an_extractors_weights_are_read_without_running_them(frames: Path, untouched: Path):
    trace = untouched.parent / f"{untouched.name}-trace"
    weights = untouched.parent / f"{untouched.name}-weights.pth"
    weights.write_bytes(pickle.dumps({"fc.weight": Bomb(trace)}, protocol=2))
    own = [
        "data=folders",
        "extractor=inception",
        f"data.root={frames}",
        "data.size=32",
        "data.load=32",
        f"extractor.weights={weights}",
    ]
    assert_refused(
        run_composed("train", untouched / "run", [*own, "data.num_workers=0"]), "not a plain weights file; give"
    )
    assert not trace.exists()


def test_a_finished_run_is_not_trained_over(finished: Path, frames: Path):
    before = listing(finished)
    own = ["data=folders", f"data.root={frames}", "data.size=32", "data.load=32", "data.num_workers=0", *TINY]
    answer = run_composed("train", finished, own)
    assert_refused(answer, rf"^{finished}: already holds a run; continue it with resume=.* or name another folder$")
    assert listing(finished) == before


def test_two_runs_at_the_same_time_do_not_share_a_folder(frames: Path, tmp_path: Path):
    folder = tmp_path / "run"
    folder.mkdir()
    own = ["data=folders", f"data.root={frames}", "data.size=32", "data.load=32", "data.num_workers=0", *TINY]
    with FileLock(folder / ".lock"):  # what the other process holds
        before = listing(folder)
        answer = run_composed("train", folder, own)
        assert_refused(answer, rf"^{folder}: another process trains here; wait for it or name another folder$")
        assert listing(folder) == before


def test_a_segmenter_does_not_stand_for_a_translator(spoilt: Path, frames: Path, tmp_path: Path):
    save_config(spoilt, labelled.composed("segment", "train=a", "test=b", *labelled.SMALL))
    arguments = [f"run={spoilt}", f"input={frames}/testA", f"output={tmp_path / 'out'}"]
    assert_refused(run("translate", arguments), "^method: missing from the configuration; name a run folder")
