"""Where does a translator look? Source, output, score map and chosen places of each tap, and how they spread.

python -m src.explain run=outputs/<run> input=frames/ output=maps/
python -m src.explain run=outputs/sweeps/<sweep> input=frame.png output=maps/     its attentions side by side
python -m src.explain weights=checkpoints/streets_cut.safetensors input=frame.png output=maps/      the output alone
"""

from src.config.command import answer_early, entry

if __name__ == "__main__":
    answer_early("explain")  # before the imports below, which take seconds

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from src.config import schema
from src.data.images import read_image, write_image
from src.data.sixteen_bits import WHITE
from src.data.transforms import Transforms, to_tensor
from src.runs.folder import CONFIG, load_config
from src.system.device import device
from src.system.errors import UserError
from src.tables.pictures import trained
from src.tables.pictures.score_maps import Explained, explanation
from src.tables.table.collect import collect
from src.tables.table.rows import pooled
from src.translation.any_size import translate_images
from src.translation.jobs import is_video, plan
from src.translation.manifest import MANIFEST
from src.translation.weights import load

Shown = Callable[[Tensor, int], list[Explained]]
"""From a frame [3, H, W] in [-1, 1], and its number among those that are explained."""

schema.register()


@entry("explain")
def main(config: schema.ExplainConfig) -> None:
    """Entry point; a user's mistake becomes one line and exit code 1."""
    print(explain(config))


def explain(config: schema.ExplainConfig) -> Path:
    """Write a picture for each image; returns the folder they lie in."""
    (folder, file, _), output = load.source(config.run, config.weights), Path(config.output)
    where = device(config.accelerator)
    if (output / MANIFEST).exists():
        raise UserError(f"output={output}: holds translations, whose names pictures would take; name another folder")
    jobs = plan(config.input, output)
    if film := next((path for path, _ in jobs if is_video(path)), None):
        raise UserError(f"input={film}: is a video; name images")
    for path, target in jobs:
        if target.exists() and target.parent.resolve() == path.parent.resolve():
            raise UserError(f"output={output}: {target} is there already, beside {path}; name another folder")
    if folder is None:
        transforms, white = _sized(str(config.weights)), WHITE
        shown = _of_file(file, where, average=config.average)
    else:
        runs = [trained.load(label, path, where, average=config.average) for label, path in _chosen(folder).items()]
        transforms, white = _one_size(runs), runs[0].white
        shown = _of_runs(runs, where)
    for number, (path, target) in enumerate(tqdm(jobs, desc="explaining", unit="image", file=sys.stderr)):
        pixels = read_image(path, white)
        frame = to_tensor(pixels) if transforms is None else transforms.validation(pixels)
        picture = explanation(path.name, frame, shown(frame, number))
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


def _of_runs(runs: Sequence[trained.Trained], where: torch.device) -> Shown:
    return lambda frame, number: [trained.explained(run, frame, number, where) for run in runs]


def _of_file(file: Path, where: torch.device, *, average: bool) -> Shown:
    """A translator without a method; a line on stderr says what is not shown."""
    if not average:
        raise UserError(f"average=false: {file} holds one set of weights; leave average out")
    network = load.generator(file).eval().to(where)
    print(
        f"{file}: holds no attention, which is part of a run alone; its output is shown without maps", file=sys.stderr
    )

    @torch.no_grad()
    def shown(frame: Tensor, number: int) -> list[Explained]:
        return [Explained(file.stem, translate_images(network, frame[None].to(where))[0], {}, {})]

    return shown


def _sized(address: str) -> Transforms | None:
    """How a file's translator sees frames; None where that is not known, and they are seen at their own size."""
    height = load.training_height(None, address)
    return None if height is None else Transforms(size=height, aspect=1.0, fit="cover", load_scale=1.0, flip=False)


def _one_size(runs: Sequence[trained.Trained]) -> Transforms:
    """How frames are brought to size; raises UserError if the runs see them differently."""
    first = runs[0]
    for other in runs[1:]:
        if other.transforms.sizing != first.transforms.sizing:
            sizes = " and ".join(f"{one.transforms.height} pixels ({one.label})" for one in (first, other))
            raise UserError(f"run: its runs see frames of different sizes, {sizes}; explain them one by one")
        if other.white != first.white:
            raise UserError(f"run: its runs have data.white={first.white} and {other.white}; explain them one by one")
    return first.transforms


if __name__ == "__main__":
    main()
