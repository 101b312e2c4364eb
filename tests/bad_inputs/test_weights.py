"""Files of weights that are missing, torn, foreign, or meant to do harm; exports that cannot be."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
import torch
from onnx import TensorProto, helper
from safetensors.torch import load_file, save_file
from torch import nn

from src.runs.folder import CONFIG, WEIGHTS
from src.translation.weights import facts
from src.translation.weights.export import export
from tests import labelled
from tests.bad_inputs.refusal import assert_refused, listing, run, run_composed
from tests.bad_inputs.test_checkpoints import bomb, garbage, half, huge_header, lying_header, nothing, zipped_bomb
from tests.conftest import TINY
from tests.released import Released

FORMATS = {"onnx": "g.onnx", "torchscript": "g.pt", "safetensors": "g.safetensors"}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return labelled.translator(tmp_path_factory.mktemp("weights") / "run", "data=streets", "data.root=streets")


@pytest.fixture(scope="module")
def good(finished: Path) -> dict[str, bytes]:
    """A good file of each format by its name, and a released one."""
    content = {}
    for kind, name in FORMATS.items():
        path = finished.parent / name
        export(labelled.composed("export", f"run={finished}", f"format={kind}", f"output={path}"))
        content[name] = path.read_bytes()
    path = finished.parent / "latest_net_G.pth"
    torch.save(Released(width=4, down=True, up=True, blocks=9).state_dict(), path)
    return {**content, path.name: path.read_bytes()}


def refused(weights: Path, frames: Path, message: str) -> None:
    """By src.translate, which leaves everything as it is."""
    folder = weights.parent
    before = listing(folder)
    arguments = [f"weights={weights}", f"input={frames}/testA", f"output={folder / 'out'}", "accelerator=cpu"]
    assert_refused(run("translate", arguments), message)
    assert listing(folder) == before  # and no trace of a bomb


@pytest.mark.parametrize("name", [*FORMATS.values(), "latest_net_G.pth"])
@pytest.mark.parametrize("spoil", [garbage, nothing, half, bomb, zipped_bomb, huge_header, lying_header])
def test_a_file_that_is_none_is_not_used(
    name: str, spoil: Callable[[Path], None], good: dict[str, bytes], frames: Path, tmp_path: Path
):
    path = tmp_path / name
    path.write_bytes(good[name])
    spoil(path)
    refused(path, frames, rf"^{path}: .*; name a")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("input={frames}", r"^run and weights: name what translates; give run=.* or weights=<file>$"),
        ("run=r weights=w input={frames}", "^run and weights: exclude each other; give"),
        ("weights=nowhere.onnx input={frames}", r"^nowhere\.onnx: no such file; check the path$"),
        ("weights=nowhere.pth input={frames}", r"^nowhere\.pth: no such file; check the path$"),
        ("weights={frames} input={frames}", "frames: is a folder; name a run by run=, or a file$"),
        ("weights={other} input={frames}", r"g\.safetensor: not a weights file; .* did you mean \.safetensors\?$"),
        (
            "weights={good} input={frames} average=false",
            "^average=false: .* holds one set of weights; leave average out$",
        ),
        (
            "weights={good} split=train",
            "^split with weights=: the file names no data set; give data=<one of conf/data>$",
        ),
        ("weights={of_run} input={frames}", r"weights\.safetensors: the weights of a run, .* name its folder by run=$"),
    ],
)
def test_translating_refuses(
    arguments: str, message: str, finished: Path, good: dict[str, bytes], frames: Path, untouched: Path
):
    other = finished.parent / "g.safetensor"
    other.write_bytes(good["g.safetensors"])
    names = {"good": finished.parent / "g.safetensors", "of_run": finished / WEIGHTS, "other": other}
    filled = arguments.format(frames=frames, **names)
    assert_refused(run("translate", [*filled.split(), "output=out"]), message)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"made_by": "me"}, "does not say that src.export wrote it"),
        ({"architecture": "{"}, "says no architecture that can be read"),
        ({"architecture": "[]"}, "says no architecture that can be read"),
        ({"architecture": '{"width": 4, "blur": 1, "blocks": 9}'}, "says an architecture that there is not"),
        ({"architecture": '{"width": "4", "blur": true, "blocks": 9}'}, "says an architecture that there is not"),
        ({"architecture": '{"width": 4, "blur": true, "blocks": 6}'}, r"decoder\.\S+ is .* there, and"),
        ({"architecture": '{"width": 1024, "blur": true, "blocks": 64}'}, r"is \(4, 3, 7, 7\) there, and \(1024,"),
        ({"architecture": '{"width": 0, "blur": true, "blocks": 9}'}, r"generator\.width must lie in \[1, 1024\]"),
        ({"architecture": '{"width": 4, "blur": true, "blocks": 1000000}'}, r"generator\.blocks must lie in"),
        ({"architecture": '{"width": 4, "blur": true, "blocks": NaN}'}, "says an architecture that there is not"),
    ],
)
@pytest.mark.parametrize("name", ["g.safetensors", "g.pt"])
def test_facts_that_do_not_fit_are_refused(
    name: str, change: dict[str, str], message: str, good: dict[str, bytes], frames: Path, tmp_path: Path
):
    path = tmp_path / name
    path.write_bytes(good[name])
    if name == "g.pt":
        with_other_facts(path, change)
        message = r".*; of TorchScript only files that src\.export wrote are read$"
    else:
        of_file = {"made_by": facts.MADE_BY, "architecture": '{"width": 4, "blur": true, "blocks": 9}', **change}
        save_file(load_file(path), path, of_file)
    refused(path, frames, rf"^{path}: .*{message}")


def with_other_facts(path: Path, change: dict[str, str]) -> None:
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    name = "archive/extra/attention-cut.json"
    content = json.loads(entries[name])
    content["facts"] |= change
    with zipfile.ZipFile(path, "w") as archive:
        for entry, old in entries.items():
            archive.writestr(entry, json.dumps(content) if entry == name else old)


class Writes(nn.Module):
    """A program that does more than compute."""

    def __init__(self, trace: Path) -> None:
        super().__init__()
        self.trace = str(trace)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        torch.save(image, self.trace)
        return image


def test_a_strangers_torchscript_is_not_run(frames: Path, tmp_path: Path):
    with pytest.warns(FutureWarning):
        torch.jit.save(torch.jit.script(Writes(tmp_path / "trace")), tmp_path / "g.pt")
    refused(tmp_path / "g.pt", frames, r"g\.pt: has no attention-cut\.json; of TorchScript only files that src\.export")


def elsewhere(model: onnx.ModelProto) -> None:
    """A weight that is the content of another file."""
    weight = model.graph.initializer[0]
    weight.ClearField("raw_data")
    weight.data_location = TensorProto.EXTERNAL
    weight.external_data.add(key="location", value="/etc/passwd")


def constant_elsewhere(model: onnx.ModelProto) -> None:
    value = TensorProto(data_type=TensorProto.FLOAT, dims=[1], data_location=TensorProto.EXTERNAL)
    value.external_data.add(key="location", value="../secret")
    model.graph.node.append(helper.make_node("Constant", [], ["unused"], value=value))


def own_operators(model: onnx.ModelProto) -> None:
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    model.graph.node.append(helper.make_node("EPContext", ["image"], ["unused"], domain="com.microsoft"))


def undeclared_operator(model: onnx.ModelProto) -> None:
    model.graph.node[0].domain = "of.mine"


def endless(model: onnx.ModelProto) -> None:
    body = helper.make_graph([], "body", [], [])
    model.graph.node.append(helper.make_node("Loop", ["", ""], ["unused"], body=body))


def a_function(model: onnx.ModelProto) -> None:
    made = helper.make_function("of.mine", "F", ["x"], ["y"], [], [helper.make_opsetid("", 18)])
    model.functions.append(made)


def of_nobody(model: onnx.ModelProto) -> None:
    del model.metadata_props[:]


def of_one_channel(model: onnx.ModelProto) -> None:
    """Its last convolution gives one channel."""
    names = {node.name: node for node in model.graph.node}
    last = [node for node in names.values() if node.op_type == "Conv"][-1]
    for weight in model.graph.initializer:
        if weight.name in last.input:
            array = onnx.numpy_helper.to_array(weight)[:1]
            weight.CopyFrom(onnx.numpy_helper.from_array(array.copy(), weight.name))


def torn_graph(model: onnx.ModelProto) -> None:
    del model.graph.node[3]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (elsewhere, "weight .* lies in another file, which is not opened"),
        (constant_elsewhere, "weight .* lies in another file, which is not opened"),
        (own_operators, r"uses operators of 'com\.microsoft'; only the standard's are run"),
        (undeclared_operator, r"uses operator '\w+' of 'of\.mine'; only the standard's are run"),
        (endless, r"has a branch or a loop \('Loop'\), as no export has"),
        (a_function, "has functions"),
        (of_nobody, "does not say that src.export wrote it"),
        (of_one_channel, r"(translates an image of 16x24 pixels into \(1, 1, 16, 24\)|ONNX Runtime cannot run it)"),
        (torn_graph, r"ONNX Runtime cannot run it \("),
    ],
)
def test_a_graph_that_could_do_more_than_compute_is_not_run(
    spoil: Callable[[onnx.ModelProto], None], message: str, good: dict[str, bytes], frames: Path, tmp_path: Path
):
    model = onnx.load_model_from_string(good["g.onnx"])
    spoil(model)
    (tmp_path / "g.onnx").write_bytes(model.SerializeToString())
    refused(tmp_path / "g.onnx", frames, rf"g\.onnx: {message}.*; name a file that src\.export wrote$")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            {"model.model.0.weight": torch.ones(1)},
            r"model\.model\.0\.weight: a U-Net .*; name a latest_net_G\.pth of netG",
        ),
        ({"model.2.running_mean": torch.ones(1)}, r"model\.2\.running_mean: a norm with running statistics"),
        ({"state_dict": {"a": torch.ones(1)}}, "not a dictionary of weights; name a latest_net_G.pth$"),
        ([torch.ones(1)], "not a dictionary of weights"),
        ({}, "not a dictionary of weights"),
    ],
)
def test_another_networks_weights_are_refused_by_name(content: object, message: str, frames: Path, tmp_path: Path):
    torch.save(content, tmp_path / "latest_net_G.pth")
    refused(tmp_path / "latest_net_G.pth", frames, rf"latest_net_G\.pth: {message}")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("format=onnx output=g.onnx", r"^run has no default; give it: run=\.\.\.$"),
        ("run={run} output=g.onnx", r"^format has no default; give it: format=\.\.\.$"),
        ("run={run} format=onnx", r"^output has no default; give it: output=\.\.\.$"),
        ("run={run} format=onx output=g.onnx", r"^format must be one of onnx, .*got 'onx'; did you mean onnx\?$"),
        ("run={run} format=onnx output=g.pt", r"^output=g\.pt: format=onnx ends in \.onnx; name it so$"),
        ("run={run} format=safetensors output=g", r"^output=g: format=safetensors ends in \.safetensors; name it so$"),
        ("run={run} format=onnx output=g.onnx precision=float16", "^precision=float16: of format=safetensors only"),
        (
            "run={run} format=safetensors output=g.safetensors precision=float8",
            "^precision must be one of float32, float16",
        ),
        (
            "run={run} format=onnx output={there}",
            r"g\.onnx: .*g\.onnx is there already; remove it or name another file$",
        ),
        ("run={run}x format=onnx output=g.onnx", r"^.*runx: not a run folder, config\.yaml is missing; did you mean"),
        (
            "run={unfinished} format=onnx output=g.onnx",
            r"metrics\.json: missing; the run has not finished, or is none$",
        ),
        ("run={run} format=safetensors output={there}/g.safetensors", r"g\.onnx.*: cannot be written \("),
        ("run={run} format=safetensors output=g.safetensors licence={long}", "^licence: up to 1000 printable"),
    ],
)
def test_exporting_refuses(
    arguments: str,
    message: str,
    finished: Path,
    good: dict[str, bytes],
    untouched: Path,
    tmp_path_factory: pytest.TempPathFactory,
):
    unfinished = tmp_path_factory.mktemp("unfinished")
    for name in (CONFIG, WEIGHTS):
        (unfinished / name).write_bytes((finished / name).read_bytes())
    names = {"run": finished, "unfinished": unfinished, "there": finished.parent / "g.onnx", "long": "x" * 1001}
    given = [one.format(**names) for one in arguments.split()]
    assert_refused(run("export", given), message)


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("nowhere.pth", "", r"^init_from: .*nowhere\.pth: no such file; check the path$"),
        ("torn.pth", "", r"^init_from: .*torn\.pth: not a plain weights file of torch"),
        ("unet.pth", "", r"^init_from: .*unet\.pth: model\.model\.0\.weight: a U-Net"),
        ("g.onnx", "", r"^init_from: .*g\.onnx: ONNX holds a graph, not the weights"),
        (
            "g.safetensors",
            "generator.width=8",
            "of another architecture; give generator.width=4 .*blur=true .*blocks=9 .*output=plain .*align=false$",
        ),
        (
            "g.pt",
            "generator.blur=up",
            "of another architecture; give generator.width=4 .*blur=true .*blocks=9 .*output=plain .*align=false$",
        ),
        (
            "latest_net_G.pth",
            "generator.blocks=6",
            "another architecture; give generator.width=4 .*blocks=9 .*output=plain .*align=false$",
        ),
    ],
)
def test_training_does_not_start_from(
    name: str, settings: str, message: str, finished: Path, good: dict[str, bytes], frames: Path, untouched: Path
):
    (finished.parent / "torn.pth").write_bytes(b"torn")
    torch.save({"model.model.0.weight": torch.ones(1)}, finished.parent / "unet.pth")
    own = [
        "data=folders",
        "trainer=cpu",
        *TINY,
        f"data.root={frames}",
        "data.size=32",
        "data.load=32",
        "data.num_workers=0",
    ]
    arguments = [*own, f"init_from={finished.parent / name}", *settings.split()]
    assert_refused(run_composed("train", untouched / "run", arguments), message)


def test_the_older_name_of_what_training_starts_from_is_read(frames: Path, untouched: Path):
    own = ["data=folders", "trainer=cpu", *TINY, f"data.root={frames}", "data.size=32", "data.load=32"]
    arguments = [*own, "data.num_workers=0", f"hydra.run.dir={untouched / 'run'}", "method.init_from=nowhere.pth"]
    assert_refused(run("train", arguments), r"^init_from: nowhere\.pth: no such file; check the path$")
