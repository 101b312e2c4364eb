"""Runs and weights on the Hugging Face Hub, named `hf://user/name[@revision][/file.safetensors]`.

What is asked for is kept in the Hub client's own cache, and read as any stranger's folder is. Weights in safetensors,
configuration and scores are asked for, whatever else lies there.
"""

import functools
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from src.runs.folder import CONFIG, METRICS, WEIGHTS
from src.system import packages
from src.system.errors import DISK, UserError
from src.system.ranks import say

PREFIX = "hf://"
OF_A_RUN = (CONFIG, WEIGHTS, METRICS)
_NAME = r"[A-Za-z0-9_][\w.-]*"
_ADDRESS = re.compile(
    rf"{PREFIX}(?P<repo>{_NAME}/{_NAME})(@(?P<revision>{_NAME}|refs/pr/\d+))?(/(?P<file>({_NAME}/)*{_NAME}))?", re.ASCII
)


class Address(NamedTuple):
    """A place on the Hub: the repository, what to take of its history (None: of main), a file (None: a run)."""

    repo: str
    revision: str | None
    file: str | None


def is_address(named: str) -> bool:
    """Whether a command names a place on the Hub, and no path."""
    return named.startswith(PREFIX)


def is_well_formed(named: str) -> bool:
    """Whether `address` reads it."""
    return _ADDRESS.fullmatch(named) is not None


def address(named: str) -> Address:
    """Its parts; raises UserError for what is none, or a file other than safetensors."""
    found = _ADDRESS.fullmatch(named)
    if found is None:
        raise UserError(f"{named}: no address on the Hub; {PREFIX}user/name, {PREFIX}user/name@revision are some")
    parts = Address(found["repo"], found["revision"], found["file"])
    if parts.file is not None and not parts.file.endswith(".safetensors"):
        raise UserError(f"{named}: weights come from the Hub as safetensors alone; name such a file, or none")
    return parts


def folder_of(run: str) -> Path:
    """The folder of the run that a command names; of one on the Hub the copy here, fetched if need be.

    Raises UserError if the Hub has no such run, or cannot be asked and the cache has none.
    """
    if not is_address(run):
        return Path(run)
    if address(run).file is not None:
        raise UserError(f"{run}: is a file, no run; name it by weights=, or the run without it")
    folder = _snapshot(run)
    for name in (CONFIG, WEIGHTS):
        if not (folder / name).is_file():
            raise UserError(f"{run}: holds no run, {name} is missing; weights alone are named by weights={run}/<file>")
    return folder


def path_of(weights: str) -> Path:
    """The file of weights that a command names, likewise; the folder where the Hub's address names a run."""
    if not is_address(weights):
        return Path(weights)
    folder, place = _snapshot(weights), address(weights)
    file = place.file or WEIGHTS
    if not (folder / file).is_file():
        raise UserError(f"{weights}: {file} is not there; name another: {PREFIX}{place.repo}/<file>.safetensors")
    of_run = place.file is None and (folder / CONFIG).is_file()
    return folder if of_run else folder / file


def pinned(named: str | None) -> str | None:
    """An address with its commit instead of its revision, to be kept beside what is made of it; None for a path."""
    if named is None or not is_address(named):
        return None
    place = address(named)
    file = "" if place.file is None else f"/{place.file}"
    return f"{PREFIX}{place.repo}@{_snapshot(named).name}{file}"


def demand_local(run: str, why: str) -> None:
    """Raise UserError for a run on the Hub where a command writes into the run's folder."""
    if is_address(run):
        repo = address(run).repo
        raise UserError(f"run={run}: {why}; hf download {repo} --local-dir <folder>, and name that")


@contextmanager
def answered(what: str) -> Iterator[None]:
    """Turn what the Hub, its client or the network refuses into one line that begins with `what`; not a full disk."""
    from httpx2 import HTTPError
    from huggingface_hub import errors, is_offline_mode

    try:
        yield
    except UserError:
        raise
    except errors.GatedRepoError as error:
        raise UserError(f"{what}: asks to accept its terms; do so on its page, then log in (hf auth login)") from error
    except errors.RepositoryNotFoundError as error:
        raise UserError(f"{what}: no such repository, or a private one; check the name, or hf auth login") from error
    except errors.RevisionNotFoundError as error:
        raise UserError(f"{what}: no such branch, tag or commit; check what stands behind @") from error
    except (errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled) as error:
        why = "HF_HUB_OFFLINE is set" if is_offline_mode() else "the Hub cannot be reached"
        raise UserError(f"{what}: {why}, and the cache does not hold it; go online") from error
    except errors.HFValidationError as error:
        raise UserError(f"{what}: no name that the Hub takes ({str(error).splitlines()[0]}); check it") from error
    except errors.HfHubHTTPError as error:
        raise UserError(f"{what}: {_refusal(error.response.status_code)}") from error
    except HTTPError as error:
        raise UserError(f"{what}: the Hub cannot be reached ({type(error).__name__}); check the network") from error
    except (OSError, RuntimeError, ValueError) as error:  # of the storage behind it, each client in its own kinds
        if isinstance(error, OSError) and error.errno in DISK:
            raise
        said = " ".join(str(error.__cause__ or error).split())
        raise UserError(f"{what}: broke off ({said[:200]}); try again") from error


def demand_client(what: str) -> None:
    """Raise UserError if the Hub's client is not installed; else keep each of its requests out of the command's log."""
    packages.demand(what, "huggingface_hub", extra="hub")
    logging.getLogger("httpx2").setLevel(logging.WARNING)


def _refusal(status: int) -> str:
    if status == 401:
        return "the Hub refuses the token (401); hf auth login, or set HF_TOKEN"
    if status == 403:
        return "the token may not do this (403); log in with one that may: hf auth login, or HF_TOKEN"
    return f"the Hub answers with an error ({status}); try again later"


@functools.cache
def _snapshot(named: str) -> Path:
    """The folder of a commit in the client's cache; a process asks once, so all of it sees one commit."""
    demand_client(named)
    from huggingface_hub import snapshot_download

    place = address(named)
    files = OF_A_RUN if place.file is None else (place.file,)
    with answered(named):
        folder = Path(snapshot_download(place.repo, revision=place.revision, allow_patterns=list(files)))
    say(f"{named}: commit {folder.name}")
    return folder
