"""What an attention module does in trained runs: whether it trains, where it looks, and what it makes of the negatives.

    python experiments/mechanics.py outputs/experiments/<name>/* --frames data/carla2camvid/testA
    python experiments/mechanics.py experiments/<name>/mechanics.csv --markdown

One line a run and tap, as CSV on stdout, those of earlier CSVs first; --markdown gives what a page shows of it, the
seeds of a row together. Pieces of the size that the run was trained on, one out of the middle of each of so many
frames, evenly spaced; G(x) is the last step's. A random choice of as many places stands beside each.

grad_attention, grad_heads  norm of PatchNCE's gradient, of the tap's attention module and of its head
rank_start   Spearman's correlation of the score map with that of the same seed before training, mean over pieces
overlap      share of places that two different pieces have in common, mean over pairs; overlap_random
border       share of places in the outer eighth of the map on each side; border_random
cosine, cosine_max  of a place's key with the other keys of its piece, mean and largest, mean over places; *_random
nce, nce_raw PatchNCE at the chosen places with attended features, and with the features as they are; nce_random
"""

import csv
import math
import sys
from collections.abc import Iterator, Sequence
from copy import copy
from pathlib import Path
from statistics import fmean

import torch
from lightning import seed_everything
from scipy.stats import spearmanr
from torch import Tensor
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from src.config.build import build_method
from src.data.images import find_images, read_image
from src.data.transforms import Transforms, transforms_of
from src.losses.patch_nce import patch_nce
from src.methods.cut import CUT
from src.networks import noise
from src.networks.attention.none import NoAttention
from src.networks.patch_sampler import PatchSampler
from src.runs.folder import load_config
from src.runs.weights import load_method
from src.system.arguments import Arguments

Chosen = dict[str, Tensor]
"""Places [B, N] by tap."""
Line = dict[str, str | float]
WORDS = ("run", "n", "seed", "tap", "ranked")
"""What is not measured, so not rounded."""
PAIRED = ("overlap", "border", "cosine", "nce")
"""Measured at random places too."""


def pieces(folder: Path, transforms: Transforms, count: int, side: int) -> Tensor:
    """Middles of frames: [count, 3, side, side] in [-1, 1]."""
    files = find_images(folder)
    taken = [files[round(i * (len(files) - 1) / max(1, count - 1))] for i in range(min(count, len(files)))]
    middles = []
    for path in tqdm(taken, desc="frames", leave=False):
        frame = transforms.validation(read_image(path))
        top, left = (frame.shape[1] - side) // 2, (frame.shape[2] - side) // 2
        middles.append(frame[:, top : top + side, left : left + side])
    return torch.stack(middles)


def overlap(places_BN: Tensor, count: int) -> float:
    """Share of N that two images have in common, mean over pairs of images; `count` places a map."""
    taken_BP = torch.zeros(len(places_BN), count).scatter(1, places_BN, 1)
    common_BB = taken_BP @ taken_BP.T
    pairs = len(places_BN) * (len(places_BN) - 1)
    return float((common_BB.sum() - common_BB.diagonal().sum()) / pairs / places_BN.shape[1])


def at_border(places_BN: Tensor, grid: tuple[int, int]) -> float:
    """Share of the places in the outer eighth of the map's rows or columns, on either side."""
    rows_BN, columns_BN = places_BN // grid[1], places_BN % grid[1]
    outer = [
        (index < side // 8) | (index >= side - side // 8)
        for index, side in zip((rows_BN, columns_BN), grid, strict=True)
    ]
    return float((outer[0] | outer[1]).float().mean())


def cosines(key_BND: Tensor) -> tuple[float, float]:
    """Of every unit key with the others of its image: their mean, and the mean over keys of the largest."""
    similar_BNN = key_BND @ key_BND.mT
    own = torch.eye(key_BND.shape[1], dtype=torch.bool)
    others = similar_BNN[:, ~own].view(len(key_BND), key_BND.shape[1], -1)
    return float(others.mean()), float(others.amax(2).mean())


def random_places(sampler: PatchSampler, features: dict[str, Tensor], key_B: Tensor) -> Chosen:
    """As many, from the same part of each map, whatever the score."""
    scores = {
        tap: NoAttention(x.shape[1]).score(x, noise.fork(key_B, 31 + number))
        for number, (tap, x) in enumerate(features.items())
    }
    return sampler.choose(features, scores, key_B, 1.0)


def measured(method: CUT, fresh: CUT, x: Tensor) -> Iterator[Line]:
    """A line a tap."""
    key_B = torch.arange(len(x))
    method.requires_grad_(True)
    features = {tap: one.detach() for tap, one in method.G.encoder(method.G.align(x)).items()}
    score = method.H.score(features, key_B)
    chosen = method.H.choose(features, score, key_B, 1.0)
    by_chance = random_places(method.H, features, key_B)
    output = method.G.encoder(method.G(x).detach())
    start = fresh.H.score({tap: one.detach() for tap, one in fresh.G.encoder(fresh.G.align(x)).items()}, key_B)

    as_they_are = copy(method.H)  # the same heads
    as_they_are.attended = False

    def nce(sampler: PatchSampler, places: Chosen) -> Chosen:
        query, key = sampler(output, places), sampler(features, places)
        return {tap: patch_nce(query[tap], key[tap].detach(), method.temperature) for tap in places}

    losses = nce(method.H, chosen)
    torch.stack(list(losses.values())).mean().backward()
    with torch.no_grad():
        raw, at_random = nce(as_they_are, chosen), nce(method.H, by_chance)
        key = method.H(features, chosen)
        key_by_chance = method.H(features, by_chance)
    for tap, places in chosen.items():
        grid = (features[tap].shape[2], features[tap].shape[3])
        ranks = [spearmanr(a, b).statistic for a, b in zip(score[tap], start[tap], strict=True)]
        cosine, largest = cosines(key[tap])
        cosine_random, largest_random = cosines(key_by_chance[tap])
        yield {
            "tap": tap,
            "ranked": str(not isinstance(method.H.attention[tap], NoAttention)).lower(),
            "grad_attention": gradient(method.H.attention[tap]),
            "grad_heads": gradient(method.H.heads[tap]),
            "rank_start": float(torch.tensor(ranks).nanmean()),
            "overlap": overlap(places, score[tap].shape[1]),
            "overlap_random": overlap(by_chance[tap], score[tap].shape[1]),
            "border": at_border(places, grid),
            "border_random": at_border(by_chance[tap], grid),
            "cosine": cosine,
            "cosine_random": cosine_random,
            "cosine_max": largest,
            "cosine_max_random": largest_random,
            "nce": float(losses[tap].detach()),
            "nce_raw": float(raw[tap]),
            "nce_random": float(at_random[tap]),
        }


def gradient(module: torch.nn.Module) -> float:
    """Norm over its parameters; 0 where it has none."""
    squares = (float(p.grad.square().sum()) for p in module.parameters() if p.grad is not None)
    return math.sqrt(sum(squares))


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the runs."""
    parser = Arguments("python experiments/mechanics.py", __doc__ or "")
    parser.add_argument("runs", nargs="+", type=Path, help="finished run folders of method=cut, or CSVs made of others")
    parser.add_argument("--frames", type=Path, help="folder of source frames, for run folders")
    parser.add_argument("--count", type=int, default=32, help="pieces, one a frame")
    parser.add_argument("--markdown", action="store_true", help="a table to read, two numbers a cell: ours (random)")
    options = parser.parse_args(arguments)
    made, folders = ([p for p in options.runs if (p.suffix == ".csv") == of] for of in (True, False))
    if folders and options.frames is None:
        parser.error(f"{folders[0]}: name a folder of source frames, --frames")
    lines: list[Line] = [line for path in made for line in from_csv(path)]
    for folder in tqdm(folders, desc="runs", disable=not folders):
        config = load_config(folder)
        method = load_method(folder)
        if not isinstance(method, CUT):
            print(f"{folder}: chooses no places, left out", file=sys.stderr)
            continue
        seed_everything(config.seed, workers=True)
        fresh = build_method(config)
        x = pieces(options.frames, transforms_of(config.data), options.count, config.data.size)
        for line in measured(method, fresh, x):
            lines.append({"run": folder.name, "n": len(x), "seed": config.seed, **line})
    if lines:
        (as_markdown if options.markdown else as_csv)(lines)


def as_csv(lines: Sequence[Line]) -> None:
    """All there is, on stdout."""
    table = csv.DictWriter(sys.stdout, list(lines[0]))
    table.writeheader()
    for line in lines:
        table.writerow({k: f"{v:.4g}" if isinstance(v, float) else v for k, v in line.items()})


def from_csv(path: Path) -> list[Line]:
    """The lines that `as_csv` wrote."""
    with path.open() as file:
        return [{k: v if k in WORDS else float(v) for k, v in line.items()} for line in csv.DictReader(file)]


def as_markdown(lines: Sequence[Line]) -> None:
    """What a page shows, on stdout: "measured (at random places)", gradients as a share of the head's.

    Of several seeds the mean, and of gradients and ranks, which differ most, the least and the largest.
    """
    heads = [
        "gradient, of the head's",
        "rank kept",
        "common places",
        "at the border",
        "cosine of keys",
        "PatchNCE",
        "raw",
    ]
    print("| row, tap | seeds |", " | ".join(heads), "|\n| --- |" + " ---: |" * (len(heads) + 1))
    together: dict[tuple[str, str], list[Line]] = {}
    for line in lines:
        row = str(line["run"]).rpartition("_seed")[0] or str(line["run"])
        together.setdefault((row, str(line["tap"])), []).append(line)
    for (row, tap), seeds in together.items():
        shares = [float(one["grad_attention"]) / max(float(one["grad_heads"]), 1e-12) for one in seeds]
        of = {name: [float(one[name]) for one in seeds] for name in seeds[0] if name not in WORDS}
        pairs = [f"{fmean(of[name]):.2f} ({fmean(of[f'{name}_random']):.2f})" for name in PAIRED]
        cells = [str(len(seeds)), span(shares, 3), span(of["rank_start"], 2), *pairs, f"{fmean(of['nce_raw']):.2f}"]
        print(f"| {row}, {tap} |", " | ".join(cells), "|")


def span(values: Sequence[float], decimals: int) -> str:
    """The least and the largest, or the one."""
    ends = [f"{value:.{decimals}f}" for value in (min(values), max(values))]
    return ends[0] if ends[0] == ends[1] else " to ".join(ends)


if __name__ == "__main__":
    main()
