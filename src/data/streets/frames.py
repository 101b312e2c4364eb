"""The frames of the streets as files; as a program, `python -m src.data.streets.frames <folder>`, one that draws them.

Such a program reads a frame a line from stdin and answers with a line when its files stand. It imports neither torch
nor the command that started it, which each process of multiprocessing would import anew.
"""

import json
import os
import sys
from collections.abc import Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image

from src.data.streets.camera import CAMERA
from src.data.streets.classes import palette
from src.data.streets.game import GAME
from src.data.streets.look import Pixels
from src.data.streets.render import render

COMPRESSION = 3  # zlib level: 3 % larger than 6 and twice as fast; part of the bytes, so part of the version
UNFINISHED = ".part"
"""Suffix of a file that is being written."""

DOMAINS = {domain.name: domain for domain in (GAME, CAMERA)}
_PNG_END = b"IEND\xaeB`\x82"


class Frame(NamedTuple):
    """One frame: its domain, its number there, and the file name of each of its pictures by kind."""

    domain: str
    number: int
    names: dict[str, str]


def all_frames(game: int, city: Mapping[tuple[str, str], int]) -> Iterator[Frame]:
    """Every frame of a set.

    Args:
        game: how many the game has.
        city: how many the camera has, by split and city.
    """
    for index in range(game):
        name = f"{index + 1:05d}.png"
        yield Frame(GAME.name, index, {"rgb": f"{GAME.name}/images/{name}", "palette": f"{GAME.name}/labels/{name}"})
    index = 0
    for (split, place), count in city.items():
        for k in range(count):
            stem = f"{split}/{place}/{place}_{k:06d}_000019"
            names = {
                "rgb": f"{CAMERA.name}/leftImg8bit/{stem}_leftImg8bit.png",
                "ids": f"{CAMERA.name}/gtFine/{stem}_gtFine_labelIds.png",
                "colour": f"{CAMERA.name}/gtFine/{stem}_gtFine_color.png",
            }
            yield Frame(CAMERA.name, index, names)
            index += 1


def draw(folder: Path, frame: Frame) -> None:
    """Write the pictures of a frame below a folder, each whole or not at all."""
    rgb, labels = render(DOMAINS[frame.domain], frame.number)
    for kind, name in frame.names.items():
        _save(folder / name, kind, rgb, labels)


def is_drawn(folder: Path, frame: Frame) -> bool:
    """Whether all its pictures are there, to their ends: they are not forced onto the disk one by one."""
    return all(_whole(folder / name) for name in frame.names.values())


def _whole(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            file.seek(-len(_PNG_END), os.SEEK_END)
            return file.read() == _PNG_END
    except OSError:
        return False


def _save(path: Path, kind: str, rgb: Pixels, labels: Pixels) -> None:
    """Write one picture of a frame: its RGB, or its labels as palette, ids or colours."""
    if kind == "rgb":
        image = Image.fromarray(rgb)
    elif kind == "colour":
        image = Image.fromarray(np.array(palette(), np.uint8).reshape(256, 3)[labels])
    else:
        image = Image.fromarray(labels)
        if kind == "palette":
            image.putpalette(palette())  # turns grey into mode P
    content = BytesIO()
    image.save(content, "PNG", compress_level=COMPRESSION)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}{UNFINISHED}")
    temporary.write_bytes(content.getvalue())
    temporary.replace(path)


def _serve(folder: Path) -> None:
    """Draw what stdin asks for until it ends; a file that cannot be written is answered with what OSError takes."""
    cv2.setNumThreads(1)  # there is such a process on every core
    for line in sys.stdin:
        answer = None
        try:
            draw(folder, Frame(*json.loads(line)))
        except OSError as error:
            answer = [error.errno, error.strerror, str(error.filename)]
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))
