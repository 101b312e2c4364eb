"""Training where nothing can be scored: one image a domain, as SinCUT is trained."""

import json
import math
import shutil
from pathlib import Path

import pytest

from src.runs.folder import load_config, save_config
from src.runs.results import load_metrics, save_metrics
from src.runs.weights import load_translator
from src.tables.report import report
from src.tables.table.collect import collect
from src.tables.table.table import tabulate
from src.training.run import _show
from src.translation.weights import facts
from tests.bad_inputs.refusal import assert_refused, run
from tests.conftest import TINY
from tests.frames import write_frames

ONE = ["data.layout.x_val=null", "data.layout.y_val=null", "data.samples_per_epoch=3"]
SMALL = [
    *TINY,
    "data=folders",
    "data.size=32",
    "data.load=32",
    "data.num_workers=0",
    "trainer.max_epochs=1",
    "trainer=cpu",
]


def settings(base: Path, name: str = "run") -> list[str]:
    return [*SMALL, f"data.root={base / 'frames'}", *ONE, f"hydra.run.dir={base / name}"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of `frames`, one a domain, and of the `run` that was trained on them."""
    base = tmp_path_factory.mktemp("one")
    root = write_frames(base / "frames", train=(1, 1), test=(1, 1))
    for name in ("testA", "testB"):
        shutil.rmtree(root / name)
    code, lines = run("train", [*settings(base), "metrics.scores=null"])
    assert code == 0, lines
    assert f"{base / 'run'}: not scored, as metrics.scores=null asked" in lines
    return base


@pytest.mark.parametrize("names", [[], ["kid"]], ids=["unscored", "scored"])
def test_the_folder_is_printed_as_it_is_named(names: list[str], capsys: pytest.CaptureFixture[str]):
    _show(Path("cut[best]/:car:"), {"kid": 0.1, "kid_source": 0.3, "kid_transfer": 0.2}, names, 2)
    first, *_ = capsys.readouterr().err.splitlines()
    assert first.strip() == "cut[best]/:car:" + ("" if names else ": not scored, as metrics.scores=null asked")


def test_one_image_a_domain_trains_without_scores_and_says_why(trained: Path):
    content = json.loads((trained / "run/metrics.json").read_text())
    assert content["metrics"] == {}
    assert content["protocol"]["scores"] == "none, as metrics.scores=null asked"
    assert (content["protocol"]["batches"], content["protocol"]["epochs"]) == (3, 1)
    assert [path.name for path in (trained / "run/images/translated").iterdir()] == ["0.png"]
    assert (trained / "run/images/epoch_0001.png").is_file()
    assert load_translator(trained / "run", average=True) is not None


def test_a_sweep_gets_no_number(trained: Path):
    from src.training.run import train

    assert math.isnan(train(load_config(trained / "run"), trained / "run", resume=True))


def test_what_reads_finished_runs_takes_one_without_scores(trained: Path, tmp_path: Path):
    network = load_translator(trained / "run", average=True)
    gathered = facts.gather(trained / "run", network, average=True, licence=None)  # type: ignore[arg-type]
    assert (gathered.metrics, gathered.facts["steps"]) == ({}, "3")
    report([trained / "run"], tmp_path / "alone")
    assert "Trained without scores, as asked: run." in (tmp_path / "alone/table.md").read_text()


def test_a_table_shows_what_is_missing_as_such(trained: Path, tmp_path: Path):
    for name in ("cut", "unscored"):
        shutil.copytree(trained / "run", tmp_path / name)
    config = load_config(tmp_path / "cut")
    config.variant = "cut"
    save_config(tmp_path / "cut", config)
    protocol = load_metrics(tmp_path / "cut")[1]
    del protocol["scores"]
    save_metrics(tmp_path / "cut", {"kid": 0.25}, {**protocol, "n_fake": 100})
    report([tmp_path], tmp_path / "table")
    lines = (tmp_path / "table/table.md").read_text().splitlines()
    (cut,), (other,) = ([line for line in lines if line.startswith(f"| {name} |")] for name in ("cut", "triplet"))
    assert [cell.strip() for cell in cut.split("|")[2:4]] == ["1", "0.2500"]
    assert [cell.strip() for cell in other.split("|")[2:4]] == ["1", "-"]
    assert "n_fake: 100" in tabulate(collect([tmp_path / "cut", tmp_path / "unscored"])).protocol


def test_without_that_setting_it_is_refused_and_named(trained: Path):
    before = sorted(trained.rglob("*"))
    answer = run("train", settings(trained, "other"))
    assert_refused(answer, r"^data: x_val is empty; .* add some, or train without scores: metrics\.scores=null$")
    assert sorted(trained.rglob("*")) == before


@pytest.mark.parametrize("setting", ["metrics.every_n_epochs=1", "metrics.per_image=a.csv"])
def test_what_needs_scores_is_refused(setting: str, trained: Path):
    answer = run("train", [*settings(trained, "other"), "metrics.scores=null", setting])
    assert_refused(answer, rf"^{setting.partition('=')[0]} must be null where nothing is scored")
    assert not (trained / "other").exists()
