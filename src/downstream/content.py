"""What src.content does: a segmenter of real images judges G(x) against x's labels, or against itself on x."""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from src.config import schema
from src.data import label_tables
from src.data.domains import domains
from src.data.images import read_image, write_image
from src.data.labelled import expected_frame, labels_of, usable_frames
from src.data.labels import IGNORE
from src.data.sixteen_bits import WHITE, white_of
from src.data.transforms import Transforms, to_pixels, transforms_of
from src.data.untrained import Untrained
from src.downstream import confusion, outlines
from src.downstream.confusion import Confusion
from src.downstream.data import read_labelled
from src.downstream.trained import TrainedSegmenter, load_segmenter
from src.runs import hub
from src.runs.folder import CONTENT, CONTENT_PICTURE, WEIGHTS, load_config
from src.runs.results import load_metrics, save_metrics
from src.runs.weights import load_translator
from src.system.device import device
from src.system.errors import UserError, one_of
from src.system.files import sha256, write
from src.translation.any_size import translate_images

PREFIX = "content_"
Version = Callable[[Tensor, int], Tensor]
"""From a source frame [3, H, W] in [-1, 1] and its place in the set to what is judged."""


def content(config: schema.ContentConfig) -> dict[str, float]:
    """Judge a run; write content.json, content.png and the headline scores into its metrics.json, which it returns."""
    hub.demand_local(config.run, "what is found is kept in the run's folder")
    folder = Path(config.run)
    saved = load_config(folder)
    metrics, protocol = load_metrics(folder)
    one_of("split", config.split, ("train", "val"))
    if config.worst < 1:
        raise UserError(f"worst must be >= 1, got {config.worst}")
    where = device(config.accelerator)
    judge = load_segmenter(Path(config.judge), where)
    network = load_translator(folder, average=config.average).to(where)
    listed = domains(config.data, saved.get("data"), folder)  # the last to be refused: it may draw the streets
    images = listed.x_train if config.split == "train" else listed.x_val
    transforms, white = transforms_of(saved.get("data")), white_of(saved.get("data"))
    untrained = Untrained(listed.x_train, listed.y_train, transforms, white)
    labelled = _is_labelled(images)
    if labelled:
        frames = usable_frames(labels_of(images))
        label_tables.demand_own(frames, judge.table, "data", "name a judge of that table, or convert them")
        images = [frame.image for frame in frames]
    versions: dict[str, Version] = {
        "": lambda x, place: translate_images(network, x.to(where)[None])[0],
        "_transfer": untrained.transferred,
        "_aligned": lambda x, place: untrained.aligned(x),
    }
    counts, worst = judge_all(versions, judge, transforms, images, labelled=labelled, keep=config.worst, white=white)

    scores = {name: _described(each.matrix(), judge.table.names) for name, each in counts.items()}
    headline = _headline(scores, judge.table.watched)
    judged, judge_protocol = load_metrics(Path(config.judge))
    how = {
        "judge_sha256": sha256(judge.folder / WEIGHTS),
        "judge_miou": judged["miou"],
        "judge_train_digest": judge_protocol["train_digest"],
        "split": config.split,
        "n": len(images),
        "weights": "average" if config.average else "last step",
        "reference": "labels of the source" if labelled else "the judge's prediction on the source",
        "frames": f"source and output at data.load, {transforms.load} pixels high; scored at full size",
    }
    text = json.dumps({"scores": scores, "protocol": how}, indent=2)
    write(folder / CONTENT, (text + "\n").encode())
    kept = {key: value for key, value in metrics.items() if not key.startswith(PREFIX)}
    save_metrics(folder, {**kept, **headline}, {**protocol, "content": how})
    write_image(folder / CONTENT_PICTURE, outlines.draw(worst, judge.table))
    print(f"look at {folder / CONTENT_PICTURE}", file=sys.stderr)
    return headline


@torch.no_grad()
def judge_all(
    versions: Mapping[str, Version],
    judge: TrainedSegmenter,
    transforms: Transforms,
    images: Sequence[Path],
    *,
    labelled: bool,
    keep: int,
    white: int = WHITE,
) -> tuple[dict[str, Confusion], list[outlines.Case]]:
    """Confusion matrices of the judge's predictions, and the images in which G invents most of the watched class.

    Args:
        versions: by suffix: "" is G, which must be there; others have learnt nothing.
        judge: of real images.
        transforms: of G's run.
        images: x; all of them have class maps, if they are `labelled`.
        labelled: judge against their class maps, too.
        keep: how many of the worst images are returned.
        white: see read_image.

    Returns, by name, "output" (prediction on G(x) against x's labels) and "source" (prediction on x against them),
    both only if there are labels, and "agreement" (prediction on G(x) against that on x); likewise "output_transfer"
    and so on for the other versions.
    """
    kinds = ("output", "agreement") if labelled else ("agreement",)
    names = [*(f"{kind}{suffix}" for kind in kinds for suffix in versions), *(("source",) if labelled else ())]
    counts = {name: Confusion(len(judge.table)) for name in names}
    watched = judge.table.names.index(judge.table.watched)
    worst: list[tuple[float, int, outlines.Case]] = []
    for number, path in enumerate(tqdm(images, desc="judging", unit="image", file=sys.stderr, leave=False)):
        x = transforms.validation(read_image(path, white))
        made = {suffix: to_pixels(version(x, number)) for suffix, version in versions.items()}
        source, output = to_pixels(x), made[""]
        shape = (source.shape[0], source.shape[1])
        labels: Tensor | None = None
        if labelled:
            labels = torch.from_numpy(read_labelled(labels_of([path])[0], judge.table)[1])
            shape = (labels.shape[0], labels.shape[1])
        on_source = judge.predict(source, shape)
        on = {suffix: judge.predict(pixels, shape) for suffix, pixels in made.items()}
        for suffix, predicted in on.items():
            counts[f"agreement{suffix}"].add(predicted, on_source)
            if labels is not None:
                counts[f"output{suffix}"].add(predicted, labels)
        if labels is not None:
            counts["source"].add(on_source, labels)
        on_output = on[""]
        reference = on_source if labels is None else labels
        invented = (on_output == watched) & (reference != watched) & (reference != IGNORE)
        case = outlines.Case(path.stem, source, output, reference.numpy(), on_output.numpy(), invented.numpy())
        entry = (float(invented.float().mean()), -number, case)
        worst = sorted([*worst, entry], key=lambda item: item[:2], reverse=True)[:keep]
    return counts, [case for *_, case in worst]


def _described(matrix_KK: Tensor, names: list[str]) -> dict[str, object]:
    return {
        "accuracy": confusion.accuracy(matrix_KK),
        "miou": confusion.mean_iou(matrix_KK),
        "iou": confusion.by_name(confusion.iou(matrix_KK), names),
        "hallucination": confusion.by_name(confusion.hallucination(matrix_KK), names),
        "loss": confusion.by_name(confusion.loss(matrix_KK), names),
    }


def _headline(scores: dict[str, dict[str, object]], watched: str) -> dict[str, float]:
    """What a table shows: `content_accuracy`, ..., and `content_agreement`, with those of the references beside them.

    Without labels also what is invented and lost against the prediction on the source.
    """
    found: dict[str, float] = {}

    def add(key: str, value: Any, suffix: str) -> None:
        if isinstance(value, dict):
            key, value = f"{key}_{watched.replace(' ', '-')}", value[watched]
        if value is not None:
            found[f"{PREFIX}{key}{suffix}"] = value

    for part, described in scores.items():
        kind, _, reference = part.partition("_")
        suffix = f"_{reference}" if reference else "_source" if kind == "source" else ""
        if kind != "agreement":
            for name in ("accuracy", "miou", "hallucination", "loss"):
                add(name, described[name], suffix)
            continue
        add(kind, described["accuracy"], suffix)
        for name in () if "source" in scores else ("hallucination", "loss"):
            add(f"{kind}_{name}", described[name], suffix)
    return found


def _is_labelled(images: Sequence[Path]) -> bool:
    """Whether any image has a class map; those without are then left out."""
    return any(frame is not None and frame.labels.is_file() for frame in map(expected_frame, images))
