"""The page by its text: all that the folders hold, nothing they do not, and nothing that runs."""

import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import yaml

from src.report import main
from src.tables import report
from src.tables.page import pictures
from src.tables.page.commands import commands
from src.tables.page.frames import frames, keep, source_folder, source_of
from src.tables.table.collect import collect
from tests.tables.page.sweeps import picture, write_sweep, written
from tests.tables.table.folders import write_run


class Page(HTMLParser):
    """Every tag with its attributes, in order, and the text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str, name: str = "") -> list[dict[str, str | None]]:
        return [a for t, a in self.tags if t == tag and (not name or name in (a.get("class") or "").split())]


def read(sweep: Path) -> Page:
    return Page(written(sweep).read_text())


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sweep(tmp_path_factory.mktemp("page"))


def test_all_that_the_folders_hold_is_there(sweep: Path):
    page = read(sweep)
    # three frames, each once as source and once of each row
    assert len(page.all("img", "source")) == 3
    assert len(page.all("img", "output")) == 6
    assert len(page.all("img", "panel")) == 4
    assert len([a for a in page.all("input") if a.get("type") == "range"]) == 3
    for text in ("0.3167 ± 0.0208", "untranslated source", "real against real", "paired t-test", "Holm"):
        assert text in page.text, text
    charts = [a["alt"] for a in page.all("img", "chart")]
    curves = ["kid", "gan", "nce_x", "pixels coverage", "pixels reached"]
    assert charts[:2] == [f"{score} of each row, as in the whole table below" for score in ("kid", "fid")]
    assert charts[2:] == ["", "", *(f"{name} by epoch: cut, triplet" for name in curves)]
    assert "extractor_sha256" in page.text
    assert "python -m src.train -m attention=cut,triplet seed=0,1,2" in page.text
    assert 'class="missing"' not in (sweep / report.PAGE).read_text()


def test_bold_is_what_the_table_has_in_bold(sweep: Path):
    html = written(sweep).read_text()
    cells = set(re.findall(r"\*\*(.+?)\*\*", (sweep / "table.md").read_text()))
    assert cells
    assert set(re.findall(r"<strong>(.+?)</strong>", html)) == cells


def test_every_cell_of_the_table_is_on_the_page(sweep: Path):
    text = read(sweep).text
    cells = re.split(r"\||\n", (sweep / "table.md").read_text().partition("\n\nProtocol")[0].replace("*", ""))
    assert all(cell.strip() in text for cell in cells if not re.fullmatch(r"[\s:-]*", cell))


def test_the_same_folders_give_the_same_bytes(sweep: Path, tmp_path: Path):
    shutil.copytree(sweep, tmp_path / "far" / "sweep")
    assert written(sweep).read_bytes() == written(tmp_path / "far").read_bytes()


def test_nothing_is_fetched_and_only_the_pages_own_script_runs(sweep: Path):
    html = written(sweep).read_text()
    page = Page(html)
    assert not page.all("link") + page.all("iframe") + page.all("base") + page.all("object")
    sources = [a[name] or "" for _, a in page.tags for name in ("src", "href", "srcset", "action") if name in a]
    assert all(source.startswith(("data:image/webp;base64,", "data:image/svg+xml;base64,", "#")) for source in sources)
    assert "url(" not in html
    assert "@import" not in html
    (policy,) = (a["content"] for a in page.all("meta") if a.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert "unsafe" not in policy
    assert not [a for _, a in page.tags if any(name.startswith("on") or name == "style" for name in a)]


def test_what_is_kept_of_a_run_is_enough_for_its_frames(sweep: Path, tmp_path: Path):
    """Source and output, of the same few frames, where neither its images nor the data set are."""
    for run in collect([sweep]).finished:
        kept = tmp_path / "kept/runs" / run.folder.name
        kept.mkdir(parents=True)
        for name in ("config.yaml", "metrics.json"):
            shutil.copy(run.folder / name, kept)
        if run.seed == 0:
            keep(run, kept)
        config = yaml.safe_load((kept / "config.yaml").read_text())
        config["data"]["root"] = str(tmp_path / "nowhere")
        (kept / "config.yaml").write_text(yaml.safe_dump(config))
    (found, missing), rows = frames_of(tmp_path / "kept"), frames_of(sweep)[0]
    assert missing == []
    assert [frame.name for frame in found] == [frame.name for frame in rows]
    for frame, before in zip(found, rows, strict=True):
        assert set(frame.outputs) == {"cut", "triplet"}
        for pixels, original in (
            (frame.source, before.source),
            *((frame.outputs[k], before.outputs[k]) for k in before.outputs),
        ):
            assert pixels.shape == original.shape
            assert np.abs(pixels.astype(float) - original).mean() < 4  # a JPEG
    assert len(read(tmp_path / "kept").all("img", "output")) == 6
    assert sum(path.stat().st_size for path in (tmp_path / "kept/runs/cut_0/frames").rglob("*.jpg")) < 40_000


def frames_of(folder: Path):
    rows = {run.variant: run for run in reversed(collect([folder]).finished)}
    return frames(rows)


EVIL = "\"><script>alert(1)</script><img src=x onerror=alert(2)>'{{ 7*7 }}{% raw %}</style></title>&lt;"


def test_what_comes_from_a_run_folder_is_text(tmp_path: Path):
    sweep = write_sweep(tmp_path, seeds=1)
    folder = tmp_path / "sweep" / ('evil"><script>alert(3)<' + chr(92) + "script>")
    protocol = {"commit": EVIL, "extractor": "inception"}
    write_run(folder, EVIL, 0, {"kid": 1.0, EVIL: 2.0}, protocol=protocol, data={"root": EVIL, "layout": {"x": EVIL}})
    for path in sweep.glob("*/metrics.json"):
        content = json.loads(path.read_text())
        content["protocol"][EVIL] = EVIL
        content["protocol"]["n_fake"] = EVIL
        path.write_text(json.dumps(content))
        log = path.parent / "logs/csv/version_0"
        log.mkdir(parents=True, exist_ok=True)
        quoted = EVIL.replace('"', '""')
        (log / "metrics.csv").write_text(f'epoch,step,"val/{quoted}","train/{quoted}"\n0,9,1,2\n')
    evil_name = EVIL.replace("/", "_")
    for run in sweep.glob("*_0"):
        picture(run / f"images/translated/{evil_name}.png", 48, 64, 0)
    picture(tmp_path / f"frames/testA/{evil_name}.png", 48, 64, 0)
    task = [EVIL, {"attention": EVIL}]
    (sweep / "multirun.yaml").write_text(yaml.safe_dump({"hydra": {"overrides": {"task": task}}}))
    clean, page = read(write_sweep(tmp_path / "clean", variants=("bam", "cut", "triplet"), seeds=1)), read(sweep)
    assert EVIL in page.text
    assert {tag for tag, _ in page.tags} <= {tag for tag, _ in clean.tags} | {"code"}  # how to have what is missing
    assert len(page.all("script")) == 1
    assert not [a for _, a in page.tags if any(name.startswith("on") for name in a)]
    assert "49" not in re.findall(r"'(\d+)", page.text)  # nothing is a template


def test_a_kept_experiment_shows_what_is_there_and_says_what_is_missing(tmp_path: Path):
    for variant in ("cut", "triplet"):
        for seed in range(2):
            run = write_run(tmp_path / f"runs/{variant}_seed{seed}", variant, seed, {"kid": 0.1 + 0.01 * seed})
            if seed == 0:
                picture(run / "panel.jpg", 200, 900, seed)
    (tmp_path / "sweep.yaml").write_text("rows: []\n")
    assert main([str(tmp_path)]) == 0
    page = Page((tmp_path / report.PAGE).read_text())
    assert len(page.all("img", "panel")) == 2
    assert "No translated frames are kept of cut, triplet." in page.text
    assert "No content.png is kept of cut, triplet." in page.text
    assert "No log of training is kept of cut, triplet." in page.text
    assert f"python experiments/run.py {tmp_path.name}" in page.text


def test_a_source_that_is_gone_is_said(tmp_path: Path):
    sweep = write_sweep(tmp_path, seeds=1)
    shutil.rmtree(tmp_path / "frames")
    page = read(sweep)
    assert not page.all("img", "source")
    assert "The source is not where the runs' configuration says, or unreadable: deep/three, one, two." in page.text


def test_damaged_pictures_and_logs_are_said_and_cost_nothing_else(tmp_path: Path):
    sweep = write_sweep(tmp_path, seeds=1)
    (sweep / "cut_0/images/epoch_0005.png").write_bytes(b"torn")
    (sweep / "cut_0/content.png").write_bytes(b"")
    (sweep / "cut_0/logs/csv/version_0/metrics.csv").write_text("epoch,step,a\n0,9,torn\n")
    (sweep / "cut_0/images/translated/one.png").write_bytes(b"torn")
    (sweep / "multirun.yaml").write_text("{")
    page = read(sweep)
    assert "The log of cut_0 cannot be read." in page.text
    assert len(page.all("img", "panel")) == 2
    assert len(page.all("img", "source")) == 2
    assert "How these were started is not kept" in page.text


def test_pictures_beyond_the_budget_are_left_out_and_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pictures, "BUDGET", 3000)
    sweep = write_sweep(tmp_path, seeds=1)
    page = read(sweep)
    assert "did not fit and are left out" in page.text
    pictures_alone = [src for a in page.all("img") if (src := a["src"] or "").startswith("data:image/webp")]
    assert sum(map(len, pictures_alone)) < 3000 * 4 / 3 + 100 * 13


@pytest.mark.parametrize(
    ("layout", "folder"),
    [
        ({"_target_": "src.data.layouts.folders", "x": "a", "x_val": "v"}, "root/v"),
        ({"_target_": "src.data.layouts.folders", "x": "a", "x_val": None}, "root/a"),
        ({"_target_": "src.data.layouts.folders", "x": "a", "x_val": "v", "x_held": "Town02_*"}, "root/a"),
        ({"_target_": "src.data.layouts.folders", "x": "a", "x_val": "v", "tune": 5}, "root/a"),
        ({"_target_": "src.data.layouts.gta2cityscapes", "x": "game"}, "root/game/images"),
        ({"_target_": "src.data.layouts.streets"}, "root/playing_for_data/images"),
        ({"_target_": "elsewhere"}, None),
        ({}, None),
    ],
)
def test_the_source_is_looked_for_where_its_layout_has_it(layout: dict[str, str | int | None], folder: str | None):
    config = {"data.root": "root", **{f"data.layout.{key}": value for key, value in layout.items()}}
    assert source_folder(config) == (None if folder is None else Path(folder))


def test_a_name_that_fits_two_sources_has_none():
    files = [Path("a/x/1.png"), Path("a/y/1.png"), Path("a/2.jpg"), Path("a/32.jpg")]
    assert source_of("2", files) == Path("a/2.jpg")
    assert source_of("1", files) is None
    assert source_of("y/1", files) == Path("a/y/1.png")


def test_commands_can_be_typed(sweep: Path, tmp_path: Path):
    task = ["attention=none,triplet", "table1=glob(*)", "data.root=/my data"]
    run = write_run(tmp_path / "s/cut", "cut", 0, {"kid": 1.0})
    (tmp_path / "s/multirun.yaml").write_text(yaml.safe_dump({"hydra": {"overrides": {"task": task}}}))
    lines, unknown = commands(collect([run]).finished)
    assert lines == ["python -m src.train -m attention=none,triplet 'table1=glob(*)' 'data.root=/my data'"]
    assert unknown == []
