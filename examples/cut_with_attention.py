"""The idea in one file: CUT with attention-sampled PatchNCE, as a plain PyTorch loop around this package's parts.

    python examples/cut_with_attention.py <folder of x> <folder of y> --attention triplet --steps 200 --output out.png

Typed in a checkout, inside the environment of the README. G learns x -> y from two folders without pairs, a crop of
each a step, on the CPU. `python -m src.train` minimises the same objective and has what is left out here: averaged
weights, augmentation, masks, several images a step, GPUs, resuming, scores.
"""

import argparse
import sys
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image, ImageOps
from safetensors.torch import save
from torch import Tensor
from torch.optim import Adam
from torch.optim.lr_scheduler import LambdaLR
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # the checkout, so that `src` is found from any folder

from src.losses.adversarial import discriminator_loss_fake, discriminator_loss_real, generator_loss
from src.losses.patch_nce import patch_nce
from src.networks.attention.bam import BottleneckAttention
from src.networks.attention.base import Attention
from src.networks.attention.external import ExternalAttention
from src.networks.attention.none import NoAttention
from src.networks.attention.self import SelfAttention
from src.networks.attention.triplet import TripletAttention
from src.networks.colour import colours_of
from src.networks.discriminator import Discriminator
from src.networks.generator import STRIDE, TAPS, Generator
from src.networks.patch_sampler import PatchSampler
from src.networks.selection.topk import TopK

ATTENTIONS: dict[str, Callable[[int], Attention]] = {
    "none": NoAttention,  # CUT: how significant a place is, is a random number
    "triplet": partial(TripletAttention, kernel_size=7),
    "external": partial(ExternalAttention, slots=64),
    "self": partial(SelfAttention, reduction=8, max_tokens=1024, significance="entropy"),
    "bam": partial(BottleneckAttention, reduction=16, dilation=4),
}
PATCHES, TAU = 64, 0.07  # N, of 256 places at the deep taps of a crop of 64 pixels; the temperature of Eq. 2


# Data: a random crop of a random image.


def images_in(folder: Path, size: int) -> list[Path]:
    """All of at least `size` pixels a side; a mistake ends the script in one line."""
    if not folder.is_dir():
        sys.exit(f"{folder}: there is no such folder")
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in (".png", ".jpg", ".jpeg"))
    if not files:
        sys.exit(f"{folder}: holds no .png, .jpg or .jpeg; name the folder that the images themselves lie in")
    for path in files:
        with Image.open(path) as image:
            if min(image.size) < size:
                sys.exit(f"{path}: {image.width}x{image.height} pixels are too few for crops of {size}; lower --size")
    return files


def frame(path: Path, size: int) -> Tensor:
    """[1, 3, H, W] in [-1, 1]; a large one is reduced until its shorter side is two to four crops long."""
    try:
        with Image.open(path) as file:
            image = ImageOps.exif_transpose(file).convert("RGB")
    except OSError as error:
        raise OSError(f"{path}: {error}") from error
    image = image.reduce(max(1, min(image.size) // (2 * size)))
    return torch.tensor(np.asarray(image)).permute(2, 0, 1)[None] / 127.5 - 1


def random_crop(files: list[Path], size: int) -> Tensor:
    """[1, 3, size, size] in [-1, 1]."""
    image = frame(files[torch.randint(len(files), ())], size)
    top, left = (torch.randint(side - size + 1, ()) for side in image.shape[2:])
    return image[:, :, top : top + size, left : left + size]


# Networks: the translator G; the discriminator D; H, which chooses patches by attention and embeds them.


class Networks(NamedTuple):
    """And the optimisers of the two players."""

    G: Generator
    D: Discriminator
    H: PatchSampler
    of_G_and_H: Adam
    of_D: Adam


def build(attention: str) -> Networks:
    """A quarter of the paper's width; G brings x to the colours of y, adds what it learns, and starts with nothing."""
    G = Generator(width=16, blur=True, init="xavier", gain=0.02, output="residual", align=True)
    D = Discriminator(width=32, halvings=2, blur=True, init="xavier", gain=0.02)
    module, top = ATTENTIONS[attention], TopK(patches=PATCHES)
    H = PatchSampler(G.channels, attention=module, taps=TAPS, selection=top, embedding=256, gain=0.02)
    of_G_and_H = Adam([*G.parameters(), *H.parameters()], lr=2e-4, betas=(0.5, 0.999))
    return Networks(G, D, H, of_G_and_H, Adam(D.parameters(), lr=2e-4, betas=(0.5, 0.999)))


# The step: D, then G and H.


def nce(G: Generator, H: PatchSampler, source: Tensor, output: Tensor, key_B: Tensor) -> Tensor:
    """L_PatchNCE (Eq. 1, its mean): each patch of the output recognises its own of the source among N.

    `key_B` holds all randomness there is in the choice of places.
    """
    with torch.no_grad():
        features = G.encoder(source)  # at five taps
        significance = H.score(features, key_B)
        places = H.choose(features, significance, key_B, progress=0.0)  # the N most significant
        keys = H(features, places)
    queries = H(G.encoder(output), places)
    return torch.stack([patch_nce(queries[tap], keys[tap], TAU) for tap in TAPS]).mean()  # Eq. 2 at each tap


def step(networks: Networks, x: Tensor, y: Tensor, key_x: Tensor, key_y: Tensor) -> dict[str, float]:
    """One step of both players on the same G(x); the terms they went down."""
    G, D, H, of_G_and_H, of_D = networks
    x = G.align(x)
    fake = G.core(x)
    d_terms = {"d_fake": discriminator_loss_fake(D(fake.detach())), "d_real": discriminator_loss_real(D(y))}
    descend(of_D, d_terms.values())
    # Eq. 3: L_GAN(G, D) + lambda_X L_PatchNCE(G, H, X) + lambda_Y L_PatchNCE(G, H, Y). Both lambdas are 1,
    # and the two are halved as in the released CUT code.
    g_terms = {
        "gan": generator_loss(D(fake)),
        "nce_x": nce(G, H, x, fake, key_x) / 2,
        "nce_y": nce(G, H, y, G.core(y), key_y) / 2,
    }
    descend(of_G_and_H, g_terms.values())
    return {name: float(term.detach()) for name, term in {**g_terms, **d_terms}.items()}


def descend(optimizer: Adam, terms: Iterable[Tensor]) -> None:
    """One step down the sum of the terms."""
    optimizer.zero_grad()  # for D, also of what G's terms left there
    torch.stack(list(terms)).sum().backward()
    optimizer.step()


# The picture.


@torch.no_grad()
def picture(G: Generator, files: list[Path], size: int) -> Image.Image:
    """Source | source in the colours of y | output, a row a frame, of three frames spread over the files."""
    frames = [frame(files[len(files) * row // 3], size) for row in range(3)]
    height, width = (min(sides) // STRIDE * STRIDE for sides in zip(*(one.shape[2:] for one in frames), strict=True))
    cut = [one[:, :, :height, :width] for one in frames]
    rows = torch.cat([torch.cat([x, G.align(x), G(x)], dim=3)[0] for x in cut], dim=1)
    return Image.fromarray(((rows + 1) * 127.5).round().byte().permute(1, 2, 0).numpy())


def main() -> None:
    """Read the command line, train, write the picture and G's weights."""
    parser = argparse.ArgumentParser(description="Train a translator that gives images of x the look of those of y.")
    parser.add_argument("x", type=Path, help="The folder of the source images, such as frames of a game.")
    parser.add_argument("y", type=Path, help="The folder of the target images; no image needs a partner.")
    parser.add_argument("--attention", choices=ATTENTIONS, default="triplet", help="What ranks places; none is CUT.")
    parser.add_argument(
        "--steps", type=int, default=200, help="The number of steps; the rate falls in their second half."
    )
    parser.add_argument("--size", type=int, default=64, help="The side of a crop: a multiple of 4 pixels from 32 up.")
    parser.add_argument("--seed", type=int, default=0, help="Weights, crops and places follow from this number alone.")
    where = "A .png for the picture: source, source in y's colours, output. G's weights go beside it as .safetensors."
    parser.add_argument("--output", type=Path, default=Path("out.png"), help=where)
    options = parser.parse_args()
    if options.steps < 1 or options.size < 32 or options.size % STRIDE:
        sys.exit(f"--steps must be at least 1 and --size a multiple of {STRIDE} from 32 up")
    if options.output.suffix != ".png" or not options.output.parent.is_dir():
        sys.exit(f"--output must be a .png in a folder that is there, got {options.output}")
    x_files, y_files = images_in(options.x, options.size), images_in(options.y, options.size)

    torch.manual_seed(options.seed)
    networks = build(options.attention)
    shown = ((frame(path, options.size)[0] for path in files[:: len(files) // 100 + 1]) for files in (x_files, y_files))
    networks.G.fit_colours(*map(colours_of, shown))
    falling = [
        LambdaLR(one, lambda n: min(1, 2 - 2 * n / options.steps)) for one in (networks.of_G_and_H, networks.of_D)
    ]
    for _ in (bar := tqdm(range(options.steps), unit="step")):
        x, y = random_crop(x_files, options.size), random_crop(y_files, options.size)
        terms = step(networks, x, y, *torch.randint(2**62, (2, 1)))
        bar.set_postfix({name: f"{value:.3f}" for name, value in terms.items()}, refresh=False)
        for schedule in falling:
            schedule.step()

    picture(networks.G, x_files, options.size).save(options.output)
    options.output.with_suffix(".safetensors").write_bytes(save(networks.G.state_dict()))
    print(options.output)


if __name__ == "__main__":
    try:
        main()
    except OSError as error:  # an image that cannot be read, a disk that takes no more
        sys.exit(str(error))
