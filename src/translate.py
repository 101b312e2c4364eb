"""Translate images with a trained run, or a file of weights: PNGs of the same names and sizes.

python -m src.translate run=outputs/... input=frames/ output=out/
python -m src.translate weights=translator.onnx input=frames/ output=out/
python -m src.translate run=outputs/... split=train output=set/      a labelled source set, with its class maps
"""

from src.help import answer_help

if __name__ == "__main__":
    answer_help("translate")  # before the imports below, which take seconds

import sys
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from src import runs, schema
from src.accelerator import device
from src.command import entry
from src.data.images import SUFFIXES, Pixels, find_images, read_image, write_image
from src.data.transforms import to_pixels
from src.errors import UserError
from src.networks.generator import STRIDE, Generator
from src.networks.strips import strips_pay, translate_in_strips, whole_bytes, working_bytes
from src.training_set import source_frames, write_set
from src.weights import load

THREADS = 4
"""Readers, and as many writers."""
AHEAD = 16
"""Frames that wait to be computed, and that wait to be written."""
BATCH = 8
"""Frames of one size that are computed together, if they fit."""
MEMORY_LIMIT = 4.0
"""GiB; a frame of 1914x1052 at width 64 takes 1.6 on a CPU."""

schema.register()


@entry("translate")
def main(config: schema.TranslateConfig) -> None:
    """Entry point; a user's mistake becomes one line and exit code 1."""
    print(chosen(config))


def chosen(config: schema.TranslateConfig) -> Path:
    """Translate what the configuration names, files or a labelled set; returns where the result lies."""
    if not 0 < config.memory_limit < float("inf"):
        raise UserError(f"memory_limit must be > 0 GiB, got {config.memory_limit}")
    return _translate_files(config) if config.split is None else _translate_set(config)


def _translate_files(config: schema.TranslateConfig) -> Path:
    if config.input is None:
        raise UserError("name what to translate: input=<image or folder>, or split=train for a labelled source set")
    jobs = plan(Path(config.input), Path(config.output))
    translate(_network(config), jobs, device(config.accelerator), config.memory_limit)
    return Path(config.output)


def _translate_set(config: schema.TranslateConfig) -> Path:
    if config.input is not None:
        raise UserError("input and split exclude each other: split translates a labelled source set")
    assert config.split is not None
    weights = load.source(config.run, config.weights)
    if config.data is None and config.run is None:
        raise UserError("split with weights=: the file names no data set; give data=<one of conf/data>")
    data = runs.load_config(weights.parent).get("data") if config.data is None else config.data
    frames = source_frames(data, config.split)
    network = _network(config)
    recipe = {"made_by": "translation", "weights_sha256": runs.sha256(weights), "average": config.average}
    where = device(config.accelerator)
    return write_set(
        frames, Path(config.output), recipe, lambda jobs: translate(network, jobs, where, config.memory_limit)
    )


def _network(config: schema.TranslateConfig) -> nn.Module:
    return load.translator(config.run, config.weights, average=config.average, accelerator=config.accelerator)


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
    if source.is_dir() and output.resolve().is_relative_to(source.resolve()):
        raise UserError(f"output={output}: lies inside input={source}, which it would add to; name a folder outside it")
    jobs = [(path, (output / path.relative_to(base)).with_suffix(".png")) for path in files]
    taken: dict[Path, Path] = {}
    for path, target in jobs:
        if target in taken:
            raise UserError(f"{taken[target]} and {path} would both become {target}; rename one")
        taken[target] = path
    if output.exists() and not output.is_dir():
        raise UserError(f"output={output}: is a file; name a folder")
    sources = {path.resolve() for path in files}
    for path, target in jobs:
        if target.resolve() in sources:
            raise UserError(f"output={output}: {path} would be overwritten; name another folder")
    return jobs


def translate(
    network: nn.Module, jobs: list[tuple[Path, Path]], where: torch.device, memory_limit: float = MEMORY_LIMIT
) -> None:
    """Translate whole frames; reading, computing and writing overlap, and frames of one size share a batch.

    Args:
        network: G, in evaluation mode.
        jobs: which file becomes which.
        where: the device.
        memory_limit: GiB, see translate_images.

    Raises UserError for a file that cannot be read or written, or a frame beyond the limit.
    """
    network = network.to(where)
    bar = tqdm(total=len(jobs), desc="translating", unit="image", file=sys.stderr)
    written: deque[Future[None]] = deque()
    with ThreadPoolExecutor(THREADS) as readers, ThreadPoolExecutor(THREADS) as writers, bar:
        try:
            for targets, frames in _equal_sizes(_read_ahead(readers, jobs)):
                images = torch.stack([torch.from_numpy(frame) for frame in frames]).to(where)
                outputs = translate_images(network, images.permute(0, 3, 1, 2).float() / 127.5 - 1, memory_limit)
                for target, output in zip(targets, outputs, strict=True):
                    written.append(writers.submit(_write, target, to_pixels(output)))
                while len(written) > AHEAD:
                    written.popleft().result()
                bar.update(len(targets))
            for future in written:
                future.result()
        finally:
            # after a mistake nothing more is begun
            readers.shutdown(wait=False, cancel_futures=True)
            writers.shutdown(wait=False, cancel_futures=True)


@torch.inference_mode()
def translate_images(network: nn.Module, images_B3HW: Tensor, memory_limit: float = MEMORY_LIMIT) -> Tensor:
    """G of images of any size, [B, 3, H, W] in [-1, 1]: a border is repeated up to a size G takes, then cut off.

    A generator works on strips of rows, with the statistics of the whole image, where that is faster (a wide one on a
    CPU) or where whole images would take more than the limit; the output is the same within a tenth of a grey level.
    Other networks take whole images.

    Args:
        network: on the images' device.
        images_B3HW: of one size.
        memory_limit: GiB the computation may take, apart from the weights and the program.

    Raises UserError if even strips take more.
    """
    height, width = images_B3HW.shape[2:]
    padded = F.pad(images_B3HW, (0, _missing(width), 0, _missing(height)), mode="replicate")
    if not isinstance(network, Generator):
        output: Tensor = network(padded)
    else:
        size, limit = (padded.shape[2], padded.shape[3]), memory_limit * 2**30
        whole = whole_bytes(network, *size)
        if whole <= limit and not (padded.device.type == "cpu" and strips_pay(network, *size)):
            batch = min(BATCH, int(limit // whole))
            output = torch.cat([network(images) for images in padded.split(batch)])
        else:
            keep = working_bytes(network, *size, keep=True) <= limit
            least = working_bytes(network, *size, keep=False)
            if not keep and least > limit:
                raise UserError(
                    f"memory_limit={memory_limit}: a frame of {width}x{height} needs {least / 2**30:.1f} GiB; "
                    "raise the limit or shrink the frames"
                )
            output = torch.cat([translate_in_strips(network, image[None], keep=keep) for image in padded])
    return output[:, :, :height, :width]


def _read_ahead(readers: ThreadPoolExecutor, jobs: list[tuple[Path, Path]]) -> Iterator[tuple[Path, Pixels]]:
    """Targets and frames in the order of the jobs; a few are read in advance."""
    waiting: deque[tuple[Path, Future[Pixels]]] = deque()
    for path, target in jobs:
        waiting.append((target, readers.submit(read_image, path)))
        if len(waiting) > AHEAD:
            target, future = waiting.popleft()
            yield target, future.result()
    for target, future in waiting:
        yield target, future.result()


def _equal_sizes(frames: Iterator[tuple[Path, Pixels]]) -> Iterator[tuple[list[Path], list[Pixels]]]:
    """Batches of frames of one size; no more than AHEAD frames wait for others like them."""
    groups: dict[tuple[int, ...], tuple[list[Path], list[Pixels]]] = {}
    for target, frame in frames:
        targets, group = groups.setdefault(frame.shape, ([], []))
        targets.append(target)
        group.append(frame)
        if len(group) == BATCH:
            yield groups.pop(frame.shape)
        elif sum(len(targets) for targets, _ in groups.values()) >= AHEAD:
            yield groups.pop(next(iter(groups)))  # the size that has waited longest
    yield from groups.values()


def _write(target: Path, pixels: Pixels) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_image(target, pixels)
    except OSError as error:
        raise UserError(f"{target}: cannot be written ({error.strerror}); free or choose another place") from error


def _missing(length: int) -> int:
    return max(2 * STRIDE, -(-length // STRIDE) * STRIDE) - length


if __name__ == "__main__":
    main()
