"""Where does a translator look? Source, output, score map and chosen places of each tap, and how they spread.

python -m src.explain run=outputs/<run> input=frames/ output=out/
python -m src.explain run=outputs/sweeps/<sweep> input=frame.png output=out/      its attentions side by side
python -m src.explain weights=checkpoints/streets_cut.safetensors input=frame.png output=out/      the output alone
"""

from src.config.command import answer_early, entry

if __name__ == "__main__":
    answer_early("explain")  # before the imports below, which take seconds

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from src.config import schema
from src.data.images import read_image, write_image
from src.data.sixteen_bits import WHITE, white_of
from src.data.transforms import Transforms, to_tensor, transforms_of
from src.data.unpaired import sample_key
from src.methods.base import Method
from src.runs import logs
from src.runs.folder import CONFIG, load_config
from src.runs.weights import load_method, load_translator
from src.system.device import device
from src.system.errors import UserError
from src.tables.pictures.score_maps import Explained, explanation
from src.tables.table.collect import collect
from src.tables.table.rows import pooled
from src.translation.any_size import translate_images
from src.translation.jobs import is_video, plan
from src.translation.weights import load

SPREAD = {"coverage": "cells of 8x8 with a place", "reached": "places ever chosen"}
"""What is drawn of the log, `places/<tap>_<name>`: the share of an 8x8 partition's cells, and of the map's places."""

schema.register()


@dataclass(frozen=True)
class Trained:
    """A finished run, or a file of weights.

    Attributes:
        label: for people.
        method: with the weights and the attention of the last step; None of a file, which holds a translator alone.
        network: whose output is shown.
        transforms: how it sees frames; None where that is not known, and they are seen at their own size.
        white: of the 16-bit files it was trained on.
        seed: of the run; the places of random scores follow from it.
        log: of its training.
    """

    label: str
    method: Method[Any] | None
    network: nn.Module
    transforms: Transforms | None
    white: int
    seed: int
    log: logs.Log


@entry("explain")
def main(config: schema.ExplainConfig) -> None:
    """Entry point; a user's mistake becomes one line and exit code 1."""
    print(explain(config))


def explain(config: schema.ExplainConfig) -> Path:
    """Write a picture for each image; returns the folder they lie in."""
    (folder, file, _), output = load.source(config.run, config.weights), Path(config.output)
    where = device(config.accelerator)
    jobs = plan(config.input, output)
    if film := next((path for path, _ in jobs if is_video(path)), None):
        raise UserError(f"input={film}: is a video; name images")
    if folder is None:
        trained = [_of_file(file, str(config.weights), where, average=config.average)]
    else:
        trained = [_load(label, path, where, average=config.average) for label, path in _chosen(folder).items()]
    transforms, white = _one_size(trained), trained[0].white
    for number, (path, target) in enumerate(tqdm(jobs, desc="explaining", unit="image", file=sys.stderr)):
        pixels = read_image(path, white)
        frame = to_tensor(pixels) if transforms is None else transforms.validation(pixels)
        picture = explanation(path.name, frame, [_explain(run, frame, number, where) for run in trained])
        target.parent.mkdir(parents=True, exist_ok=True)
        write_image(target, picture)
    return output


def _chosen(folder: Path) -> dict[str, Path]:
    """Run folders by label: the one that was named, or of each row of a sweep the run of the lowest seed."""
    if (folder / CONFIG).is_file():
        return {str(load_config(folder).get("variant", folder.name)): folder}
    collection = collect([folder])
    if not collection.finished:
        raise UserError(f"run={folder}: none of its runs has finished; continue one with resume=")
    if collection.unfinished:
        print(f"left out, as they have not finished: {', '.join(collection.unfinished)}", file=sys.stderr)
    chosen = {}
    for row in pooled(collection.finished):
        seed, run = next(iter(row.runs.items()))
        chosen[row.label if len(row.runs) == 1 else f"{row.label}, seed {seed}"] = run.folder
    return chosen


def _load(label: str, folder: Path, where: torch.device, *, average: bool) -> Trained:
    config = load_config(folder)
    seed = config.get("seed")
    if not isinstance(seed, int):
        raise UserError(f"{folder / CONFIG}: names no seed, which random places follow from; name another run")
    network = load_translator(folder, average=average).to(where)
    return Trained(
        label=label,
        method=load_method(folder).to(where),
        network=network,
        transforms=transforms_of(config.get("data")),
        white=white_of(config.get("data")),
        seed=seed,
        log=logs.read(folder),
    )


def _of_file(file: Path, address: str, where: torch.device, *, average: bool) -> Trained:
    """A translator without a method; a line on stderr says what is not shown."""
    network = load.generator(file)
    if not average:
        raise UserError(f"average=false: {file} holds one set of weights; leave average out")
    height = load.training_height(None, address)
    sized = None if height is None else Transforms(size=height, aspect=1.0, fit="cover", load_scale=1.0, flip=False)
    print(
        f"{file}: holds no attention, which is part of a run alone; its output is shown without maps", file=sys.stderr
    )
    return Trained(file.stem, None, network.eval().to(where), sized, WHITE, 0, {})


@torch.no_grad()
def _explain(run: Trained, frame: Tensor, number: int, where: torch.device) -> Explained:
    x = frame[None].to(where)
    if run.method is None:
        return Explained(run.label, translate_images(run.network, x)[0], {}, {})
    key = torch.tensor([sample_key(run.seed, 0, number)], device=where)
    maps = run.method.score_maps(x, key, 1.0)
    spread = {
        heading: {tap: run.log[name] for tap in maps if (name := f"places/{tap}_{quantity}") in run.log}
        for quantity, heading in SPREAD.items()
    }
    return Explained(run.label, run.network(x)[0], maps, {heading: taps for heading, taps in spread.items() if taps})


def _one_size(trained: Sequence[Trained]) -> Transforms | None:
    """How frames are brought to size; raises UserError if the runs see them differently."""
    first = trained[0]
    for other in trained[1:]:
        assert first.transforms is not None  # a file is explained alone
        assert other.transforms is not None
        if other.transforms.sizing != first.transforms.sizing:
            heights = (first.transforms.height, first.label), (other.transforms.height, other.label)
            sizes = " and ".join(f"{height} pixels ({label})" for height, label in heights)
            raise UserError(f"run: its runs see frames of different sizes, {sizes}; explain them one by one")
        if other.white != first.white:
            raise UserError(f"run: its runs have data.white={first.white} and {other.white}; explain them one by one")
    return first.transforms


if __name__ == "__main__":
    main()
