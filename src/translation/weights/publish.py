"""A run on the Hugging Face Hub: weights, settings, scores and a page, in one commit or not at all."""

import sys
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from src.config import schema
from src.networks.generator import Generator
from src.runs import hub
from src.runs.folder import CONFIG, COST, IMAGES, METRICS, WEIGHTS
from src.runs.weights import load_translator
from src.system.errors import UserError
from src.system.files import write
from src.translation.weights import facts
from src.translation.weights.card import hub_card
from src.translation.weights.export import largest_difference
from src.translation.weights.public import demand_nowhere, files

CARD, PANEL = "README.md", "panel.png"
OURS = (WEIGHTS, CONFIG, METRICS, COST, PANEL, CARD)
"""All that is ever written there; what an earlier run left of it and this one has not is taken away."""
MAIN = "main"


def publish(config: schema.PublishConfig) -> dict[str, object]:
    """Upload a finished run, or write what would be into the folder `dry`; returns where it is, and its files.

    Raises UserError for a mistake, without a token, or where the Hub refuses; then no file has been uploaded.
    """
    address = _address(config.repo, config.revision)
    hub.demand_local(config.run, "lies there already")
    content = contents(config)
    if config.dry is not None:
        return _written(content, Path(config.dry))
    return _uploaded(content, config, address)


def _address(repo: str, revision: str) -> str:
    """By which others name it."""
    address, expected = f"{hub.PREFIX}{repo}", hub.Address(repo, None, None)
    if revision != MAIN:
        address, expected = f"{address}@{revision}", expected._replace(revision=revision)
    if not hub.is_well_formed(address) or hub.address(address) != expected:
        raise UserError(
            f"repo={repo} revision={revision}: no names that the Hub takes; user/name, and a branch, please"
        )
    return address


def contents(config: schema.PublishConfig) -> dict[str, bytes]:
    """What is published, by name; it was read back and gives the run's own outputs to the bit."""
    folder = Path(config.run)
    network = load_translator(folder, average=True)
    if not isinstance(network, Generator):
        raise UserError(f"run={folder}: holds no translator of images; name a run of src.train")
    content = files(folder)
    with tempfile.TemporaryDirectory() as copy:
        for name, each in content.items():
            (Path(copy) / name).write_bytes(each)
        if largest_difference(network, load_translator(Path(copy), average=True)) != 0:
            raise UserError(f"run={folder}: read back, its outputs differ; nothing was published")
        provenance = facts.gather(Path(copy), network, average=True, licence=config.licence)
        both = {"weights": "average over training, which is scored and translates; the last step's beside it"}
        provenance = replace(provenance, facts={**provenance.facts, **both})
    if not provenance.terms.known:
        raise UserError(
            "licence: the weights derive from frames whose licence the package does not know; say what may be done "
            """with them: 'licence="CC BY 4.0"'"""
        )
    panel = max((folder / IMAGES).glob("epoch_*.png"), default=None) if config.pictures else None
    if panel is not None:
        content[PANEL] = panel.read_bytes()
    page = hub_card(config.repo, list(content), PANEL if panel is not None else None, provenance)
    demand_nowhere(CARD, page, folder)
    return {**content, CARD: page.encode()}


def _written(content: Mapping[str, bytes], folder: Path) -> dict[str, object]:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"dry={folder}: is there already; name a folder that is not, or is empty")
    folder.mkdir(parents=True, exist_ok=True)
    for name, each in content.items():
        write(folder / name, each)
    return {"folder": str(folder), "files": sorted(content)}


def _uploaded(content: Mapping[str, bytes], config: schema.PublishConfig, address: str) -> dict[str, object]:
    hub.demand_client(f"repo={config.repo}")
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, get_token

    with hub.answered(f"repo={config.repo}"):
        if get_token() is None:
            raise UserError(f"repo={config.repo}: no token to write with; hf auth login, or set HF_TOKEN")
        api = HfApi()
        api.create_repo(config.repo, private=config.private or None, exist_ok=True)
        if config.revision != MAIN:
            api.create_branch(config.repo, branch=config.revision, exist_ok=True)
        there = api.model_info(config.repo, revision=config.revision)
        if config.private and not there.private:
            raise UserError(f"repo={config.repo}: is public, whatever private=true says; make it private there first")
        stale = {one.rfilename for one in there.siblings or []} & set(OURS) - set(content)
        made = api.create_commit(
            config.repo,
            [
                *(CommitOperationAdd(name, each) for name, each in content.items()),
                *(CommitOperationDelete(name) for name in sorted(stale)),
            ],
            commit_message=f"Publish {Path(config.run).resolve().name}",
            revision=config.revision,
            parent_commit=there.sha,
        )
    print(f"translate with: python -m src.translate run={address} input=... output=...", file=sys.stderr)
    return {"repo": config.repo, "commit": made.oid, "url": str(made.commit_url), "files": sorted(content)}
