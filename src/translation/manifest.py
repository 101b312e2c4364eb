"""What a folder of translations holds, and by which weights each file was made: so that a second call skips rightly."""

import json
import os
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tqdm import tqdm

from src.system.errors import UserError
from src.system.files import sha256
from src.translation.frames import Job

MANIFEST = ".translate.jsonl"


class Manifest:
    """The manifest of an output folder: a line whenever a file is made.

    A file's line is written before the file, with the hash of what the file is going to hold. So, whenever this is
    killed, a file without its line is not ours, and one with a line is, if the hash fits.

    Args:
        output: the folder; it need not exist.
        made_by: what decides the pixels beside the source: the weights' hash, and which of them.

    Raises UserError if the manifest cannot be read.
    """

    def __init__(self, output: Path, made_by: Mapping[str, Any]) -> None:
        self.output = output
        self.made_by = dict(made_by)
        self.lines, self._torn = _read(output / MANIFEST)
        self._one_at_a_time = threading.Lock()
        self._sources: dict[Path, str] = {}

    def todo(self, jobs: list[Job], *, overwrite: bool) -> list[Job]:
        """The jobs whose file is missing, or was made of another source.

        Args:
            jobs: all of them.
            overwrite: replace, too, what other weights or somebody else made; else that is refused.

        Raises UserError for that, and if a source cannot be read.
        """
        others = [name for name, lines in self.lines.items() if lines[-1]["made_by"] != self.made_by]
        others = [name for name in others if (self.output / name).is_file()]
        if others and not overwrite:
            raise UserError(
                f"output={self.output}: {min(others)} was made by other weights, or at another size; "
                "name another folder, or overwrite=true"
            )
        there = [job for job in jobs if job[1].exists() or job[1].is_symlink()]
        done: set[Job] = set()
        foreign: list[Path] = []
        for source, target in tqdm(there, desc="checking", unit="file", file=sys.stderr, leave=False, delay=1):
            now = sha256(target) if target.is_file() else None
            line = next(
                (line for line in reversed(self.lines.get(self._name(target), [])) if line["sha256"] == now), None
            )
            if line is None:
                foreign.append(target)
            elif line["made_by"] == self.made_by and line["source_sha256"] == _sha256(source):
                done.add((source, target))
        if foreign and not overwrite:
            others_too = f" (and {len(foreign) - 1} more)" if len(foreign) > 1 else ""
            raise UserError(
                f"output={self.output}: {foreign[0]}{others_too} is there and is not as this command made it; "
                "name another folder, or overwrite=true"
            )
        return [job for job in jobs if job not in done]

    def look(self, source: Path) -> None:
        """To be called before a source is read: should it change meanwhile, its file is not that of the new content.

        Raises UserError if it cannot be read.
        """
        self._sources[source] = _sha256(source)

    def note(self, source: Path, target: Path, sha: str, **more: Any) -> None:
        """Write a file's line, before the file; from any thread.

        Args:
            source: it was made of, as it was when it was looked at.
            target: below the output folder.
            sha: of what it is going to hold.
            more: to remember of it.
        """
        name = self._name(target)
        seen = self._sources.pop(source, None) or _sha256(source)
        line = {"made_by": self.made_by, "source_sha256": seen, "sha256": sha, **more}
        with self._one_at_a_time:
            self.lines.setdefault(name, []).append(line)
            self.output.mkdir(parents=True, exist_ok=True)
            content = (json.dumps({"file": name, **line}) + "\n").encode()
            with (self.output / MANIFEST).open("ab", buffering=0) as file:
                if self._torn is not None:
                    file.truncate(self._torn)
                    self._torn = None
                end = file.seek(0, os.SEEK_END)
                try:
                    while content:
                        content = content[file.write(content) :]
                except OSError:
                    file.truncate(end)
                    raise

    def of(self, target: Path) -> Mapping[str, Any]:
        """The last line of a file that was made."""
        return self.lines[self._name(target)][-1]

    def _name(self, target: Path) -> str:
        return target.relative_to(self.output).as_posix()


def _sha256(source: Path) -> str:
    try:
        return sha256(source)
    except OSError as error:
        raise UserError(f"{source}: cannot be read ({error.strerror}); was the folder changed meanwhile?") from error


def _read(path: Path) -> tuple[dict[str, list[dict[str, Any]]], int | None]:
    """Lines by file; and where the last one begins if it was torn, so that its file was never written."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return {}, None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); name another folder") from error
    whole = content.rfind(b"\n") + 1
    found: dict[str, list[dict[str, Any]]] = {}
    for number, line in enumerate(content[:whole].splitlines(), start=1):
        try:
            entry = json.loads(line)
            if {"made_by", "source_sha256", "sha256"} - entry.keys():
                raise KeyError
            found.setdefault(str(entry.pop("file")), []).append(entry)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(f"{path}: line {number} is no file's; name another folder") from error
    return found, whole if whole < len(content) else None
