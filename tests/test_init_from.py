"""A new run from the weights of another."""

import hashlib
import json
import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from src.config.build import build_method
from src.runs.folder import load_config
from src.runs.results import load_metrics
from src.runs.weights import load_translator, save_weights
from src.system.errors import UserError
from src.training.average import WeightAverage
from src.training.callbacks.checkpoint import Interrupted
from src.training.callbacks.initial_weights import take_weights
from src.training.run import train
from src.translation.weights.export import export
from tests import labelled
from tests.conftest import TINY, config
from tests.frames import write_frames
from tests.released import Released
from tests.test_train import StopAfter, tiny


def method(*overrides: str, seed: int = 0):
    torch.manual_seed(seed)
    return build_method(config(*TINY, *overrides))


def saved(folder: Path, *overrides: str) -> tuple[Path, dict[str, torch.Tensor]]:
    """A weights file, and what is in it."""
    trained = method(*overrides, seed=1)
    save_weights(folder, trained, WeightAverage(trained.translator(), decay=0.5).network)
    return folder / "weights.safetensors", load_file(folder / "weights.safetensors")


def taken(method: torch.nn.Module, tensors: dict[str, torch.Tensor]) -> set[str]:
    """Parts of which every weight is the file's."""
    state = method.state_dict()
    parts: dict[str, bool] = {}
    for key, value in state.items():
        if isinstance(value, torch.Tensor):
            part = "attention" if key.startswith("H.attention.") else key.partition(".")[0]
            parts[part] = parts.get(part, True) and key in tensors and torch.equal(value, tensors[key])
    return {part for part, all_of_it in parts.items() if all_of_it}


@pytest.mark.parametrize(
    ("theirs", "ours", "expected", "fresh"),
    [
        (["attention=bam"], ["attention=bam"], {"G", "D", "H", "attention"}, "nothing"),
        (["attention=bam"], ["attention=external"], {"G", "D", "H"}, "attention"),
        (["attention=none"], ["attention=triplet"], {"G", "D", "H"}, "attention"),
        (["attention=triplet"], ["attention=none"], {"G", "D", "H"}, "nothing"),
        (["attention=none"], ["method=cyclegan"], {"G"}, "D_x, D_y, F"),
        (["method=cyclegan"], ["attention=bam"], {"G"}, "D, H"),
        (["method=cyclegan"], ["method=cyclegan"], {"G", "F", "D_x", "D_y"}, "nothing"),
    ],
)
def test_networks_of_the_same_name_are_taken_and_the_rest_is_fresh(
    theirs: list[str], ours: list[str], expected: set[str], fresh: str, tmp_path: Path
):
    path, tensors = saved(tmp_path, *theirs)
    new = method(*ours)
    before = {key: value.clone() for key, value in new.state_dict().items() if isinstance(value, torch.Tensor)}
    line = take_weights(new, path)
    assert taken(new, tensors) == expected
    assert line.endswith(f"fresh: {fresh}")
    for key, value in new.state_dict().items():
        part = "attention" if key.startswith("H.attention.") else key.partition(".")[0]
        if part not in expected and isinstance(value, torch.Tensor):
            assert torch.equal(value, before[key])


@pytest.mark.parametrize(
    ("ours", "key"),
    [
        (["generator.width=8"], r"G\.\S+ is \(4, .*\) there and \(8, .*\) here"),
        (["discriminator.width=8"], r"D\.\S+ is \(4, .*\) there and \(8, .*\) here"),
        (["sampler.embedding=8"], r"H\.heads\.\S+ is \(16, .*\) there and \(8, .*\) here"),
    ],
)
def test_another_architecture_is_one_line_that_names_the_first_key(ours: list[str], key: str, tmp_path: Path):
    path, _ = saved(tmp_path, "attention=bam")
    new = method("attention=bam", *ours)
    before = {key: value.clone() for key, value in new.state_dict().items()}
    with pytest.raises(
        UserError, match=f"^init_from: {re.escape(str(path))} is of another architecture: {key}"
    ) as raised:
        take_weights(new, path)
    assert "\n" not in str(raised.value)
    assert all(torch.equal(value, before[name]) for name, value in new.state_dict().items())


def test_a_network_in_part_is_another_architecture(tmp_path: Path):
    path, tensors = saved(tmp_path, "attention=none")
    key = next(key for key in tensors if key.startswith("D."))
    save_file({name: value for name, value in tensors.items() if name != key}, path)
    with pytest.raises(UserError, match=rf"{re.escape(key)} is missing there and \(.*\) here"):
        take_weights(method("attention=none"), path)
    save_file({**tensors, "G.more": torch.ones(2)}, path)
    with pytest.raises(UserError, match=r"G\.more is \(2,\) there and missing here"):
        take_weights(method("attention=none"), path)


def test_what_holds_no_generator_is_refused(tmp_path: Path):
    save_file({"encoder.weight": torch.ones(2)}, tmp_path / "weights.safetensors")
    with pytest.raises(UserError, match="holds no generator"):
        take_weights(method("attention=none"), tmp_path / "weights.safetensors")
    with pytest.raises(UserError, match=r"nowhere.safetensors: missing"):
        take_weights(method("attention=none"), tmp_path / "nowhere.safetensors")
    (tmp_path / "torn.safetensors").write_bytes(b"torn")
    with pytest.raises(UserError, match="not a readable safetensors file"):
        take_weights(method("attention=none"), tmp_path / "torn.safetensors")


def test_a_run_starts_from_weights_and_says_from_which_after_a_resume_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    source, folder = tmp_path / "source", tmp_path / "run"
    for path in (source, folder):
        path.mkdir()
    weights, tensors = saved(source, "attention=bam")
    sha256 = hashlib.sha256(weights.read_bytes()).hexdigest()
    # a rate that moves nothing: what the run ends with is what it started with
    still = ["optimizer.lr=1e-30", "trainer.max_epochs=1", "attention=triplet", f"init_from={source}"]
    still += ["metrics.scores=null"]
    with monkeypatch.context() as patch:
        patch.setattr("src.training.trainer.Progress", lambda: StopAfter(2))
        with pytest.raises(Interrupted):
            train(tiny(write_frames(tmp_path / "frames"), *still), folder)
    assert f"init_from: D, G, H from {weights}; fresh: attention" in capsys.readouterr().err
    assert torch.load(folder / "last.ckpt", weights_only=True)["batches"] == 3  # of its own, not the source's
    weights.unlink()
    saved_config = load_config(folder)
    assert saved_config.init_from == str(source)
    train(saved_config, folder, resume=True)
    assert json.loads((folder / "metrics.json").read_text())["protocol"]["init_from_sha256"] == sha256
    ended = load_file(folder / "weights.safetensors")
    for key, value in tensors.items():
        if key.startswith(("G.", "D.", "average.")):
            torch.testing.assert_close(ended[key], value, atol=1e-6, rtol=0)


def test_a_run_that_starts_from_its_seed_names_no_weights(tmp_path: Path):
    few = ("trainer.max_epochs=1", "data.samples_per_epoch=1", "metrics.scores=null")
    cfg = tiny(write_frames(tmp_path / "frames"), "attention=none", *few)
    (tmp_path / "run").mkdir()
    train(cfg, tmp_path / "run")
    assert "init_from_sha256" not in load_metrics(tmp_path / "run")[1]


@pytest.mark.parametrize("method_choice", [["attention=triplet"], ["method=cyclegan_original"]])
def test_a_released_generator_is_taken_and_the_rest_is_fresh(method_choice: list[str], tmp_path: Path):
    blur = method_choice[0].startswith("attention")
    theirs = Released(width=4, down=blur, up=blur, blocks=6)
    torch.save(theirs.state_dict(), tmp_path / "latest_net_G.pth")
    new = method(*method_choice, "generator.blocks=6")
    before = {key: value.clone() for key, value in new.state_dict().items() if isinstance(value, torch.Tensor)}
    line = take_weights(new, tmp_path / "latest_net_G.pth")
    assert line.startswith(f"init_from: G from {tmp_path / 'latest_net_G.pth'}; fresh: D")
    images = torch.rand(2, 3, 20, 36) * 2 - 1
    with torch.no_grad():
        torch.testing.assert_close(new.translator()(images), theirs(images), atol=1e-5, rtol=0)
    after = new.state_dict()
    assert all(torch.equal(after[key], value) for key, value in before.items() if not key.startswith("G."))


@pytest.mark.parametrize(("kind", "suffix"), [("safetensors", "safetensors"), ("torchscript", "pt")])
def test_an_exported_generator_is_taken(kind: str, suffix: str, tmp_path: Path):
    run = labelled.translator(tmp_path / "run", "data=streets", "data.root=data")
    path = tmp_path / f"g.{suffix}"
    export(labelled.composed("export", f"run={run}", f"format={kind}", f"output={path}"))
    new = method("attention=bam")
    assert take_weights(new, path) == f"init_from: G from {path}; fresh: D, H"
    expected = load_translator(run, average=True).state_dict()
    torch.testing.assert_close(dict(new.translator().state_dict()), dict(expected), atol=0, rtol=0)


def test_resampling_is_told_apart_though_its_weights_look_alike(tmp_path: Path):
    torch.save(Released(width=4, down=False, up=True, blocks=9).state_dict(), tmp_path / "latest_net_G.pth")
    with pytest.raises(UserError, match=r"give generator\.width=4 generator\.blur=up generator\.blocks=9 "):
        take_weights(method("attention=none"), tmp_path / "latest_net_G.pth")
