"""Translate images with a trained run: PNGs of the same names and sizes.

python -m src.translate run=outputs/... input=frames/ output=out/
python -m src.translate run=outputs/... split=train output=set/      a labelled source set, with its class maps
"""

import sys
from pathlib import Path

import hydra
import torch
from hydra.errors import CompactHydraException
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from src import runs, schema
from src.accelerator import device
from src.data.images import SUFFIXES, find_images, read_image, write_image
from src.data.transforms import to_pixels, to_tensor
from src.errors import UserError
from src.networks.generator import STRIDE
from src.training_set import source_frames, write_set

CONF = str(Path(__file__).resolve().parent.parent / "conf")

schema.register()


@hydra.main(version_base="1.3", config_path=CONF, config_name="translate")
def main(config: schema.TranslateConfig) -> None:
    """Entry point; a user's mistake becomes one line and exit code 1."""
    try:
        print(chosen(config))
    except UserError as error:
        raise CompactHydraException(str(error)) from error


def chosen(config: schema.TranslateConfig) -> Path:
    """Translate what the configuration names, files or a labelled set; returns where the result lies."""
    return _translate_files(config) if config.split is None else _translate_set(config)


def _translate_files(config: schema.TranslateConfig) -> Path:
    if config.input is None:
        raise UserError("name what to translate: input=<image or folder>, or split=train for a labelled source set")
    jobs = plan(Path(config.input), Path(config.output))
    network = runs.load_translator(Path(config.run), average=config.average)
    translate(network, jobs, device(config.accelerator))
    return Path(config.output)


def _translate_set(config: schema.TranslateConfig) -> Path:
    if config.input is not None:
        raise UserError("input and split exclude each other: split translates a labelled source set")
    assert config.split is not None
    run = Path(config.run)
    data = runs.load_config(run).get("data") if config.data is None else config.data
    frames = source_frames(data, config.split)
    network = runs.load_translator(run, average=config.average)
    recipe = {"made_by": "translation", "weights_sha256": runs.weights_sha256(run), "average": config.average}
    where = device(config.accelerator)
    return write_set(frames, Path(config.output), recipe, lambda jobs: translate(network, jobs, where))


def plan(source: Path, output: Path) -> list[tuple[Path, Path]]:
    """Which file becomes which; below `output` the folders of `source` are kept.

    Raises UserError if there is nothing to do, if two images would become one file, or if a source would be lost.
    """
    if source.is_file():
        if source.suffix.lower() not in SUFFIXES:
            raise UserError(f"input={source}: not an image; {', '.join(SUFFIXES)} are read")
        files, base = [source], source.parent
    elif source.is_dir():
        files, base = find_images(source), source
    else:
        raise UserError(f"input={source}: no such file or folder; check the path")
    jobs = [(path, (output / path.relative_to(base)).with_suffix(".png")) for path in files]
    taken: dict[Path, Path] = {}
    for path, target in jobs:
        if target in taken:
            raise UserError(f"{taken[target]} and {path} would both become {target}; rename one")
        taken[target] = path
    sources = {path.resolve() for path in files}
    for path, target in jobs:
        if target.resolve() in sources:
            raise UserError(f"output={output}: {path} would be overwritten; name another folder")
    return jobs


def translate(network: nn.Module, jobs: list[tuple[Path, Path]], where: torch.device) -> None:
    """Translate whole frames, one after the other; memory grows with the largest frame."""
    network = network.to(where)
    for path, target in tqdm(jobs, desc="translating", unit="image", file=sys.stderr):
        pixels = to_pixels(translate_image(network, to_tensor(read_image(path)).to(where)))
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            write_image(target, pixels)
        except OSError as error:
            raise UserError(f"{target}: cannot be written ({error.strerror}); free or choose another place") from error


@torch.no_grad()
def translate_image(network: nn.Module, image_3HW: Tensor) -> Tensor:
    """G of an image of any size, [3, H, W] in [-1, 1]: its border is repeated up to a size G takes, then cut off."""
    height, width = image_3HW.shape[1:]
    right, bottom = _missing(width), _missing(height)
    padded = F.pad(image_3HW[None], (0, right, 0, bottom), mode="replicate")
    output: Tensor = network(padded)[0, :, :height, :width]
    return output


def _missing(length: int) -> int:
    return max(2 * STRIDE, -(-length // STRIDE) * STRIDE) - length


if __name__ == "__main__":
    main()
