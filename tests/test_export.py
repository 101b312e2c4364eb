"""A run's generator as one file: the same outputs, and what the file says of itself."""

import io
import json
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from src.data.images import read_image
from src.networks.generator import Generator
from src.runs.results import save_metrics
from src.runs.weights import load_translator
from src.system.errors import UserError
from src.system.files import sha256
from src.translation.translate import translate_inputs
from src.translation.weights import export as export_module
from src.translation.weights import load, onnx_file
from src.translation.weights.card import card
from src.translation.weights.export import export
from src.translation.weights.facts import Provenance
from src.translation.weights.terms import Terms
from tests import labelled
from tests.labelled import composed
from tests.released import Released

FORMATS = {"onnx": "g.onnx", "torchscript": "g.pt", "safetensors": "g.safetensors"}
FLAVOURS = {"cut": [], "cyclegan": ["method=cyclegan_original"], "six": ["generator.blocks=6", "generator.blur=up"]}
FLAVOURS["residual"] = ["generator.output=residual", "generator.align=true"]
ODD = ((1, 3, 8, 36), (3, 3, 44, 12), (2, 3, 20, 20))


@pytest.fixture(scope="module", params=FLAVOURS)
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp(request.param) / "run"
    labelled.translator(folder, "data=streets", "data.root=data/streets", *FLAVOURS[request.param])
    scores = {"kid": 0.25, "kid_std": 0.01, "kid_source": 0.5, "kid_std_source": 0.02, "kid_floor": 0.0, "kid_raw": 0.3}
    protocol = {"seed": 7, "batches": 6000, "commit": "abc123", "data_digest": "5cce68a6", "n_fake": 150}
    save_metrics(folder, scores, protocol)
    return folder


@pytest.fixture(scope="module", params=FORMATS)
def exported(request: pytest.FixtureRequest, run: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The run, and its file."""
    output = tmp_path_factory.mktemp("exported") / FORMATS[request.param]
    report = export(composed("export", f"run={run}", f"format={request.param}", f"output={output}"))
    assert (report["file"], report["bytes"]) == (str(output), output.stat().st_size)
    assert 0 <= float(str(report["largest_difference"])) <= 1e-4
    return run, output


def images(*shape: int) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(1)) * 2 - 1


def facts_in(path: Path) -> dict[str, str]:
    if path.suffix == ".onnx":
        return {one.key: one.value for one in onnx.load(path).metadata_props}
    if path.suffix == ".pt":
        with zipfile.ZipFile(path) as archive:
            content: dict[str, Any] = json.loads(archive.read("archive/extra/attention-cut.json"))
        return dict(content["facts"])
    with safe_open(path, "pt") as file:
        return dict(file.metadata())


def test_a_file_is_read_back_as_the_network_at_sizes_it_was_not_checked_at(exported: tuple[Path, Path]):
    run, path = exported
    network = load_translator(run, average=True)
    read = load.translator(None, str(path), average=True, accelerator="auto")
    for shape in ODD:
        expected = network(images(*shape))
        assert float(expected.std()) > 0.1
        torch.testing.assert_close(read(images(*shape)), expected, atol=1e-4, rtol=0)


def test_other_programs_get_the_same_from_it(exported: tuple[Path, Path]):
    run, path = exported
    network = load_translator(run, average=True)
    for shape in ODD:
        if path.suffix == ".onnx":
            session = onnxruntime.InferenceSession(path)
            output = torch.from_numpy(session.run(None, {"image": images(*shape).numpy()})[0])
        elif path.suffix == ".pt":
            with pytest.warns(FutureWarning):
                output = torch.jit.load(path)(images(*shape))
        else:
            architecture = json.loads(facts_in(path)["architecture"])
            generator = Generator(**architecture, init="xavier", gain=1.0).eval()
            with safe_open(path, "pt") as file:
                generator.load_state_dict({key: file.get_tensor(key) for key in file.keys()})  # noqa: SIM118
            output = generator(images(*shape))
        torch.testing.assert_close(output, network(images(*shape)), atol=1e-4, rtol=0)


def test_a_file_says_what_it_is(exported: tuple[Path, Path]):
    run, path = exported
    facts = facts_in(path)
    assert (facts["seed"], facts["steps"], facts["commit"]) == ("7", "6000", "abc123")
    assert facts["data"] == "streets"
    assert facts["data_digest"] == "5cce68a6"
    assert facts["weights"] == "average over training"
    assert facts["weights_sha256"] == sha256(run / "weights.safetensors")
    assert "[-1, 1]" in facts["input"]
    assert "RGB" in facts["input"]
    assert "multiples of 4" in facts["sizes"]
    assert facts["licence"].startswith("weights: MIT, as the frames")
    assert not any(str(run.parent) in value for value in facts.values())
    page = path.with_name(f"{path.name}.md").read_text()
    for key in ("seed", "steps", "commit", "data_digest", "licence", "tolerance"):
        assert facts[key] in page
    assert f"python -m src.translate weights={path.name}" in page
    assert "| `kid` | lower | 0.25 | 0.5 | 0 |" in page
    assert "kid_std" not in page.replace("kid_subset", "")


def test_a_bar_in_a_name_does_not_end_a_cell_of_the_card():
    facts = {"data": "day|night", "weights": "average over training", "training_size": "128 pixels", "licence": "MIT"}
    page = card("g.onnx", Provenance(facts, Terms("MIT"), {}, {}))
    assert r"| trained on | day\|night |" in page.splitlines()


def test_translating_with_a_file_is_translating_with_its_run(exported: tuple[Path, Path], tmp_path: Path):
    run, path = exported
    (tmp_path / "in").mkdir()
    for number, shape in enumerate([(33, 47, 3), (21, 58, 3), (33, 47, 3)]):
        pixels = np.random.default_rng(number).integers(0, 256, shape, dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "in" / f"{number}.png")
    for name, source in {"run": f"run={run}", "file": f"weights={path}"}.items():
        own = [source, f"input={tmp_path / 'in'}", f"output={tmp_path / name}", "accelerator=cpu"]
        translate_inputs(composed("translate", *own))
    for number in range(3):
        one, other = (read_image(tmp_path / name / f"{number}.png").astype(int) for name in ("run", "file"))
        assert one.shape == other.shape
        # a value on the edge between two levels may fall to either side
        assert np.abs(one - other).max() <= 1
        assert (one != other).mean() < 1e-2


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    return labelled.translator(tmp_path / "run", "data=streets", "data.root=/somewhere/else/streets")


def exporting(run: Path, format: str, *more: str) -> dict[str, object]:
    return export(composed("export", f"run={run}", f"format={format}", f"output={run.parent / FORMATS[format]}", *more))


def test_a_labelled_set_is_translated_with_a_file_and_a_named_data_set(tiny: Path, tmp_path: Path):
    labelled.streets(tmp_path / "data")
    path = exporting(tiny, "safetensors")["file"]
    own = [f"weights={path}", "split=val", f"output={tmp_path / 'set'}", "accelerator=cpu"]
    with pytest.raises(UserError, match="names no data set; give data="):
        translate_inputs(composed("translate", *own))
    translate_inputs(composed("translate", *own, "data=streets", f"data.root={tmp_path}/data"))
    manifest = json.loads((tmp_path / "set" / "manifest.json").read_text())
    assert manifest["recipe"]["weights_sha256"] == sha256(Path(str(path)))


@pytest.mark.parametrize("format", FORMATS)
def test_a_file_whose_outputs_differ_is_not_left_behind(format: str, tiny: Path, monkeypatch: pytest.MonkeyPatch):
    right = load_translator(tiny, average=True)
    wrong = load_translator(tiny, average=True)
    for parameter in wrong.parameters():
        parameter.data *= 1.01
    module = {"onnx": onnx_file, "torchscript": export_module.torchscript_file}.get(format, export_module.tensors_file)
    made = module.to_bytes
    monkeypatch.setattr(module, "to_bytes", lambda network, *rest, **options: made(wrong, *rest, **options))
    assert export_module.largest_difference(right, wrong) > 1e-3
    before = sorted(tiny.parent.rglob("*"))
    with pytest.raises(UserError, match=r"its outputs differ by .* more than 0\.0001; nothing was written"):
        exporting(tiny, format)
    assert sorted(tiny.parent.rglob("*")) == before


def test_a_wrong_program_beside_right_weights_is_seen(tiny: Path, monkeypatch: pytest.MonkeyPatch):
    """What src.translate does not run is checked all the same."""
    right = torch.jit.load

    def wrong(file: io.BytesIO) -> Callable[[torch.Tensor], torch.Tensor]:
        program = right(file)
        return lambda image: program(image) + 0.01

    monkeypatch.setattr(torch.jit, "load", wrong)
    with pytest.raises(UserError, match=r"its outputs differ by 0\.01 "):
        exporting(tiny, "torchscript")


def test_nan_is_a_difference():
    assert not export_module.largest_difference(lambda x: x, lambda x: x * torch.nan) <= 1e9


def test_nothing_is_written_over(tiny: Path):
    exporting(tiny, "safetensors")
    page = tiny.parent / "g.safetensors.md"
    content = page.read_bytes()
    with pytest.raises(UserError, match=r"g\.safetensors is there already; remove it"):
        exporting(tiny, "safetensors")
    (tiny.parent / "g.safetensors").unlink()
    with pytest.raises(UserError, match=r"g\.safetensors\.md is there already; remove it"):
        exporting(tiny, "safetensors")
    assert page.read_bytes() == content


def test_the_last_steps_weights_on_demand(tiny: Path):
    tensors = load_file(tiny / "weights.safetensors")
    save_file({k: v / 2 if k.startswith("average.") else v for k, v in tensors.items()}, tiny / "weights.safetensors")
    page = exporting(tiny, "safetensors", "average=false")["card"]
    assert "| weights | last step |" in Path(str(page)).read_text()
    read = load.generator(tiny.parent / "g.safetensors")
    torch.testing.assert_close(dict(read.state_dict()), dict(load_translator(tiny, average=False).state_dict()))


def test_half_precision_halves_the_file_and_states_its_tolerance(tiny: Path):
    whole = exporting(tiny, "safetensors")
    half = exporting(tiny, "safetensors", "precision=float16", f"output={tiny.parent / 'half.safetensors'}")
    numbers = sum(value.numel() for value in load_translator(tiny, average=True).state_dict().values())
    assert int(str(whole["bytes"])) - int(str(half["bytes"])) == pytest.approx(2 * numbers, abs=100)
    assert 0 < float(str(half["largest_difference"])) <= 1e-2
    assert facts_in(tiny.parent / "half.safetensors")["tolerance"].startswith("outputs within 0.01 of the network's")
    assert {value.dtype for value in load.generator(tiny.parent / "half.safetensors").parameters()} == {torch.float32}


def test_a_licence_is_taken_as_given(tiny: Path):
    exporting(tiny, "onnx", "licence=CC BY-NC 4.0")
    assert facts_in(tiny.parent / "g.onnx")["licence"] == "weights: CC BY-NC 4.0; code: MIT"


def test_no_path_of_the_user_is_told(tiny: Path):
    exporting(tiny, "onnx")
    for path in (tiny.parent / "g.onnx", tiny.parent / "g.onnx.md"):
        assert b"/somewhere" not in path.read_bytes()
        assert str(tiny.parent).encode() not in path.read_bytes()


def test_a_torchscript_files_program_is_never_run_here(tiny: Path):
    exporting(tiny, "torchscript")
    path = tiny.parent / "g.pt"
    expected = dict(load.generator(path).state_dict())
    kept, spoilt = zipfile.ZipFile(io.BytesIO(path.read_bytes())), io.BytesIO()
    with zipfile.ZipFile(spoilt, "w") as archive:
        for name in kept.namelist():
            program = "/code/" in name or name.endswith(".pkl")
            archive.writestr(name, b"raise SystemExit(1)" if program else kept.read(name))
    path.write_bytes(spoilt.getvalue())
    torch.testing.assert_close(dict(load.generator(path).state_dict()), expected, atol=0, rtol=0)


def test_an_onnx_file_is_run_on_the_cpu_alone(tiny: Path):
    path = exporting(tiny, "onnx")["file"]
    with pytest.raises(UserError, match=r"^accelerator=cuda: ONNX Runtime computes .* on the CPU; leave it out"):
        load.translator(None, str(path), average=True, accelerator="cuda")


def test_a_released_generator_translates_files_of_any_size(tmp_path: Path):
    theirs = Released(width=4, down=True, up=True, blocks=9)
    torch.save({f"module.{key}": value for key, value in theirs.state_dict().items()}, tmp_path / "latest_net_G.pth")
    pixels = np.random.default_rng(0).integers(0, 256, (33, 47, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    own = [f"weights={tmp_path}/latest_net_G.pth", f"input={tmp_path}/a.png", f"output={tmp_path}/out"]
    translate_inputs(composed("translate", *own, "accelerator=cpu"))
    padded = np.pad(pixels, ((0, 3), (0, 1), (0, 0)), mode="edge")
    output = theirs(torch.from_numpy(padded).permute(2, 0, 1)[None] / 127.5 - 1)[0, :, :33, :47]
    expected = ((output + 1) * 127.5).permute(1, 2, 0).numpy()
    # rounded to whole levels
    assert np.abs(read_image(tmp_path / "out/a.png") - expected).max() < 0.51


def test_without_the_extra_one_line_says_so(tiny: Path, monkeypatch: pytest.MonkeyPatch):
    path = str(exporting(tiny, "onnx")["file"])
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    for command in (
        lambda: load.translator(None, path, average=True, accelerator="cpu"),
        lambda: exporting(tiny, "onnx", f"output={tiny.parent / 'other.onnx'}"),
    ):
        with pytest.raises(UserError, match=r"needs the package onnxruntime; pip install -e '\.\[export\]'$"):
            command()
