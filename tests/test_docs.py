"""What the pages point to is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/*.md")), *ROOT.glob("experiments/*.md")]


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


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_table_that_is_quoted_says_what_the_kept_one_says(page: Path):
    """Above a quoted table stands, unseen, the page it is taken from; of one of its tables columns may be left out."""
    for path, quoted in re.findall(r"<!-- (experiments/\S+\.md) -->\n((?:\|.*\n)+)", page.read_text()):
        (rows,) = _tables(quoted)
        kept = _tables((ROOT / path).read_text())
        assert any(all(cells.items() <= one.get(row, {}).items() for row, cells in rows.items()) for one in kept), (
            f"{path} has no such table: {', '.join(rows)}"
        )


def test_the_front_page_quotes_a_table():
    assert "<!-- experiments/" in (ROOT / "README.md").read_text()


def _tables(text: str) -> list[dict[str, dict[str, str]]]:
    """Cells by row and column, of each table in the text."""
    tables = [part.splitlines() for part in text.split("\n\n") if part.startswith("|")]
    found = [[[cell.strip() for cell in line.split("|")[1:-1]] for line in table] for table in tables]
    return [{row[0]: dict(zip(lines[0][1:], row[1:], strict=True)) for row in lines[2:]} for lines in found]


def _exists(path: Path) -> bool:
    return path.with_suffix(".py").is_file() or (path / "__main__.py").is_file()
