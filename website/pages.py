"""Every page of the site but the configuration's, from files that stay where GitHub shows them.

A page keeps its path, so that links between files lead where they do on GitHub; what a page links to becomes a page.
"""

import json
import posixpath
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

README = {
    "quick-start.md": ("Quick start", "What can be chosen"),
    "results.md": ("Results", "From translation to a training set"),
    "promises.md": ("Why trust these numbers", "What we promise"),
}
"""Pages of their own, by the README's sections; what is named in none stays on the front page."""
API = {
    "losses": "losses",
    "networks": "networks",
    "attention": "networks/attention",
    "selection": "networks/selection",
    "methods": "methods",
    "metrics": "metrics",
}
"""Pages of docstrings, by the folder of src/ of which they are."""

_LINK = re.compile(r"(!?\[(?:[^\[\]]|\[[^\]]*\])*\]\()([^)\s]+)(\))")
_ITEM = re.compile(r"(?:[-*+]|1\.) ")
_FENCED = re.compile(r"(^(?P<fence>`{3,})[^`\n]*\n.*?^(?P=fence) *$)", re.M | re.S)
_CODE = {".py": "python", ".cff": "yaml", ".toml": "toml", ".yaml": "yaml"}


class Site:
    """Pages, Markdown by path, and the pictures they show, both found by following links.

    Args:
        first: files of the repository to begin with, beside the README.
    """

    def __init__(self, first: list[str]) -> None:
        self.pages: dict[str, str] = {}
        self.pictures: set[str] = set()
        self._sections: dict[str, str] = {}
        parts = _parts((ROOT / "README.md").read_text())
        for page, text in parts.items():
            self._sections |= {_anchor(line): page for line in re.findall(r"^#+ (.+)$", text, re.M)}
        self._waiting = list(first)
        for page, text in parts.items():
            self.pages[page] = self._linked(text, "README.md")
        while self._waiting:
            self._add(self._waiting.pop(0))

    def _add(self, path: str) -> None:
        page = page_of(path)
        if page in self.pages:
            return
        source = ROOT / path
        if source.is_dir():
            inside = sorted(one.name for one in source.iterdir() if one.suffix in (".md", ".ipynb"))
            listed = [f"- [{_title(source / one)}]({one})\n" for one in inside]
            text = f"# {source.name.capitalize()}\n\n{''.join(listed)}"
            path = f"{path}/README.md"
        elif source.suffix == ".md":
            text = source.read_text()
            if source.stem == "table":  # as wide as there is room
                text = f"---\nhide: [toc]\n---\n\n# {source.parent.name}: the table\n\n{text}"
            elif not re.search(r"^# ", text, re.M):
                text = f"# {source.parent.name}\n\n{text}"
        elif source.suffix == ".ipynb":
            text = notebook(source)
        else:
            language = _CODE.get(source.suffix, "text")
            text = f"# {source.name}\n\n````{language}\n{source.read_text()}````\n"
        self.pages[page] = self._linked(text, path)

    def _linked(self, text: str, path: str) -> str:
        """The text with its links as the site needs them; what they lead to is added."""
        parts = re.split(_FENCED, text)
        for number in range(0, len(parts), 3):
            parts[number] = _LINK.sub(lambda link: self._link(link, path), _as_python_markdown(parts[number]))
        return "".join(part for number, part in enumerate(parts) if number % 3 < 2)  # the third is the fence alone

    def _link(self, link: re.Match[str], path: str) -> str:
        target, _, anchor = link[2].partition("#")
        if "://" in target or not target or target.startswith("mailto:"):
            if not target and path == "README.md":
                return f"{link[1]}{self._sections[anchor]}#{anchor}{link[3]}"
            return link[0]
        aim = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
        if not (ROOT / aim).exists():
            raise FileNotFoundError(f"{path} links to {target}, which is not there")
        if aim.endswith((".png", ".svg", ".jpg")):
            self.pictures.add(aim)
            page = aim
        elif aim == "README.md":
            page = self._sections[anchor] if anchor else "index.md"
        else:
            self._waiting.append(aim)
            page = page_of(aim)
        here = posixpath.dirname(page_of(path)) or "."
        return f"{link[1]}{posixpath.relpath(page, here)}{'#' if anchor else ''}{anchor}{link[3]}"


def page_of(path: str) -> str:
    """Where the site has a file or a folder of the repository."""
    if (ROOT / path).is_dir():
        return f"{path}/index.md"
    if posixpath.basename(path) == "README.md":
        return posixpath.join(posixpath.dirname(path), "index.md")
    return path.removesuffix(".ipynb") + ("" if path.endswith(".md") else ".md")


def _title(path: Path) -> str:
    text = notebook(path) if path.suffix == ".ipynb" else path.read_text()
    heading = re.search(r"^# (.+)$", text, re.M)
    return heading[1] if heading else path.name


def _parts(text: str) -> dict[str, str]:
    """The README's sections, by the page they are on; the first heading of a page is its title."""
    home = {name: page for page, names in README.items() for name in names}
    first, *sections = re.split(r"^(?=## )", text, flags=re.M)
    parts = {"index.md": first}
    for section in sections:
        name = section.splitlines()[0].removeprefix("## ")
        page = home.pop(name, "index.md")
        parts[page] = parts[page] + section if page in parts else section.removeprefix("#")
    if home:
        raise ValueError(f"README.md has no section {', '.join(home)}")
    return parts


def _anchor(heading: str) -> str:
    """What a heading is called in links, as GitHub and Python-Markdown have it."""
    return re.sub(r"[\s-]+", "-", re.sub(r"[^\w\s-]", "", heading).strip().lower())


def _as_python_markdown(text: str) -> str:
    """GitHub's Markdown so that Python-Markdown reads it alike: lists and tables need an empty line above.

    Comments of HTML are left out.
    """
    text = re.sub(r"^<!--.*?-->\n", "", text, flags=re.M)
    lines: list[str] = []
    for line in text.splitlines(keepends=True):
        above = lines[-1] if lines else "\n"
        starts_list = _ITEM.match(line) and not re.match(r"(?:[-*+]|\d+\.) |\s", above)
        starts_table = line.startswith("|") and not above.startswith(("|", "\n"))
        if (starts_list or starts_table) and above.strip():
            lines.append("\n")
        lines.append(re.sub(r"^ {2,3}(?=\S)", "    ", line))
    return "".join(lines)


def notebook(path: Path) -> str:
    """A notebook's cells, which lie in git without outputs: text as it is, code in fences."""
    parts = []
    for cell in json.loads(path.read_text())["cells"]:
        source = "".join(cell["source"])
        parts.append(source if cell["cell_type"] == "markdown" else f"```python\n{source}\n```")
    return "\n\n".join(parts) + "\n"


def docstrings(title: str, folder: str) -> str:
    """A page of the public names of a folder of src/, a heading a module, by mkdocstrings."""
    modules = sorted(path for path in (ROOT / "src" / folder).glob("*.py") if path.stem != "__init__")
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in modules]
    about = (ROOT / "src" / folder / "__init__.py").read_text().split('"""')[1]
    return f"# {title.capitalize()}\n\n{about}\n\n" + "\n".join(f"::: {name}\n" for name in names)
