"""Starting and finishing a W&B run, so that nothing W&B does or fails to do ends a training."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from src.system import packages

if TYPE_CHECKING:
    from wandb import Run

MODES = ("online", "offline", "disabled")
INIT_SECONDS, FINISH_SECONDS = 30.0, 120.0  # how long a job waits for the server, at its start and at its end


def package() -> ModuleType:
    """The package wandb; raises UserError where it is not installed."""
    packages.demand("logger=wandb", "wandb", extra="wandb", further=", or take logger=default")
    import wandb

    return wandb


def start(folder: Path, mode: str, **options: Any) -> "Run":
    """A W&B run with its files in `folder`/wandb; one that fails online is recorded offline, else not at all.

    Args:
        folder: exists, or is made.
        mode: of `MODES`.
        options: of wandb.init.
    """
    wandb = package()
    folder.mkdir(parents=True, exist_ok=True)
    settings = wandb.Settings(
        console="off",  # stdout is data and stderr a progress bar
        disable_git=True,  # the protocol names the commit; a remote's address may hold a password
        silent=True,  # one line of ours instead
        init_timeout=INIT_SECONDS,
        finish_timeout=FINISH_SECONDS,
        finish_timeout_raises=True,
        reinit="finish_previous",
    )
    refused = ""
    run: Run
    for attempt in MODES[MODES.index(mode) :]:
        try:
            run = wandb.init(mode=attempt, dir=str(folder), settings=settings, **options)
            break
        except Exception as error:  # whatever it is, it must not cost the training
            refused = f"{in_one_line(error)}; "
            wandb.teardown()  # its service would hold the id of the run that did not start
    if attempt == "online":
        say(f"{run.url}")
    elif attempt == "offline":
        say(f"{refused}recorded offline; send it with: wandb sync {run.sync_dir}")
    elif refused:
        say(f"{refused}training goes on without it")
    return run


@contextmanager
def finished() -> Iterator[None]:
    """Finishes the W&B run of the job inside, if it started one: exit code 0, or 1 for whatever it raised."""
    code = 1
    try:
        yield
        code = 0
    finally:
        wandb = sys.modules.get("wandb")
        if wandb is not None and wandb.run is not None:
            finish(wandb.run, code)


def finish(run: "Run", code: int) -> None:
    """Close a run and wait, not for ever, until its data are sent."""
    folder = run.sync_dir
    try:
        run.finish(exit_code=code)
    except Exception as error:
        say(f"{in_one_line(error)}; send what is missing with: wandb sync {folder}")


def in_one_line(error: Exception) -> str:
    """What went wrong."""
    return " ".join(str(error).split()) or type(error).__name__


def say(line: str) -> None:
    """To stderr, above a progress bar and not into it."""
    tqdm.write(f"W&B: {line}", file=sys.stderr)
