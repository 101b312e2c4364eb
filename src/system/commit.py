"""Which state of this package's source is at work."""

import subprocess
from pathlib import Path


def git_commit() -> str:
    """Commit of this package's source, "-dirty" if tracked files differ from it; "unknown" outside a checkout."""
    source = Path(__file__).resolve().parent.parent

    def git(*arguments: str) -> str:
        done = subprocess.run(["git", "-C", str(source), *arguments], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    try:
        dirty = git("status", "--porcelain", "--untracked-files=no")
        return git("rev-parse", "--short=12", "HEAD") + ("-dirty" if dirty else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
