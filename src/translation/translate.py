"""What src.translate does: files and videos as they come, or a labelled set with its class maps."""

import hashlib
import json
import sys
from functools import partial
from pathlib import Path
from typing import Any

from torch import nn

from src.config import schema
from src.data.images import Pixels, read_image
from src.data.sixteen_bits import WHITE, demand_white, white_of
from src.runs.folder import load_config
from src.system.device import device
from src.system.errors import UserError
from src.system.files import sha256
from src.translation.frames import Job, translate
from src.translation.jobs import is_video, plan
from src.translation.labelled_set import source_frames, write_set
from src.translation.manifest import Manifest
from src.translation.scale import Scale
from src.translation.video.translation import translate_video
from src.translation.weights import load


def translate_inputs(config: schema.TranslateConfig) -> Path:
    """Translate what the configuration names, files or a labelled set; returns where the result lies."""
    if not 0 < config.memory_limit < float("inf"):
        raise UserError(f"memory_limit must be > 0 GiB, got {config.memory_limit}")
    return _translate_files(config) if config.split is None else _translate_set(config)


def translator(config: schema.TranslateConfig) -> tuple[nn.Module, dict[str, Any]]:
    """G, in evaluation mode on the CPU, and what its output is made by: kept beside it, and compared when it is there.

    Raises UserError if not exactly one of run and weights is named, or it holds no translator.
    """
    network = load.translator(config.run, config.weights, average=config.average, accelerator=config.accelerator)
    made_by = {"weights_sha256": sha256(load.source(config.run, config.weights).file), "average": config.average}
    white = _white(config)
    if white != WHITE:
        made_by |= {"white": white}
    return network, made_by if config.size is None else {**made_by, "size": config.size}


def _white(config: schema.TranslateConfig) -> int:
    if config.white is not None:
        return demand_white(config.white, "white")
    run = load.source(config.run, config.weights).run
    return WHITE if run is None else white_of(load_config(run).get("data"))


def _translate_files(config: schema.TranslateConfig) -> Path:
    if config.input is None:
        raise UserError(
            "name what to translate: input=<image, video, folder or pattern>, or split=train for a labelled source set"
        )
    output = Path(config.output)
    jobs = plan(config.input, output, config.format)
    scale = Scale(load.training_height(config.run, config.weights), config.size)
    white = _white(config)
    network, made_by = translator(config)
    made = Manifest(output, made_by)
    todo = made.todo(jobs, overwrite=config.overwrite)
    if len(todo) < len(jobs):
        print(f"{len(jobs) - len(todo)} of {len(jobs)} are there already, made by the same weights", file=sys.stderr)
    where = device(config.accelerator)

    said = _came_from(config)

    def read(path: Path) -> Pixels:
        made.look(path)
        return read_image(path, white=white)

    def note(source: Path, target: Path, content: bytes) -> None:
        made.note(source, target, hashlib.sha256(content).hexdigest(), **said)

    images = [job for job in todo if not is_video(job[0])]
    if images:
        translate(network, images, where, config.memory_limit, note, read, scale)
    for source, target in todo:
        if is_video(source):
            made.look(source)
            translate_video(network, (source, target), where, config.memory_limit, partial(made.note, **said), scale)
    for _, target in jobs:
        if is_video(target):
            print(json.dumps({"video": str(target), **made.of(target).get("video", {})}))
    return output


def _translate_set(config: schema.TranslateConfig) -> Path:
    if config.input is not None:
        raise UserError("input and split exclude each other: split translates a labelled source set")
    assert config.split is not None
    if config.format != "png" or config.overwrite:
        raise UserError("format and overwrite are for input=; a labelled set is PNGs, and only its own are replaced")
    source = load.source(config.run, config.weights)
    if config.data is None and source.run is None:
        raise UserError("split with weights=: the file names no data set; give data=<one of conf/data>")
    where = device(config.accelerator)
    if source.hub is not None and "layout" not in (config.data or {}):
        raise UserError(
            "split with a run of the Hub: places that it names are not looked at; give data=<one of conf/data>"
        )
    frames = source_frames(config.data, config.split, source.run)
    scale = Scale(load.training_height(config.run, config.weights), config.size)
    read = partial(read_image, white=_white(config))
    network, made_by = translator(config)
    recipe = {"made_by": "translation", **made_by}

    def make(jobs: list[Job]) -> None:
        translate(network, jobs, where, config.memory_limit, read=read, scale=scale)

    return write_set(frames, Path(config.output), recipe, make, _came_from(config))


def _came_from(config: schema.TranslateConfig) -> dict[str, Any]:
    """What is kept beside a translation of the weights' address; equal weights of another are equal all the same."""
    address = load.source(config.run, config.weights).hub
    return {} if address is None else {"hub": address}
