"""Runs and weights named by hf://: fetched over HTTP from a Hub on this machine, pinned, cached, and not trusted."""

import json
import shutil
import socket
import sys
from pathlib import Path

import huggingface_hub.constants as client
import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from src.data.images import read_image
from src.runs import hub
from src.runs.folder import CONFIG, METRICS, WEIGHTS
from src.system.errors import UserError
from src.system.files import sha256
from src.translation.translate import translate_inputs
from src.translation.weights.export import export
from tests import labelled
from tests.bad_inputs.refusal import assert_refused, listing, run
from tests.hub import READER, TOKEN, Hub
from tests.labelled import composed

REPO = "user/name"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return labelled.translator(tmp_path_factory.mktemp("hub") / "run", "data=streets", "data.root=data/streets")


def files(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in (CONFIG, WEIGHTS, METRICS)}


def pictures(folder: Path, count: int = 2) -> Path:
    folder.mkdir()
    for number in range(count):
        pixels = np.random.default_rng(number).integers(0, 256, (33, 47, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return folder


def translated(source: str, frames: Path, output: Path, *more: str) -> dict[str, np.ndarray]:
    translate_inputs(composed("translate", source, f"input={frames}", f"output={output}", "accelerator=cpu", *more))
    return {path.name: read_image(path) for path in output.glob("*.png")}


def same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(one[name], other[name]) for name in one)


def test_a_run_of_the_hub_translates_as_its_folder_does(
    finished: Path, there: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    there.create(REPO)
    sha = there.commit(REPO, {**files(finished), "last.ckpt": b"a pickle", "README.md": b"# x"})
    frames = pictures(tmp_path / "frames")
    local = translated(f"run={finished}", frames, tmp_path / "local")
    assert len(local) == 2
    assert same(translated(f"run=hf://{REPO}", frames, tmp_path / "run"), local)
    assert f"hf://{REPO}: commit {sha}\n" in capsys.readouterr().err
    assert same(translated(f"weights=hf://{REPO}", frames, tmp_path / "weights"), local)
    lines = [json.loads(line) for line in (tmp_path / "run/.translate.jsonl").read_text().splitlines()]
    assert {line["hub"] for line in lines} == {f"hf://{REPO}@{sha}"}
    assert {line["made_by"]["weights_sha256"] for line in lines} == {sha256(finished / WEIGHTS)}
    # what the same weights made is theirs, wherever they lay
    translated(f"run={finished}", frames, tmp_path / "run")
    assert "2 of 2 are there already" in capsys.readouterr().err
    assert not [line for line in there.asked if "last.ckpt" in line or "README.md" in line]


def test_an_exported_file_is_named_below_its_repository(
    finished: Path, there: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    own = ["format=safetensors", f"output={tmp_path / 'g.safetensors'}"]
    export(composed("export", f"run={finished}", *own))
    there.create(REPO)
    sha = there.commit(REPO, {"sub/g.safetensors": (tmp_path / "g.safetensors").read_bytes(), "x.pth": b"pickle"})
    frames = pictures(tmp_path / "frames")
    local = translated(f"weights={tmp_path / 'g.safetensors'}", frames, tmp_path / "local")
    named = f"hf://{REPO}@{sha}/sub/g.safetensors"
    assert same(translated(f"weights={named}", frames, tmp_path / "out"), local)
    assert json.loads((tmp_path / "out/.translate.jsonl").read_text().splitlines()[0])["hub"] == named
    with pytest.raises(UserError, match=r"^hf://user/name: holds no run, config\.yaml is missing; .*weights=hf://user"):
        hub.folder_of(f"hf://{REPO}")
    with pytest.raises(UserError, match=r"^hf://user/name: weights\.safetensors is not there; name another: hf://user"):
        hub.path_of(f"hf://{REPO}")


def test_a_file_called_as_a_runs_weights_may_be_an_exported_one(finished: Path, there: Hub, tmp_path: Path):
    export(composed("export", f"run={finished}", "format=safetensors", f"output={tmp_path / 'g.safetensors'}"))
    there.create(REPO)
    there.commit(REPO, {WEIGHTS: (tmp_path / "g.safetensors").read_bytes()})
    frames = pictures(tmp_path / "frames")
    local = translated(f"weights={tmp_path / 'g.safetensors'}", frames, tmp_path / "local")
    assert same(translated(f"weights=hf://{REPO}", frames, tmp_path / "out"), local)


def test_a_commit_is_pinned_and_a_branch_moves_on(finished: Path, there: Hub, tmp_path: Path):
    halved = {key: value / 2 for key, value in load_file(finished / WEIGHTS).items()}
    save_file(halved, tmp_path / WEIGHTS)
    there.create(REPO)
    first = there.commit(REPO, files(finished))
    second = there.commit(REPO, {**files(finished), WEIGHTS: (tmp_path / WEIGHTS).read_bytes()})
    old, new = hub.folder_of(f"hf://{REPO}@{first}"), hub.folder_of(f"hf://{REPO}@main")
    assert (old.name, new.name) == (first, second)
    assert sha256(old / WEIGHTS) == sha256(finished / WEIGHTS)
    assert sha256(new / WEIGHTS) == sha256(tmp_path / WEIGHTS)
    assert hub.pinned(f"hf://{REPO}@main") == f"hf://{REPO}@{second}"
    there.commit(REPO, files(finished), branch="tried")
    hub._snapshot.cache_clear()
    assert sha256(hub.folder_of(f"hf://{REPO}@tried") / WEIGHTS) == sha256(finished / WEIGHTS)


def test_exporting_explaining_and_starting_from_a_run_of_the_hub(finished: Path, there: Hub, tmp_path: Path):
    from src.explain import explain
    from src.training.callbacks.initial_weights import InitialWeights
    from tests.conftest import cut

    there.create(REPO)
    sha = there.commit(REPO, files(finished))
    frames = pictures(tmp_path / "frames", 1)
    for name, source in {"hub": f"hf://{REPO}", "local": str(finished)}.items():
        export(composed("export", f"run={source}", "format=safetensors", f"output={tmp_path / name}.safetensors"))
        explain(composed("explain", f"run={source}", f"input={frames}", f"output={tmp_path / name}"))
    assert f"| exported from | hf://{REPO}@{sha} |" in (tmp_path / "hub.safetensors.md").read_text()
    one, other = (load_file(tmp_path / f"{name}.safetensors") for name in ("hub", "local"))
    torch.testing.assert_close(one, other, atol=0, rtol=0)
    assert np.array_equal(*(read_image(tmp_path / name / "0.png") for name in ("hub", "local")))
    method = cut(seed=5)
    InitialWeights().take(method, hub.path_of(f"hf://{REPO}"))
    saved = load_file(finished / WEIGHTS)
    torch.testing.assert_close(
        method.state_dict()["G.encoder.down1.weight"], saved["G.encoder.down1.weight"], atol=0, rtol=0
    )


def test_a_labelled_set_is_translated_where_its_data_are_said(finished: Path, there: Hub, tmp_path: Path):
    labelled.streets(tmp_path / "data")
    there.create(REPO)
    sha = there.commit(REPO, files(finished))
    own = [f"run=hf://{REPO}", "split=val", f"output={tmp_path / 'set'}", "accelerator=cpu"]
    for named in ([], [f"+data.root={tmp_path}/data"]):
        with pytest.raises(UserError, match=r"^split with a run of the Hub: .*; give data=<one of conf/data>$"):
            translate_inputs(composed("translate", *own, *named))
    data = ["data=streets", f"data.root={tmp_path}/data"]
    translate_inputs(composed("translate", *own, *data))
    manifest = json.loads((tmp_path / "set" / "manifest.json").read_text())
    assert manifest["hub"] == f"hf://{REPO}@{sha}"
    # and a set that the same weights began is gone on with
    translate_inputs(composed("translate", f"run={finished}", *own[1:], *data))


def test_what_would_write_into_a_runs_folder_asks_for_one_here(there: Hub):
    answer = run("content", [f"run=hf://{REPO}", "judge=nowhere"])
    assert_refused(answer, r"^run=hf://user/name: what is found is kept .*; hf download user/name --local-dir <folder>")
    assert there.asked == []


def test_offline_the_cache_serves_and_nothing_else_does(
    finished: Path, there: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    there.create(REPO)
    sha = there.commit(REPO, files(finished))
    online = hub.folder_of(f"hf://{REPO}")
    hub._snapshot.cache_clear()
    asked = len(there.asked)
    monkeypatch.setattr(client, "HF_HUB_OFFLINE", True)
    capsys.readouterr()
    assert hub.folder_of(f"hf://{REPO}") == hub.folder_of(f"hf://{REPO}@{sha}") == online
    assert f"hf://{REPO}: commit {sha}\n" in capsys.readouterr().err
    monkeypatch.setattr(client, "HF_HUB_CACHE", str(tmp_path / "empty"))
    hub._snapshot.cache_clear()
    for named in (f"hf://{REPO}", f"hf://{REPO}@{sha}", f"hf://{REPO}/g.safetensors"):
        with pytest.raises(UserError, match=r"HF_HUB_OFFLINE is set, and the cache does not hold it; go online$"):
            hub.path_of(named)
    assert len(there.asked) == asked


def test_a_hub_that_is_not_there_is_as_good_as_none(
    finished: Path, there: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    there.create(REPO)
    there.commit(REPO, files(finished))
    online = hub.folder_of(f"hf://{REPO}")
    hub._snapshot.cache_clear()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setattr(client, "ENDPOINT", f"http://127.0.0.1:{free.getsockname()[1]}")
        assert hub.folder_of(f"hf://{REPO}") == online
        with pytest.raises(UserError, match=r"^hf://user/other: the Hub cannot be reached, and the cache does not"):
            hub.folder_of("hf://user/other")


@pytest.mark.parametrize(
    ("named", "message"),
    [
        (
            "hf://user/nothing",
            "^hf://user/nothing: no such repository, or a private one; check the name, or hf auth login$",
        ),
        ("hf://user/secret", "^hf://user/secret: no such repository, or a private one; check"),
        (
            "hf://user/name@nowhere",
            "^hf://user/name@nowhere: no such branch, tag or commit; check what stands behind @$",
        ),
        (f"hf://user/name@{'0' * 40}", "no such branch, tag or commit"),
        ("hf://user", "^hf://user: no address on the Hub; hf://user/name, "),
        ("hf://", "^hf://: no address on the Hub"),
        ("hf://user/../name", "no address on the Hub"),
        ("hf://../../etc", "no address on the Hub"),
        ("hf://user/name@../../x", "no address on the Hub"),
        ("hf://user/name@", "no address on the Hub"),
        ("hf://user/name/../../x.safetensors", "no address on the Hub"),
        ("hf://user/name//etc/x.safetensors", "no address on the Hub"),
        ("hf://user/name/.hidden.safetensors", "no address on the Hub"),
        ("hf://us--er/name", "^hf://us--er/name: no name that the Hub takes"),
        (
            "hf://user/name/weights.safetensors",
            "^hf://user/name/weights.safetensors: is a file, no run; name it by weights=",
        ),
        ("hf://user/name/last.ckpt", "^hf://user/name/last.ckpt: weights come from the Hub as safetensors alone"),
    ],
)
def test_an_address_that_leads_to_no_run(named: str, message: str, finished: Path, there: Hub):
    for repo in (REPO, "user/secret"):
        there.create(repo)
        there.commit(repo, files(finished))
    there.private.add("user/secret")
    with pytest.raises(UserError, match=message):
        hub.folder_of(named)


def test_a_command_ends_with_that_one_line(there: Hub, tmp_path: Path):
    arguments = [f"run=hf://{REPO}@v1.0", f"input={pictures(tmp_path / 'frames')}", f"output={tmp_path / 'out'}"]
    assert_refused(run("translate", arguments), r"^hf://user/name@v1\.0: no such repository, or a private one; check")
    assert not (tmp_path / "out").exists()


def test_a_private_repository_is_read_with_the_token_of_the_login(finished: Path, there: Hub, tmp_path: Path):
    there.create(REPO)
    there.commit(REPO, files(finished))
    there.private.add(REPO)
    (tmp_path / "token").write_text(READER)
    with pytest.raises(UserError, match="no such repository, or a private one"):
        hub.folder_of(f"hf://{REPO}")
    (tmp_path / "token").write_text(TOKEN)
    assert (hub.folder_of(f"hf://{REPO}") / WEIGHTS).is_file()


def test_a_refused_token_is_said_as_that(finished: Path, there: Hub, monkeypatch: pytest.MonkeyPatch):
    there.create(REPO)
    there.commit(REPO, files(finished))
    monkeypatch.setenv("HF_TOKEN", "hf_wrong0token")
    with pytest.raises(UserError, match=r"^hf://user/name: the Hub refuses the token \(401\); hf auth login") as raised:
        hub.folder_of(f"hf://{REPO}")
    assert "hf_wrong" not in str(raised.value)


def foreign(folder: Path) -> None:
    text = (folder / CONFIG).read_text()
    (folder / CONFIG).write_text(text.replace("src.networks.generator.Generator", "os.system"))


def referring(folder: Path) -> None:
    with (folder / CONFIG).open("a") as file:
        file.write("variant: ${oc.env:HOME}\n")


def lying_header(folder: Path) -> None:
    (folder / WEIGHTS).write_bytes(b"\xff" * 7 + b"\x00" + b"{}")


def pickled(folder: Path) -> None:
    torch.save({"G": 1}, folder / WEIGHTS)


def of_another(folder: Path) -> None:
    tensors = load_file(folder / WEIGHTS)
    save_file({key: value[..., :1].contiguous() for key, value in tensors.items()}, folder / WEIGHTS)


def not_finite(folder: Path) -> None:
    tensors = load_file(folder / WEIGHTS)
    save_file({key: value * torch.nan for key, value in tensors.items()}, folder / WEIGHTS)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (foreign, r"_target_: os\.system is none of the classes that may stand there$"),
        (referring, r"config\.yaml: .*(refers to other values|not readable as YAML)"),
        (lying_header, r"weights\.safetensors: not a readable safetensors file"),
        (pickled, r"weights\.safetensors: not a readable safetensors file"),
        (of_another, r"weights\.safetensors: does not fit config\.yaml beside it"),
        (not_finite, r"weights\.safetensors: .* holds NaN or infinity"),
    ],
)
def test_a_hostile_repository_is_refused_as_a_strangers_folder_is(
    spoil, message: str, finished: Path, there: Hub, tmp_path: Path
):
    shutil.copytree(finished, tmp_path / "run")
    spoil(tmp_path / "run")
    there.create(REPO)
    there.commit(REPO, files(tmp_path / "run"))
    with pytest.raises(UserError, match=message):
        translated(f"run=hf://{REPO}", pictures(tmp_path / "frames"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_names_that_lead_elsewhere_are_not_asked_for(finished: Path, there: Hub, tmp_path: Path):
    there.create(REPO)
    tricks = {"../../evil": b"x", "/evil": b"x", "..\\evil": b"x", f"../{CONFIG}": b"x", f"sub/{WEIGHTS}": b"x"}
    there.commit(REPO, {**files(finished), **tricks})
    before = listing(tmp_path)
    folder = hub.folder_of(f"hf://{REPO}")
    written = [path for path in listing(tmp_path).keys() - before.keys() if Path(path).is_file()]
    assert written
    assert all(Path(path).is_relative_to(tmp_path / "cache") for path in written)
    assert sorted(path.name for path in folder.iterdir()) == sorted((CONFIG, WEIGHTS, METRICS))
    assert not [line for line in there.asked if "evil" in line]


def test_without_the_extra_one_line_says_so(there: Hub, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(
        UserError, match=r"^hf://user/name needs the package huggingface-hub; pip install -e '\.\[hub\]'$"
    ):
        hub.folder_of(f"hf://{REPO}")
