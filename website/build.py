"""The documentation as a site: `make docs`, or python -m website.build [--output site].

Every page is made anew from README.md, docs/, conf/ and the docstrings; a warning of the builder is an error, and what
lay in the output before stays until all is well.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml

from website import configuration, pages

HERE = Path(__file__).resolve().parent
GUIDE = ["paper", "runs", "translate", "demo", "weights", "hub"]
NUMBERS = ["scores", "segmentation", "first_recipe", "performance", "scale", "sweeps"]
PROJECT = ["CONTRIBUTING.md", "CODE_OF_CONDUCT.md", "docs/release.md", "SECURITY.md", "CHANGELOG.md"]
NOTEBOOKS = sorted(f"notebooks/{path.name}" for path in (pages.ROOT / "notebooks").glob("*.ipynb"))


def stage(folder: Path) -> list[Any]:
    """Write every page below `folder`; return what the navigation shows."""
    docs = [f"docs/{name}.md" for name in (*GUIDE, *NUMBERS)]
    kept = sorted(path.relative_to(pages.ROOT).as_posix() for path in pages.ROOT.glob("experiments/*/*.md"))
    site = pages.Site([*docs, *PROJECT, "DATASETS.md", "notebooks", *NOTEBOOKS, "experiments/README.md", *kept])
    found = dict(site.pages)
    settings = configuration.pages(pages.ROOT / "conf")
    found |= {f"configuration/{name}.md": text for name, text in settings.items()}
    found |= {f"api/{name}.md": pages.docstrings(name, of) for name, of in pages.API.items()}
    for name, text in found.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for name in site.pictures:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(pages.ROOT / name, folder / name)
    shutil.copyfile(HERE / "extra.css", folder / "extra.css")
    groups = [f"configuration/{name}.md" for name in sorted(settings) if name not in ("index", "commands")]
    return [
        {"Home": "index.md"},
        {"Guide": ["quick-start.md", *docs[: len(GUIDE)], "DATASETS.md"]},
        {"Numbers": ["results.md", *docs[len(GUIDE) :], "promises.md"]},
        {"Configuration": ["configuration/index.md", "configuration/commands.md", *groups]},
        {"API": [f"api/{name}.md" for name in pages.API]},
        {"Notebooks": sorted(name for name in found if name.startswith("notebooks/"))},
        {"Experiments": ["experiments/index.md", *map(pages.page_of, kept)]},
        {"Project": PROJECT},
    ]


def build(output: Path, url: str | None = None) -> None:
    """The site in `output`; SystemExit with the builder's words if anything is amiss.

    Args:
        output: folder, replaced.
        url: where it will be published, which its page for errors and its map of pages name.
    """
    if missing := [name for name in ("zensical", "mkdocstrings_handlers") if find_spec(name) is None]:
        sys.exit(f"the site needs the package {missing[0]}; pip install -e '.[docs]'")
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        (work / "pages").mkdir()
        settings = yaml.safe_load((HERE / "mkdocs.yml").read_text())
        settings |= {"docs_dir": "pages", "site_url": url, "nav": stage(work / "pages")}
        for plugin in settings["plugins"]:
            if "mkdocstrings" in plugin:
                plugin["mkdocstrings"]["handlers"]["python"]["paths"] = [str(pages.ROOT)]
        (work / "mkdocs.yml").write_text(yaml.safe_dump(settings, sort_keys=False))
        command = [sys.executable, "-m", "zensical", "build", "--strict", "--config-file", "mkdocs.yml"]
        done = subprocess.run(command, cwd=work, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            sys.exit(re.sub(r"\x1b\[[\d;]*m", "", done.stdout).partition("Traceback")[0])
        shutil.rmtree(output, ignore_errors=True)
        shutil.copytree(work / "site", output)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=pages.ROOT / "site", help="folder of the site, replaced")
    parser.add_argument("--url", help="where it will be published")
    arguments = parser.parse_args()
    build(arguments.output, arguments.url)
