"""A run published on a Hub on this machine, and read back: all of it or nothing, and nothing of the machine."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import huggingface_hub.constants as client
import numpy as np
import pytest
import yaml
from omegaconf import OmegaConf
from PIL import Image
from safetensors.torch import load_file, save_file

from src.data.images import read_image
from src.runs.folder import CONFIG, COST, METRICS, WEIGHTS, load_config, save_config
from src.runs.results import save_cost, save_metrics
from src.system.errors import UserError
from src.translation.translate import translate_inputs
from src.translation.weights.publish import publish
from src.translation.weights.terms import CARLA2CAMVID
from tests import labelled
from tests.bad_inputs.refusal import assert_refused, listing, run
from tests.conftest import CONF
from tests.hub import READER, TOKEN, Hub
from tests.labelled import composed

REPO = "user/name"
ALL = {WEIGHTS, CONFIG, METRICS, COST, "panel.png", "README.md"}
SECRET = "s3cret-key-of-a-logger"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of streets, with scores, cost and two panels."""
    folder = labelled.translator(tmp_path_factory.mktemp("publish") / "run", "data=streets", "data.root=data/streets")
    with_scores(folder)
    save_cost(folder, {"seconds": 12.5})
    (folder / "images").mkdir()
    for epoch in (5, 10):
        Image.fromarray(np.full((8, 8, 3), epoch, dtype=np.uint8)).save(folder / "images" / f"epoch_{epoch:04d}.png")
    (folder / "last.ckpt").write_bytes(b"not for others")
    return folder


def with_scores(folder: Path, **protocol: object) -> None:
    scores = {"kid": 0.2, "kid_source": 0.5, "kid_transfer": 0.3, "kid_aligned": 0.4, "kid_floor": 0.01}
    scores |= {"swd_unit": 90.0, "swd_unit_source": 99.0, "swd_unit_transfer": 80.0, "swd_unit_aligned": 95.0}
    save_metrics(folder, scores, {"seed": 7, "batches": 6000, "commit": "abc123", "n_fake": 150, **protocol})


def published(finished: Path, *more: str) -> dict[str, object]:
    return publish(composed("publish", f"run={finished}", f"repo={REPO}", *more))


def header(card: bytes) -> tuple[dict[str, object], str]:
    """What the Hub reads of a page, and the rest of it."""
    empty, top, page = card.decode().split("---\n", 2)
    assert empty == ""
    return yaml.safe_load(top), page


def by_command(command: str, environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    own = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
    line = [sys.executable, "-m", f"src.{command}", *arguments]
    return subprocess.run(line, cwd=CONF.parent, env={**own, **environment}, capture_output=True, text=True)


def test_a_published_run_is_read_back_by_another_user(finished: Path, there: Hub, tmp_path: Path):
    home = there.environment(tmp_path / "home", TOKEN)
    done = by_command("publish", home, f"run={finished}", f"repo={REPO}")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["commit"] == there.branches[REPO]["main"]
    assert there.files(REPO).keys() == set(said["files"]) == ALL
    assert there.files(REPO)[WEIGHTS] == (finished / WEIGHTS).read_bytes()
    assert len([line for line in there.asked if line.startswith("POST") and "/commit/" in line]) == 1
    assert f"translate with: python -m src.translate run=hf://{REPO} " in done.stderr
    assert TOKEN not in done.stdout + done.stderr
    (tmp_path / "in").mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (33, 47, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "in" / "a.png")
    own = [f"input={tmp_path / 'in'}", "accelerator=cpu"]
    fetched = [f"run=hf://{REPO}", f"output={tmp_path / 'hub'}"]
    done = by_command("translate", there.environment(tmp_path / "other"), *own, *fetched)
    assert done.returncode == 0, done.stderr
    assert "HTTP" not in done.stderr
    translate_inputs(composed("translate", *own, f"run={finished}", f"output={tmp_path / 'local'}"))
    assert np.array_equal(read_image(tmp_path / "hub/a.png"), read_image(tmp_path / "local/a.png"))


def test_dry_writes_what_would_be_uploaded_and_asks_nobody(finished: Path, there: Hub, tmp_path: Path):
    published(finished, f"dry={tmp_path / 'dry'}")
    assert there.asked == []
    (tmp_path / "token").write_text(TOKEN)
    published(finished)
    assert {path.name: path.read_bytes() for path in (tmp_path / "dry").iterdir()} == there.files(REPO)
    with pytest.raises(UserError, match=r"^dry=.*dry: is there already; name a folder that is not, or is empty$"):
        published(finished, f"dry={tmp_path / 'dry'}")


def test_a_page_says_what_the_weights_are_worth_and_whose_they_are(finished: Path, tmp_path: Path):
    published(finished, f"dry={tmp_path / 'dry'}")
    top, page = header((tmp_path / "dry/README.md").read_bytes())
    assert top["license"] == "mit"
    assert (top["library_name"], top["pipeline_tag"]) == ("attention-cut", "image-to-image")
    assert page.startswith("\n# name\n")
    assert "](panel.png)" in page
    assert (tmp_path / "dry/panel.png").read_bytes() == (finished / "images/epoch_0010.png").read_bytes()
    assert f"python -m src.translate run=hf://{REPO} input=" in page
    assert "| output | source | colour transfer | colour alignment | real against real |" in page
    assert "| `kid` | lower | 0.2 | 0.5 | 0.3 | 0.4 | 0.01 |" in page
    assert "| `swd_unit` | lower | 90 | 99 | 80 | 95 | - |" in page
    assert "which learn nothing, by: `kid`. Not so by: `swd_unit`." in page
    assert "| seed | 7 |" in page
    for heading in ("Scores", "Intended use", "Limits", "Licence and credits"):
        assert f"\n## {heading}\n" in page


@pytest.mark.parametrize(("root", "digest"), [("/sets/carla2camvid", "other"), ("/sets/frames", CARLA2CAMVID[1])])
def test_frames_of_camvid_make_weights_that_are_not_for_sale(root: str, digest: str, finished: Path, tmp_path: Path):
    folder = labelled.translator(tmp_path / "run", "data=folders", f"data.root={root}")
    with_scores(folder, data_digest=digest)
    published(folder, f"dry={tmp_path / 'dry'}")
    top, page = header((tmp_path / "dry/README.md").read_bytes())
    assert top["license"] == "cc-by-nc-4.0"
    assert "weights: CC BY-NC 4.0, non-commercial" in page
    for credited in ("Brostow, Fauqueur and Cipolla", "Dosovitskiy et al.", "**non-commercial**"):
        assert credited in page


def test_a_licence_nobody_knows_has_to_be_said(tmp_path: Path):
    folder = labelled.translator(tmp_path / "run", "data=folders", "data.root=/sets/mine")
    with_scores(folder)
    with pytest.raises(
        UserError, match=r"^licence: the weights derive from frames whose licence .* 'licence=\"CC BY 4\.0\"'$"
    ):
        published(folder, f"dry={tmp_path / 'dry'}")
    assert not (tmp_path / "dry").exists()
    for name, given, expected in (
        ("known", "CC BY 4.0", {"license": "cc-by-4.0"}),
        ("own", "ask me: first", {"license": "other", "license_name": "ask-me-first", "license_link": "README.md"}),
    ):
        published(folder, f"dry={tmp_path / name}", f'licence="{given}"')
        top, page = header((tmp_path / name / "README.md").read_bytes())
        assert {key: value for key, value in top.items() if key.startswith("license")} == expected
        assert f"weights: {given}; code: MIT" in page


def test_nothing_of_the_machine_or_its_user_is_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    folder = labelled.translator(tmp_path / "run", "data=streets", f"data.root={tmp_path}/secret-place/streets")
    config = load_config(folder)
    own = {
        "resume": str(tmp_path / "earlier"),
        "init_from": str(tmp_path / "weights.pth"),
        "my_key": SECRET,
        "logger": {"wandb": {"entity": SECRET, "save_dir": str(tmp_path)}},
        "callbacks": {"mine": {"_target_": "src.x", "token": SECRET}},
        "metrics": {"cache": "~/.cache/x", "scores": {"cache": f"{tmp_path}/cache", "side": 32}},
        "data": {"cache": f"{tmp_path}/cache", "ignore_x": "../masks/hood.png", "ignore_y": "~user/masks"},
    }
    save_config(folder, OmegaConf.merge(config, own))
    with_scores(folder, where=str(tmp_path / "x" / "kept"))
    tensors = load_file(folder / WEIGHTS)
    save_file(tensors, folder / WEIGHTS, {"note": f"{SECRET} of {tmp_path}"})
    published(folder, f"dry={tmp_path / 'dry'}")
    for path in (tmp_path / "dry").iterdir():
        for private in (SECRET, TOKEN, str(tmp_path), str(Path.home()), "secret-place", "~", ".."):
            if path.name != WEIGHTS or len(private) > 2:
                assert private.encode() not in path.read_bytes(), (path.name, private)
    config = load_config(tmp_path / "dry")
    assert config.data.root == "streets"
    assert (config.data.ignore_x, config.data.ignore_y) == ("hood.png", "masks")
    assert config.metrics.scores.side == 32
    assert json.loads((tmp_path / "dry" / METRICS).read_text())["protocol"]["where"] == "kept"


def test_a_path_in_the_middle_of_a_text_ends_it(tmp_path: Path):
    folder = labelled.translator(
        tmp_path / "run", "data=streets", "data.root=data/streets", f"variant=cut of {tmp_path}/run"
    )
    with_scores(folder)
    with pytest.raises(
        UserError, match=r"^config\.yaml: .*/run, a folder of this machine, would be published; mend it"
    ):
        published(folder, f"dry={tmp_path / 'dry'}")


def test_a_relative_root_stays_so_that_the_built_in_set_is_found(finished: Path, tmp_path: Path):
    published(finished, f"dry={tmp_path / 'dry'}")
    assert load_config(tmp_path / "dry").data.root == "data/streets"


def test_without_a_token_nobody_is_asked(finished: Path, there: Hub):
    answer = run("publish", [f"run={finished}", f"repo={REPO}"])
    assert_refused(answer, r"^repo=user/name: no token to write with; hf auth login, or set HF_TOKEN$")
    assert there.asked == []


@pytest.mark.parametrize(
    ("token", "message"),
    [
        (
            "hf_wrong0token0of0a0user",
            r"^repo=user/name: the Hub refuses the token \(401\); hf auth login, or set HF_TOKEN$",
        ),
        (READER, r"^repo=user/name: the token may not do this \(403\); log in with one that may: "),
    ],
)
def test_a_token_that_may_not_write_is_said(
    token: str, message: str, finished: Path, there: Hub, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(UserError, match=message) as raised:
        published(finished)
    assert token not in str(raised.value)
    assert there.commits == {}


@pytest.mark.parametrize("broken", ["/preupload/", "/commit/", "validate-yaml", "/revision/"])
def test_a_hub_that_breaks_off_has_nothing(broken: str, finished: Path, there: Hub, tmp_path: Path, monkeypatch):
    (tmp_path / "token").write_text(TOKEN)
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda seconds: None)
    there.broken = broken
    with pytest.raises(UserError, match=r"^repo=user/name: the Hub answers with an error \(500\); try again later$"):
        published(finished)
    assert there.files(REPO) == {}
    there.broken = None
    published(finished)
    assert there.files(REPO).keys() == ALL


def test_offline_is_one_line(finished: Path, there: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "token").write_text(TOKEN)
    monkeypatch.setattr(client, "HF_HUB_OFFLINE", True)
    from huggingface_hub.utils import close_session

    close_session()  # the client's session remembers whether it is online
    try:
        with pytest.raises(UserError, match=r"^repo=user/name: HF_HUB_OFFLINE is set"):
            published(finished)
    finally:
        monkeypatch.undo()
        close_session()
    assert there.asked == []


def test_private_is_kept_or_refused(finished: Path, there: Hub, tmp_path: Path):
    (tmp_path / "token").write_text(TOKEN)
    published(finished, "private=true")
    assert there.private == {REPO}
    published(finished, "private=true", "pictures=false")
    there.private.clear()
    before = there.files(REPO)
    with pytest.raises(
        UserError, match=r"^repo=user/name: is public, whatever private=true says; make it private there"
    ):
        published(finished, "private=true")
    assert there.files(REPO) == before


def test_a_branch_is_made_and_main_stays(
    finished: Path, there: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "token").write_text(TOKEN)
    there.create(REPO)
    there.commit(REPO, {"README.md": b"mine"})
    for _ in range(2):
        published(finished, "revision=tried")
    assert there.files(REPO) == {"README.md": b"mine"}
    assert there.files(REPO, "tried").keys() == ALL
    assert f"run=hf://{REPO}@tried " in capsys.readouterr().err


def test_what_an_earlier_run_left_goes_and_what_is_somebodys_stays(finished: Path, there: Hub, tmp_path: Path):
    (tmp_path / "token").write_text(TOKEN)
    published(finished)
    there.commit(REPO, {**there.files(REPO), "notes.txt": b"mine"})
    published(finished, "pictures=false")
    assert there.files(REPO).keys() == (ALL - {"panel.png"}) | {"notes.txt"}
    assert "panel.png" not in there.files(REPO)["README.md"].decode()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("repo=user/name", r"^run has no default; give it: run=\.\.\.$"),
        ("run={run}", r"^repo has no default; give it: repo=\.\.\.$"),
        (
            "run={run} repo=name",
            "^repo=name revision=main: no names that the Hub takes; user/name, and a branch, please$",
        ),
        ("run={run} repo=user/name@v1", "^repo=user/name@v1 revision=main: no names that the Hub takes"),
        ("run={run} repo=../name", "no names that the Hub takes"),
        ("run={run} repo=user/name revision=../x", r"^repo=user/name revision=\.\./x: no names"),
        ("run={run}x repo=user/name dry=d", r"runx: not a run folder, config\.yaml is missing; did you mean"),
        ("run={unfinished} repo=user/name dry=d", r"metrics\.json: missing; the run has not finished, or is none$"),
        (
            "run={untrained} repo=user/name dry=d",
            r"weights\.safetensors: missing; the run has not finished, continue it",
        ),
        ("run=hf://user/name repo=user/other dry=d", "^run=hf://user/name: lies there already; hf download user/name"),
        ("run={run} repo=user/name dry={run}", "^dry=.*run: is there already"),
    ],
)
def test_publishing_refuses(arguments: str, message: str, finished: Path, there: Hub, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, kept in {"unfinished": (CONFIG, WEIGHTS), "untrained": (CONFIG,)}.items():
        (tmp_path / name).mkdir()
        for file in kept:
            shutil.copy(finished / file, tmp_path / name)
    names = {"run": finished, "unfinished": tmp_path / "unfinished", "untrained": tmp_path / "untrained"}
    before = listing(tmp_path, finished)
    assert_refused(run("publish", arguments.format(**names).split()), message)
    assert listing(tmp_path, finished) == before
    assert there.asked == []


def test_without_the_extra_one_line_says_so(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(
        UserError, match=r"^repo=user/name needs the package huggingface-hub; pip install -e '\.\[hub\]'$"
    ):
        published(finished)
    published(finished, f"dry={tmp_path / 'dry'}")
