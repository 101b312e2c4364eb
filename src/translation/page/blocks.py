"""The page itself, in Gradio: an upload and a choice above, below it source and output under a slider."""

import html
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from src.system.errors import UserError, one_line
from src.translation.page.answer import Answer, Left
from src.translation.page.upload import Limits
from src.translation.video.film import av

TITLE = "Try a translator"
KEPT, SWEPT = 3600, 600
"""Seconds that uploads and results are kept, and between two looks at them."""
REMEMBERED = 1000
"""Closed tabs, the last ones: whom a video may still be for."""
NARROWEST, TALLEST = 240, 8192
"""CSS pixels of the slider, whose images are shown at their own size as far as the window has room for them."""

Respond = Callable[[str, Path, Path, Callable[[], bool]], Answer]
"""A translator's label, the upload, a folder for files and whether its visitor has left -> what the page gives back;
raises UserError and Left."""


def blocks(labels: Sequence[str], respond: Respond, limits: Limits, waiting: int) -> Any:
    """The page, not served yet.

    Args:
        labels: of the translators, the first of which is chosen.
        respond: makes the answer; asked by one visitor at a time.
        limits: of an upload.
        waiting: visitors that may wait for their turn.
    """
    import gradio as gr

    left = deque[str | None](maxlen=REMEMBERED)

    def shown(label: str, upload: str | None, request: gr.Request) -> Iterator[dict[Any, Any]]:
        nothing = {result: gr.update(visible=False)}
        if upload is None:
            yield {said: "", **nothing}
            return
        path = Path(upload)
        with TemporaryDirectory() as folder:  # Gradio has its own copies once the answer is handed on
            try:
                limits.demand(path)
                done = respond(label, path, Path(folder), lambda: request.session_hash in left)
            except Left:
                return
            except UserError as error:
                line = one_line(error).replace(str(path), path.name).replace(f"{folder}/", "")
                yield {said: _paragraph(line, "refused"), **nothing}
                return
            video = done.film is not None
            yield {
                said: _paragraph(done.line),
                result: gr.update(visible=True),
                slider: gr.update(value=(str(done.source), str(done.output)), width=max(done.width, NARROWEST)),
                caption: _paragraph(f"{'The first frame: s' if video else 'S'}ource left, output right."),
                film: gr.update(value=str(done.film) if video else None, visible=video),
                save_film: gr.update(value=str(done.film) if video else None, visible=video),
                save: gr.update(value=str(done.output), label="Download the first frame" if video else "Download PNG"),
                looks: f"<h2>Where it looks</h2>{_paragraph(done.unexplained)}",
                maps: gr.update(value=str(done.maps) if done.maps else None, visible=done.maps is not None),
            }

    def leave(request: gr.Request) -> None:
        left.append(request.session_hash)

    video = av is not None
    with gr.Blocks(title=TITLE, analytics_enabled=False, delete_cache=(SWEPT, KEPT)) as page:
        gr.HTML(
            f"<h1>{TITLE}</h1><p>From a game's frame towards a photograph: unpaired image translation by CUT "
            "with attention-sampled PatchNCE. What is uploaded stays on the machine that serves this page.</p>",
            elem_id="head",
        )
        with gr.Row():
            with gr.Column(scale=3):
                upload = gr.File(
                    label="An image or a short video" if video else "An image",
                    file_types=["image", "video"] if video else ["image"],
                    type="filepath",
                    elem_id="upload",
                )
            with gr.Column(scale=2):
                choice = gr.Radio(list(labels), value=labels[0], label="Translator", elem_id="choice")
                of_video = f" Videos last up to {limits.seconds:g} seconds." if video else ""
                gr.HTML(
                    f"<p>Up to {limits.megabytes:g} MB and {limits.megapixels:g} megapixels.{of_video}</p>",
                    elem_id="limits",
                )
        said = gr.HTML(elem_id="said")
        with gr.Column(visible=False) as result:
            slider = gr.ImageSlider(
                label="Source and output",
                format="png",
                interactive=False,
                show_label=False,
                buttons=["fullscreen"],
                max_height=TALLEST,
                elem_id="slider",
            )
            caption = gr.HTML(elem_id="caption")
            film = gr.Video(label="The translated video", interactive=False, elem_id="film")
            with gr.Row(elem_id="saves"):
                save = gr.DownloadButton("Download PNG", size="md", scale=0, elem_id="save")
                save_film = gr.DownloadButton("Download the video", size="md", scale=0, elem_id="save_film")
            looks = gr.HTML(elem_id="looks")
            maps = gr.Image(
                label="Scores and chosen places of each tap",
                format="png",
                interactive=False,
                show_label=False,
                buttons=["download", "fullscreen"],
                elem_id="maps",
            )
        gr.on(
            [upload.upload, upload.clear, choice.change],
            shown,
            [choice, upload],
            [said, result, slider, caption, film, save, save_film, looks, maps],
            show_progress_on=said,
            concurrency_limit=1,
            trigger_mode="always_last",
            api_visibility="private",
        )
        page.unload(leave)
    page.queue(max_size=waiting, default_concurrency_limit=1)
    return page


def _paragraph(text: str, kind: str = "") -> str:
    return f'<p class="{kind}" role="status">{html.escape(text)}</p>' if text else ""
