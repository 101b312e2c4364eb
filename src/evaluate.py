"""Two folders of images: FID, IS, KID and SWD of one against the other, with their protocol.

python -m src.evaluate real=a/ fake=b/
"""

from src.config.command import answer_early, entry

if __name__ == "__main__":
    answer_early("evaluate")  # before the imports below, which take seconds

import json
from pathlib import Path

from omegaconf import DictConfig, OmegaConf
from torch import Tensor
from tqdm import tqdm

from src.config import schema
from src.config.build import build
from src.data.images import announce_passed_over, list_images, read_image, reading, shortest_side
from src.data.sixteen_bits import demand_white
from src.data.transforms import to_tensor
from src.metrics.cache import content_key
from src.metrics.floor import LEAST, described, floor, stretches
from src.metrics.per_image import write_per_image
from src.metrics.scores import SMALLEST, Scores
from src.metrics.shown import score_table, talk
from src.system.commit import git_commit
from src.system.device import arithmetic, device
from src.system.errors import UserError

LARGEST = 256

schema.register()


@entry("evaluate")
def main(config: DictConfig) -> None:
    """Entry point; a user's mistake becomes one line and exit code 1."""
    print(json.dumps(evaluate(config)))


def evaluate(config: DictConfig) -> dict[str, dict[str, object]]:
    """{"metrics": values by name, `*_floor`: real against real; "protocol": what they need beside them}.

    Names are those of Scores. The features of the real images are kept for the next call.
    """
    for inner, outer in (("real", "fake"), ("fake", "real")):
        if Path(config[outer]).resolve() in Path(config[inner]).resolve().parents:
            raise UserError(
                f"{inner}={config[inner]}: lies inside {outer}={config[outer]}, with whose images its own would be "
                "counted; name folders beside each other"
            )
    listings = {key: list_images(Path(config[key])) for key in ("real", "fake")}
    real_files, fake_files = listings["real"].images, listings["fake"].images
    if config.per_image is not None and Path(config.per_image).is_dir():
        raise UserError(f"per_image={config.per_image}: is a folder; name a file")
    white = demand_white(config.white, "white")
    where = device(config.accelerator)
    settings = config.metrics.scores
    if config.side is None:
        side, smallest = min((shortest_side(path), path) for path in [*real_files, *fake_files])
        if side < SMALLEST:
            raise UserError(
                f"{smallest}: its shortest side has {side} pixels, fewer than {SMALLEST}; remove it or name side="
            )
        settings = OmegaConf.merge(settings, {"side": min(LARGEST, side), "own_size": True})
    scores: Scores = build(settings, "metrics.scores")
    for key, listing in listings.items():
        announce_passed_over(listing.passed_over, f"{key}={config[key]}")

    def read(path: Path) -> Tensor:
        return to_tensor(read_image(path, white))

    preparation = f"whole, {reading(white)}"
    real = scores.gather_files(real_files, read, where, name="real", preparation=preparation)
    bar = tqdm(fake_files, desc="fake", unit="image", leave=False)
    fake = scores.gather(map(read, bar), len(fake_files), where)
    metrics = scores(fake, real, where)
    counts = len(fake), len(real)
    if len(real) >= LEAST:
        values = floor(scores, real, stretches(real_files), counts, where)
        metrics |= {f"{name}_floor": value for name, value in values.items()}
    protocol = {
        "real": str(config.real),
        "fake": str(config.fake),
        **scores.protocol(*counts),
        "floor": described(counts),
        "white": white,
        "real_digest": content_key(real_files, {})[:12],
        "fake_digest": content_key(fake_files, {})[:12],
        "commit": git_commit(),
        "arithmetic": arithmetic(where),
    }
    _show(metrics, protocol, scores)
    if config.per_image is not None:
        names = [str(path.relative_to(config.fake)) for path in fake_files]
        write_per_image(Path(config.per_image), names, scores.per_image(fake, real, where))
    return {"metrics": dict(metrics), "protocol": protocol}


def _show(metrics: dict[str, float], protocol: dict[str, object], scores: Scores) -> None:
    title = f"{protocol['fake']} ({protocol['n_fake']}) against {protocol['real']} ({protocol['n_real']})"
    words = {"swd": "spread", "kid": "error"}
    values = {
        name: [
            metrics.get(name),
            metrics.get(f"{name}_{words.get(name.partition('_')[0], 'std')}"),
            metrics.get(f"{name}_floor"),
        ]
        for name in scores.names
    }
    console = talk()
    console.print(score_table(title, ["value", "deviation", "real against real"], values))
    for name in ("extractor", "fid", "kid", "is", "swd", "resize"):
        if name in protocol:
            console.print(f"{name}: {protocol[name]}", soft_wrap=True, highlight=False)


if __name__ == "__main__":
    main()
