"""A run that an earlier state of the source began, under that state's names, goes on to where that state took it."""

import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.bad_inputs.refusal import run
from tests.frames import write_frames

BEGUN = Path(__file__).with_name("begun")
"""config.yaml and last.ckpt, stopped after batch 9 of 12 in float64, and ended.safetensors, the weights at its end."""


@pytest.fixture(scope="module")
def resumed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("begun")
    frames = write_frames(base / "frames")
    folder = base / "run"
    folder.mkdir()
    for name in ("config.yaml", "last.ckpt"):
        shutil.copyfile(BEGUN / name, folder / name)
    code, lines = run("train", [f"resume={folder}", f"data.root={frames}"])
    assert code == 0, lines
    return folder


def test_a_run_begun_under_other_names_ends_in_the_same_weights(resumed: Path):
    expected, found = load_file(BEGUN / "ended.safetensors"), load_file(resumed / "weights.safetensors")
    assert expected.keys() == found.keys()
    moved = torch.load(BEGUN / "last.ckpt", weights_only=True)["state_dict"]
    for name, tensor in expected.items():
        # the same bits on the processor it was made on; another one rounds sums of float64 otherwise, by about 1e-16
        torch.testing.assert_close(found[name], tensor, rtol=0, atol=1e-9)
    # what it began with would not pass
    begun = {name.removeprefix("method."): tensor for name, tensor in moved.items()}
    assert max(float((begun[name] - tensor).abs().max()) for name, tensor in expected.items() if name in begun) > 1e-4
