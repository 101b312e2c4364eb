"""What the pages point to is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_link_leads_somewhere(page: Path):
    links = re.findall(r"\]\(([^)#\s]+)", page.read_text())
    dead = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert not dead


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_command_that_is_shown_exists(page: Path):
    modules = set(re.findall(r"python -m (src(?:\.\w+)+)", page.read_text()))
    missing = [name for name in modules if not _exists(ROOT / name.replace(".", "/"))]
    assert not missing


def _exists(path: Path) -> bool:
    return path.with_suffix(".py").is_file() or (path / "__main__.py").is_file()
