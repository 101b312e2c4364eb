"""Which file becomes which: from what a user names as input and output to pairs of source and target."""

import glob
import os
from collections import Counter
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path

from src.data.images import SUFFIXES, announce_passed_over, demand_apart, list_images
from src.system.errors import UserError, one_of
from src.translation.frames import Job
from src.translation.video.names import VIDEOS, target_suffix

FORMATS = {"png": ".png", "jpeg": ".jpg", "webp": ".webp"}


def plan(source: str, output: Path, form: str = "png") -> list[Job]:
    """Which file becomes which; below `output` the folders of `source` are kept.

    Args:
        source: an image or a video; a folder, of which all images at any depth are taken; or a pattern of images and
            videos with *, ?, [...] or **, whose folders are kept from the first that holds such a sign.
        output: a folder.
        form: of the images: png, jpeg or webp.

    Returns the jobs, sorted by source; a line on stderr counts the files that are passed over.

    Raises UserError if there is nothing to do, if two files would become one, or if a source would be lost.
    """
    one_of("format", form, FORMATS)
    files, base, passed_over = _sources(source)
    if output.exists() and not output.is_dir():
        raise UserError(f"output={output}: is a file; name a folder")
    if output.suffix.lower() in (*SUFFIXES, *VIDEOS) and not output.exists():
        raise UserError(f"output={output}: is no name for a folder; name one, in which files keep their names")
    inside = output.resolve().is_relative_to(base.resolve())
    if inside and (Path(source).is_dir() or (_is_pattern(source) and "**" in source)):
        raise UserError(f"output={output}: lies inside input={source}, which it would add to; name a folder outside it")
    jobs = [(path, _target(output / path.relative_to(base), form)) for path in files]
    demand_apart(jobs)
    sources = {path.resolve() for path in files}
    for path, target in jobs:
        if target.resolve() in sources:
            raise UserError(f"output={output}: {path} would be overwritten; name another folder")
        if _is_pattern(source) and _matches(target, source):
            raise UserError(f"output={output}: {target} would be an input of input={source}; name another folder")
    announce_passed_over(passed_over, f"input={source}")
    return jobs


def is_video(path: Path) -> bool:
    """Whether a file is a video, by its name."""
    return path.suffix.lower() in VIDEOS


def _sources(source: str) -> tuple[list[Path], Path, Mapping[str, int]]:
    """The files, the folder whose structure is kept, and how many other files there are, by suffix."""
    path = Path(source)
    if path.is_file():
        if path.suffix.lower() not in (*SUFFIXES, *VIDEOS):
            raise UserError(
                f"input={path}: neither an image ({', '.join(SUFFIXES)}) nor a video ({', '.join(VIDEOS)}) by its name"
            )
        return [path], path.parent, {}
    if path.is_dir():
        listing = list_images(path)
        return listing.images, path, listing.passed_over
    if not _is_pattern(source):
        raise UserError(f"input={path}: no such file or folder; check the path")
    found = [Path(name) for name in glob.glob(source, recursive=True)]
    dead = [one for one in found if one.is_symlink() and not one.exists()]
    if dead:
        raise UserError(f"{min(dead)}: is a link that leads to no file; mend or remove it")
    there = {one for one in found if one.is_file()}
    files = sorted(one for one in there if one.suffix.lower() in (*SUFFIXES, *VIDEOS))
    if not files:
        raise UserError(f"input={source}: matches no image and no video; check the pattern, and quote it in the shell")
    parts = path.parts
    fixed = next(number for number, part in enumerate(parts) if glob.has_magic(part))
    return files, Path(*parts[:fixed]), Counter(one.suffix.lower() for one in there.difference(files))


def _is_pattern(source: str) -> bool:
    return glob.has_magic(source) and not Path(source).exists()


def _matches(target: Path, pattern: str) -> bool:
    """Whether a pattern without ** would find a file."""
    names, wanted = Path(os.path.abspath(target)).parts, Path(os.path.abspath(pattern)).parts
    return len(names) == len(wanted) and all(map(fnmatchcase, names, wanted))


def _target(path: Path, form: str) -> Path:
    return path.with_suffix(target_suffix(path) if is_video(path) else FORMATS[form])
