"""What the page gives back for an upload: source and output of the same size, the film, and where the run looks."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from src.data.images import Pixels, read_image, write_image
from src.translation.jobs import is_video
from src.translation.scale import Scale
from src.translation.translator import Translator
from src.translation.video.names import target_suffix
from src.translation.video.translation import translate_video


@dataclass(frozen=True)
class Offered:
    """A translator that the page offers.

    Attributes:
        translator: on its device.
        white: of 16-bit files.
        explain: a frame and its name -> its score maps and chosen places as a picture; None if it has none after all.
        unexplained: why there is no such picture, in one line.
    """

    translator: Translator
    white: int
    explain: Callable[[str, Pixels], Pixels | None] | None
    unexplained: str


class Left(Exception):
    """Nobody waits for the answer any more."""


@dataclass(frozen=True)
class Answer:
    """Files, and what is said of them.

    Attributes:
        line: what was done.
        width: of source and output, in pixels.
        source: of an image the whole of it as it was read, of a video its first frame; a PNG.
        output: of that, a PNG of the same size.
        film: the translated video; None of an image.
        maps: where the run looks, a PNG; None if it does not say.
        unexplained: why it does not, in one line.
    """

    line: str
    width: int
    source: Path
    output: Path
    film: Path | None
    maps: Path | None
    unexplained: str


def answer(
    label: str, offered: Offered, path: Path, folder: Path, has_left: Callable[[], bool] = lambda: False
) -> Answer:
    """Translate an upload.

    Args:
        label: of the translator, for people.
        offered: the translator.
        path: the upload, which is within the limits.
        folder: for the files.
        has_left: whether its visitor has closed the page; asked at each frame of a video.

    Raises UserError if it cannot be read or translated, and Left.
    """
    began, translator = perf_counter(), offered.translator
    source, output = folder / f"{path.stem}.png", folder / f"{path.stem}_translated.png"
    film, length = None, ""
    if is_video(path):
        film, firsts = output.with_suffix(target_suffix(path)), list[tuple[Pixels, Pixels]]()

        def seen(frame: Pixels, translated: Pixels) -> None:
            if has_left():
                raise Left
            firsts[:] = firsts or [(frame, translated)]

        where = translator.device
        numbers = translate_video(translator.network, (path, film), where, translator.memory_limit, seen=seen)
        length = f", {numbers['frames']} frames of {numbers['seconds']:.1f} s"
        ((pixels, translated),) = firsts
    else:
        pixels = read_image(path, offered.white)
        translated = translator.translate(pixels)
    write_image(source, pixels)
    write_image(output, translated)
    said = f"{path.name}, {pixels.shape[1]}x{pixels.shape[0]} pixels{length}"
    line = f"{said}: translated by {label} in {perf_counter() - began:.1f} s."
    if Scale(translator.height).is_far(pixels.shape[0]):
        line += f" It was trained on frames {translator.height} pixels high, and paints worse the farther from that."
    maps, unexplained = None, offered.unexplained
    if offered.explain is not None and (picture := offered.explain(path.name, pixels)) is not None:
        maps, unexplained = folder / f"{path.stem}_score_maps.png", ""
        write_image(maps, picture)
    return Answer(line, pixels.shape[1], source, output, film, maps, unexplained)
