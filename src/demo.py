"""A page in the browser where a translator is tried: an image or a short video, source and output under a slider.

python -m src.demo
python -m src.demo run=outputs/<run>
"""

from src.config.command import answer_early, entry

if __name__ == "__main__":
    answer_early("demo")  # before the imports below, which take seconds

import functools
import sys
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path

import torch

from src.config import schema
from src.config.composition import CONF
from src.data.images import Pixels
from src.data.sixteen_bits import WHITE
from src.runs import hub
from src.runs.folder import load_config
from src.system import packages, stopping
from src.system.device import device
from src.system.errors import UserError
from src.tables.pictures.score_maps import explanation
from src.tables.pictures.trained import explained, load
from src.translation.page.answer import Answer, Offered, answer
from src.translation.page.blocks import blocks
from src.translation.page.serving import quiet, served, wait
from src.translation.page.upload import Limits
from src.translation.translator import Translator
from src.translation.weights.load import source

SHIPPED = CONF.parent / "checkpoints"

schema.register()


@entry("demo")
def main(config: schema.DemoConfig) -> None:
    """Entry point: prints the page's address and serves it until Ctrl-C; a user's mistake becomes one line."""
    packages.demand("the page", "gradio", extra="demo")  # imported later, as it makes folders then
    limits = Limits(config.megapixels, config.megabytes, config.seconds)
    if config.waiting < 1:
        raise UserError(f"waiting must be >= 1, got {config.waiting}")
    offers = offered(config)
    offers[next(iter(offers))]()  # what is amiss with it is said before there is a page

    def respond(label: str, path: Path, folder: Path, has_left: Callable[[], bool]) -> Answer:
        return answer(label, offers[label](), path, folder, has_left)

    with quiet():
        page = blocks(list(offers), respond, limits, config.waiting)
        with served(page, config.host, config.port, limits) as address:
            if not _is_this_machine(config.host):
                print(f"host={config.host}: whoever reaches this machine can use the page", file=sys.stderr)
            print(f"{address} (Ctrl-C ends it)", flush=True)
            with stopping.ending("the page is closed"):
                wait()


def offered(config: schema.DemoConfig) -> dict[str, Callable[[], Offered]]:
    """Translators by label, each loaded when it is first asked for: what the command names, then what is shipped.

    Raises UserError if there is none.
    """
    where, limit = device(config.accelerator), config.memory_limit
    if not 0 < limit < float("inf"):
        raise UserError(f"memory_limit must be > 0 GiB, got {limit}")
    offers: dict[str, Callable[[], Offered]] = {}
    if config.run is not None or config.weights is not None:
        run, file, _ = source(config.run, config.weights)
        label = config.run or str(config.weights)
        if not hub.is_address(label):
            label = file.name if run is None else f"run {run.resolve().name}"
        offers[label] = functools.cache(
            functools.partial(_of_file, file, where, limit)
            if run is None
            else functools.partial(_of_run, run, where, limit)
        )
    for path in sorted(SHIPPED.glob("*.safetensors")):
        if config.weights is None or Path(config.weights).resolve() != path:
            offers[path.stem] = functools.cache(functools.partial(_of_file, path, where, limit))
    if not offers:
        raise UserError(f"{SHIPPED}: holds no weights; name run=<folder of a trained run> or weights=<file>")
    return offers


def _of_file(file: Path, where: torch.device, limit: float) -> Offered:
    why = f"No score maps: {file.name} holds the generator alone, without its attention; name its run by run=."
    return Offered(_on(Translator.load(file), where, limit), WHITE, None, why)


def _of_run(run: Path, where: torch.device, limit: float) -> Offered:
    label = str(load_config(run).get("variant", run.name))
    trained = load(label, run, where, average=True)

    def explain(name: str, pixels: Pixels) -> Pixels | None:
        frame = trained.transforms.validation(pixels)
        there = explained(trained, frame, 0, where)
        return explanation(name, frame, [there]) if there.maps else None

    why = f"No score maps: {label} samples no patches."
    return Offered(_on(Translator.load(run), where, limit), trained.white, explain, why)


def _on(translator: Translator, where: torch.device, limit: float) -> Translator:
    translator.memory_limit = limit
    return translator.to(where)


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


if __name__ == "__main__":
    main()
