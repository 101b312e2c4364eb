"""The documentation's site: what it says of conf/, and that it is whole, leads somewhere and asks nobody else."""

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag

import pytest
import yaml
from omegaconf import OmegaConf

from website import build, pages
from website.settings import Setting, read

ROOT = Path(__file__).resolve().parent.parent
YAMLS = sorted((ROOT / "conf").rglob("*.yaml"))
SAMPLE = """\
# @package _global_
# About the file,
# in two lines.
defaults:
  - base/one@_here_
  - group: first          # the choice,
                          # for a reason
  - override hydra/job_logging: stdout
  - _self_

size: 4                   # pixels
colour: "#fff"            # not in the text
# above the key
part:                     # of the whole
  _target_: src.losses.cycle.cycle_loss
  weights: null           # a file,
                          # or none
  # deeper
  list: [1, {a: 2}]
  many:
    - a
    - b
# left_out: what follows
last: |
  two # lines
  of text
# and so it ends
"""


def test_a_comment_goes_to_its_key():
    choice = read(SAMPLE)
    assert (choice.about, choice.is_global, choice.builds) == ("About the file,\nin two lines.", True, "")
    assert choice.defaults == [
        Setting("base/one@_here_", "", ""),
        Setting("group", "first", "the choice, for a reason"),
    ]
    assert choice.settings == [
        Setting("size", "4", "pixels"),
        Setting("colour", '"#fff"', "not in the text"),
        Setting("part", "", "above the key of the whole", "src.losses.cycle.cycle_loss"),
        Setting("part.weights", "null", "a file, or none"),
        Setting("part.list", "[1, {a: 2}]", "deeper"),
        Setting("part.many", "[a, b]", ""),
        Setting("left_out", "", "what follows"),
        Setting("last", "| two # lines of text", ""),
    ]
    assert choice.ends == "and so it ends"


@pytest.mark.parametrize("path", YAMLS, ids=lambda path: str(path.relative_to(ROOT / "conf")))
def test_every_key_is_shown_with_every_comment(path: Path):
    choice = read(path.read_text())
    content = OmegaConf.to_container(OmegaConf.load(path))
    assert isinstance(content, dict)
    content.pop("defaults", None), content.pop("hydra", None)
    shown = {one.key for one in choice.settings}
    assert set(leaves(content)) <= shown
    said = f"{choice.about} {choice.ends} " + " ".join(one.comment for one in [*choice.settings, *choice.defaults])
    without_hydra = re.split(r"^hydra:$", path.read_text(), flags=re.M)[0]
    for comment in re.findall(r"(?:^|\s)# (?!@package)(.+)$", without_hydra, re.M):
        assert re.sub(r"^\w+: ", "", comment.strip()) in said


def leaves(node: dict, prefix: str = "") -> list[str]:
    """Dotted keys that hold no other, without Hydra's own."""
    found = []
    for key, value in node.items():
        if isinstance(value, dict) and value:
            found += leaves(value, f"{prefix}{key}.")
        elif key not in ("_target_", "_partial_"):
            found.append(f"{prefix}{key}")
    return found


class Page(HTMLParser):
    """Where a page leads, what it fetches, and its anchors."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.fetched: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {key: value or "" for key, value in attrs}
        self.anchors |= {given[key] for key in ("id", "name") if key in given}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if tag == "link" and "href" in given:
            self.fetched.append(given["href"])
        if "src" in given:
            self.fetched.append(given["src"])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("zensical")
    folder = tmp_path_factory.mktemp("site") / "site"
    build.build(folder)
    return folder


@pytest.fixture(scope="module")
def read_pages(site: Path) -> dict[Path, Page]:
    # the page of errors is shown at any address, so its links are absolute
    return {path: Page(path.read_text()) for path in site.rglob("*.html") if path.name != "404.html"}


def test_every_link_leads_to_a_page_and_a_place_on_it(site: Path, read_pages: dict[Path, Page]):
    assert len(read_pages) > 50
    dead = []
    for path, page in read_pages.items():
        for link in page.links:
            if re.match(r"[a-z]+:", link):
                continue
            aim, anchor = urldefrag(unquote(link))
            target = (path.parent / aim).resolve() if aim else path
            target = target / "index.html" if target.is_dir() else target
            if not target.is_file() or (anchor and target in read_pages and anchor not in read_pages[target].anchors):
                dead.append((str(path.relative_to(site)), link))
    assert not dead


def test_a_reader_is_known_to_nobody_else(site: Path, read_pages: dict[Path, Page]):
    fetched = {one for page in read_pages.values() for one in page.fetched}
    assert any(one.endswith(".css") for one in fetched)
    assert not [one for one in fetched if re.match(r"(https?:)?//", one)]
    styles = "".join(path.read_text() for path in site.rglob("*.css"))
    assert not re.findall(r"(?:@import|url\()\s*[\"']?(?:https?:)?//[^)\s]+", styles)


def test_the_site_has_all_that_was_written(site: Path):
    text = {path.parent.relative_to(site).as_posix(): path.read_text() for path in site.rglob("index.html")}
    for path in [*ROOT.glob("docs/*.md"), ROOT / "DATASETS.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md"]:
        heading = re.search(r"^# ([\w ]+)", path.read_text(), re.M)[1]
        assert heading in text[path.relative_to(ROOT).with_suffix("").as_posix()]
    front = "".join(text[name] for name in (".", *(name.removesuffix(".md") for name in pages.README)))
    for section in re.findall(r"^## ([\w ]+)$", (ROOT / "README.md").read_text(), re.M):
        assert f">{section}<" in front
    for group in {path.parent for path in YAMLS} - {ROOT / "conf"}:
        page = text["configuration/" + group.relative_to(ROOT / "conf").as_posix().replace("/", "-")]
        assert all(f'id="{path.stem}"' in page for path in group.glob("*.yaml"))
    for name in (
        "losses/#src.losses.patch_nce.patch_nce",
        "networks/#src.networks.generator.Generator",
        "networks/#src.networks.patch_sampler.PatchSampler",
        "attention/#src.networks.attention.base.Attention.score",
        "selection/#src.networks.selection.base.Selection.__call__",
        "methods/#src.methods.cut.CUT",
        "metrics/#src.metrics.kid.kid_error",
    ):
        page, _, anchor = name.partition("/#")
        assert f'id="{anchor}"' in text[f"api/{page}"]


def test_every_reference_to_a_name_of_the_code_is_one(site: Path):
    assert (
        'href="../../api/selection/#src.networks.selection.topk.TopK"'
        in (site / "configuration" / "selection" / "index.html").read_text()
    )
    for path in site.rglob("index.html"):
        assert not re.search(r"\]\[src\.", re.sub(r"<(pre|code).*?</\1>", "", path.read_text(), flags=re.S)), path


def test_a_table_and_a_list_are_as_on_github(site: Path):
    contributing = (site / "CONTRIBUTING" / "index.html").read_text()
    walk = contributing.partition("A batch through training")[2].partition("</ol>")[0]
    assert walk.count("<li>") == 18
    assert "| --- |" not in re.sub(r"<pre.*?</pre>", "", (site / "results" / "index.html").read_text(), flags=re.S)


def test_a_link_to_nothing_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    pytest.importorskip("zensical")

    def stage(folder: Path) -> list[dict[str, str]]:
        (folder / "index.md").write_text("# Home\n\n[nowhere](nowhere.md)\n")
        (folder / "extra.css").touch()
        return [{"Home": "index.md"}]

    monkeypatch.setattr(build, "stage", stage)
    (tmp_path / "before").touch()
    with pytest.raises(SystemExit, match="nowhere"):
        build.build(tmp_path)
    assert (tmp_path / "before").exists()


def test_what_is_built_needs_no_packages_of_the_code():
    """The workflow installs the extra alone."""
    steps = yaml.safe_load((ROOT / ".github/workflows/docs.yml").read_text())["jobs"]["build"]["steps"]
    assert "-r docs.txt" in str(steps)
    for path in (ROOT / "website").glob("*.py"):
        imported = set(re.findall(r"^(?:from|import) (\w+)", path.read_text(), re.M))
        assert not imported & {"src", "torch", "omegaconf", "hydra", "lightning"}
