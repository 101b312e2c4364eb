"""The shipped weights at work, in a minute and without training: four frames of the built-in game become photographs.

    python examples/translate_streets.py outputs/try

Typed in a checkout, inside the environment of the README. Draws four frames that the weights never saw, translates
them with checkpoints/streets_cut.safetensors, and puts source, colour transfer, output and a photograph side by side.
"""

import sys
from pathlib import Path

from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # the checkout, so that `src` is found from any folder

from src.data.colour_transfer import transfer_colours
from src.data.images import write_image
from src.data.streets.camera import CAMERA
from src.data.streets.game import GAME
from src.data.streets.render import render
from src.data.transforms import to_tensor
from src.tables.pictures.score_maps import Maps, panel
from src.translation.translator import Translator

ROOT = Path(__file__).resolve().parent.parent
WEIGHTS = ROOT / "checkpoints/streets_cut.safetensors"
HELD_OUT = (4, 129, 254, 379)
"""Of the game's frames; the weights were trained on others."""
PHOTOGRAPHS = 400
"""The first of the photographs that they were not trained on either."""


def main(folder: Path) -> None:
    """Write `source` and `output`, frame by frame, and side_by_side.png into the folder."""
    translator = Translator.load(WEIGHTS)
    for name in ("source", "output"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    names: list[str] = []
    rows: list[tuple[dict[str, Tensor], Maps]] = []
    for number, index in enumerate(HELD_OUT):
        (source, _), (photograph, _) = render(GAME, index), render(CAMERA, PHOTOGRAPHS + number)
        output = translator.translate(source)
        images = {
            "source": source,
            "colour transfer, learns nothing": transfer_colours(source, photograph),
            "output": output,
            "a photograph, of another place": photograph,
        }
        names.append(f"{index + 1:05d}")
        for kind in ("source", "output"):
            write_image(folder / kind / f"{names[-1]}.png", images[kind])
        rows.append(({kind: to_tensor(image) for kind, image in images.items()}, {}))
    picture = folder / "side_by_side.png"
    write_image(picture, panel(names, rows))
    print(picture)
    print(
        f"Frames of the game lie in {folder / 'source'}, what the translator makes of them in {folder / 'output'}; "
        f"look at {picture}\nWith frames of your own: python -m src.translate weights={WEIGHTS.relative_to(ROOT)} "
        "input=<image, video or folder> output=<folder>",
        file=sys.stderr,
    )


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("name one folder for the pictures: python examples/translate_streets.py outputs/try")
    try:
        main(Path(sys.argv[1]))
    except OSError as error:  # a disk that takes no more
        sys.exit(str(error))
