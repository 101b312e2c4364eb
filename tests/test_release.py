"""One version and one date, wherever they stand; what GitHub reads is there and names what exists."""

import re
import tomllib
from datetime import date
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
SECTIONS = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.M)
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))


def test_version_and_date_are_those_of_the_newest_section_of_the_changelog():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    newest = next(section for section in SECTIONS if section != "Unreleased")
    assert newest == f"{PROJECT['version']} - {citation['date-released']}"
    assert citation["version"] == PROJECT["version"]
    assert date.fromisoformat(citation["date-released"])


def test_sections_fall_from_the_newest_version_to_the_oldest():
    versions = [tuple(map(int, section.split(" - ")[0].split("."))) for section in SECTIONS if section != "Unreleased"]
    assert versions == sorted(set(versions), reverse=True)
    assert "Unreleased" not in SECTIONS[1:]


def test_addresses_of_the_project_lead_where_its_citation_does():
    citation = (ROOT / "CITATION.cff").read_text()
    assert PROJECT["urls"]
    for address in PROJECT["urls"].values():
        assert address in citation
        assert not re.search(r"example\.|<|placeholder|your-?name", address, re.I)


def test_hooks_are_pinned_and_ruff_is_the_version_that_checks():
    hooks = {
        repo["repo"].rpartition("/")[2]: repo
        for repo in yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    }
    assert {"ruff-pre-commit", "nbstripout", "codespell"} == set(hooks)
    pins = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line)
    assert hooks["ruff-pre-commit"]["rev"] == f"v{pins['ruff']}"


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_is_read_by_name_with_rights_that_are_no_more_than_it_needs(path: Path):
    workflow = yaml.safe_load(path.read_text())
    assert workflow["permissions"] == {"contents": "read"}
    assert workflow["name"] == path.stem
    assert all("timeout-minutes" in job for job in workflow["jobs"].values())


def test_the_checklist_names_workflows_and_targets_that_exist():
    text = (ROOT / "docs/release.md").read_text()
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    assert {word for line in re.findall(r"`make ([a-z -]+)`", text) for word in line.split()} <= targets
    assert {"ci", "docs", "audit", "dependencies"} == {path.stem for path in WORKFLOWS}
    assert all(f"`{path.stem}`" in text for path in WORKFLOWS)


@pytest.mark.parametrize("name", ["bug", "idea"])
def test_an_issue_form_asks_for_what_it_shows(name: str):
    form = yaml.safe_load((ROOT / f".github/ISSUE_TEMPLATE/{name}.yml").read_text())
    assert {"name", "description", "body"} <= form.keys()
    ids = [field["id"] for field in form["body"]]
    assert len(ids) == len(set(ids))
    assert all(field["attributes"]["label"] for field in form["body"])
