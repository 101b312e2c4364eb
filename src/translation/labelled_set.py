"""A labelled source set with other pixels: images made anew, class maps untouched, names and layout kept."""

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from os.path import commonpath
from pathlib import Path
from typing import Any, TypeVar

from omegaconf import DictConfig
from tqdm import tqdm

from src.data.domains import domains
from src.data.images import demand_apart, read_image
from src.data.labelled import MANIFEST, UNFINISHED, LabelledFrame, home, labels_of, usable_frames
from src.runs.folder import load_config
from src.system.errors import UserError, one_of
from src.system.files import sha256, write
from src.translation.frames import Job

T = TypeVar("T")


def source_frames(data: DictConfig | None, split: str, run: Path | None = None) -> list[LabelledFrame]:
    """The labelled source frames of a split; those that cannot be used are left out, with a line on stderr.

    Args:
        data: a node that names a set, see domains; None takes that of the run.
        split: train or val.
        run: folder of a trained run.

    Raises UserError if the split is none, or if the source has no class maps.
    """
    listed = domains(data, None if run is None else load_config(run).get("data"), run)
    parts = {"train": listed.x_train, "val": listed.x_val}
    one_of("split", split, parts)
    return usable_frames(labels_of(parts[split]))


def write_set(
    frames: Sequence[LabelledFrame],
    output: Path,
    recipe: Mapping[str, Any],
    make: Callable[[list[Job]], None] | None = None,
    said: Mapping[str, str] | None = None,
) -> Path:
    """Write the set, or what is missing or damaged of it; manifest.json stands there when all of it is.

    Args:
        frames: of the source set, all of one base.
        output: a folder that is empty, or one that an earlier call with the same recipe began.
        recipe: what the images are made by; a folder of another recipe is refused.
        make: turns each job's source into its PNG, whole or not at all; None links the source images as they are.
        said: more for the manifest, which a folder begun by an earlier call need not share.

    Returns the folder that names the set, as `train=` takes it.

    Raises UserError if the folder is foreign, or cannot be written.
    """
    if len({frame.base for frame in frames}) != 1:
        raise UserError(f"output={output}: the source's frames lie in several sets; translate one after the other")
    for part in ([frame.image for frame in frames], [frame.labels for frame in frames]):
        folder = Path(commonpath([path.resolve().parent for path in part]))
        if output.resolve().is_relative_to(folder):
            raise UserError(f"output={output}: lies inside the source, {folder}; name a folder outside it")
    images = {frame: output / _below(frame.image, frame, suffix=".png" if make else None) for frame in frames}
    demand_apart((frame.image, target) for frame, target in images.items())
    sources = {_below(frame.image, frame): sha256(frame.image) for frame in _bar(frames, "hashing the source")}
    identity = {"recipe": dict(recipe), "sources": sources}
    known = _open(output, identity)
    try:
        todo = [frame for frame in _bar(frames, "checking") if not _intact(frame, images[frame], known)]
        for frame in todo:
            images[frame].parent.mkdir(parents=True, exist_ok=True)
        if make is None:
            for frame in todo:
                _place(frame.image, images[frame])
        elif todo:
            make([(frame.image, images[frame]) for frame in todo])
        for frame in frames:
            for companion in frame.companions:
                target = output / _below(companion, frame)
                if not target.is_file() or sha256(target) != sha256(companion):
                    _place(companion, target)
        placed = {frame: [output / _below(one, frame) for one in frame.companions] for frame in frames}
        written = [path for frame in frames for path in (images[frame], *placed[frame])]
        files = {path.relative_to(output).as_posix(): sha256(path) for path in _bar(written, "hashing")}
        write(output / MANIFEST, (json.dumps({**identity, **(said or {}), "files": files}, indent=1) + "\n").encode())
        (output / UNFINISHED).unlink(missing_ok=True)
    except OSError as error:
        raise UserError(f"{output}: cannot be written ({error.strerror}); free or choose another place") from error
    return home([images[frame] for frame in frames])


def _open(output: Path, identity: Mapping[str, Any]) -> dict[str, str]:
    """Begin or continue a folder; the hashes of its files, if it was finished once."""
    content: dict[str, Any] = {}
    for name in (MANIFEST, UNFINISHED):
        if (output / name).is_file():
            try:
                content = json.loads((output / name).read_text())
            except (OSError, ValueError):
                content = {}
            if not isinstance(content, dict) or {k: content.get(k) for k in identity} != identity:
                raise UserError(f"output={output}: holds a set made otherwise or of other frames; name another folder")
            break
    else:
        if output.exists() and (not output.is_dir() or any(output.iterdir())):
            raise UserError(f"output={output}: exists and is no set of this package; name another folder")
        output.mkdir(parents=True, exist_ok=True)
    # until the manifest stands again, the set counts as unfinished
    write(output / UNFINISHED, json.dumps(identity).encode())
    (output / MANIFEST).unlink(missing_ok=True)
    files = content.get("files", {})
    return {str(output / name): str(value) for name, value in files.items()} if isinstance(files, dict) else {}


def _intact(frame: LabelledFrame, target: Path, known: Mapping[str, str]) -> bool:
    if not target.is_file():
        return False
    if str(target) in known:
        return sha256(target) == known[str(target)]
    try:
        return read_image(target).shape == read_image(frame.image).shape
    except UserError:
        return False


def _below(path: Path, frame: LabelledFrame, *, suffix: str | None = None) -> str:
    relative = path.relative_to(frame.base)
    return (relative.with_suffix(suffix) if suffix else relative).as_posix()


def _place(source: Path, target: Path) -> None:
    """The same bytes in another place: a second name of the file where the disk allows it, else a copy."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.part")
    temporary.unlink(missing_ok=True)
    try:
        try:
            os.link(source.resolve(), temporary)
        except OSError:
            shutil.copyfile(source, temporary)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _bar(things: Sequence[T], what: str) -> Iterable[T]:
    return tqdm(things, desc=what, unit="file", file=sys.stderr, leave=False)
