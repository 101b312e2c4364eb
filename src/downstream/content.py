"""What src.content does: a segmenter of real images judges G(x) against x's labels, or against itself on x."""

import json
import sys
from collections.abc import Sequence
from heapq import heappushpop
from pathlib import Path

import torch
from torch import Tensor, nn
from tqdm import tqdm

from src.config import schema
from src.data import label_tables
from src.data.domains import domains
from src.data.images import read_image, write_image
from src.data.labelled import expected_frame, labels_of, usable_frames
from src.data.labels import IGNORE
from src.data.sixteen_bits import WHITE, white_of
from src.data.transforms import Transforms, to_pixels, transforms_of
from src.downstream import confusion, outlines
from src.downstream.confusion import Confusion
from src.downstream.data import read_labelled
from src.downstream.trained import TrainedSegmenter, load_segmenter
from src.runs.folder import CONTENT, CONTENT_PICTURE, WEIGHTS, load_config
from src.runs.results import load_metrics, save_metrics
from src.runs.weights import load_translator
from src.system.device import device
from src.system.errors import UserError, did_you_mean
from src.system.files import sha256, write
from src.translation.any_size import translate_images

PREFIX = "content_"


def content(config: schema.ContentConfig) -> dict[str, float]:
    """Judge a run; write content.json, content.png and the headline scores into its metrics.json, which it returns."""
    folder = Path(config.run)
    saved = load_config(folder)
    metrics, protocol = load_metrics(folder)
    if config.split not in ("train", "val"):
        near = did_you_mean(config.split, ("train", "val"))
        raise UserError(f"split={config.split}: no such split; choose train or val{near}")
    if config.worst < 1:
        raise UserError(f"worst must be >= 1, got {config.worst}")
    where = device(config.accelerator)
    judge = load_segmenter(Path(config.judge), where)
    network = load_translator(folder, average=config.average).to(where)
    listed = domains(config.data, saved.get("data"), folder)  # the last to be refused: it may draw the streets
    images = listed.x_train if config.split == "train" else listed.x_val
    transforms = transforms_of(saved.get("data"))
    labelled = _is_labelled(images)
    if labelled:
        frames = usable_frames(labels_of(images))
        label_tables.demand_own(frames, judge.table, "data", "name a judge of that table, or convert them")
        images = [frame.image for frame in frames]
    white = white_of(saved.get("data"))
    counts, worst = judge_all(network, judge, transforms, images, labelled=labelled, keep=config.worst, white=white)

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
        "frames": f"source and output at the translator's height, {transforms.height} pixels; scored at full size",
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
    network: nn.Module,
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
        network: G.
        judge: of real images.
        transforms: of G's run.
        images: x; all of them have class maps, if they are `labelled`.
        labelled: judge against their class maps, too.
        keep: how many of the worst images are returned.
        white: see read_image.

    Returns, by name, "output" (prediction on G(x) against x's labels) and "source" (prediction on x against them),
    both only if there are labels, and "agreement" (prediction on G(x) against that on x).
    """
    names = ("output", "source", "agreement") if labelled else ("agreement",)
    counts = {name: Confusion(len(judge.table)) for name in names}
    watched = judge.table.names.index(judge.table.watched)
    worst: list[tuple[float, int, outlines.Case]] = []
    place = next(network.parameters()).device
    for number, path in enumerate(tqdm(images, desc="judging", unit="image", file=sys.stderr, leave=False)):
        x = transforms.validation(read_image(path, white))
        source, output = to_pixels(x), to_pixels(translate_images(network, x.to(place)[None])[0])
        shape = (source.shape[0], source.shape[1])
        labels: Tensor | None = None
        if labelled:
            labels = torch.from_numpy(read_labelled(labels_of([path])[0], judge.table)[1])
            shape = (labels.shape[0], labels.shape[1])
        on_source, on_output = judge.predict(source, shape), judge.predict(output, shape)
        counts["agreement"].add(on_output, on_source)
        if labels is not None:
            counts["source"].add(on_source, labels)
            counts["output"].add(on_output, labels)
        reference = on_source if labels is None else labels
        invented = (on_output == watched) & (reference != watched) & (reference != IGNORE)
        case = outlines.Case(path.stem, source, output, reference.numpy(), on_output.numpy(), invented.numpy())
        entry = (float(invented.float().mean()), -number, case)
        if len(worst) < keep:
            worst.append(entry)
            worst.sort(key=lambda item: item[:2])
        elif keep and entry[:2] > worst[0][:2]:
            heappushpop(worst, entry)
    return counts, [case for *_, case in sorted(worst, key=lambda item: item[:2], reverse=True)]


def _described(matrix_KK: Tensor, names: list[str]) -> dict[str, object]:
    return {
        "accuracy": confusion.accuracy(matrix_KK),
        "miou": confusion.mean_iou(matrix_KK),
        "iou": confusion.by_name(confusion.iou(matrix_KK), names),
        "hallucination": confusion.by_name(confusion.hallucination(matrix_KK), names),
        "loss": confusion.by_name(confusion.loss(matrix_KK), names),
    }


def _headline(scores: dict[str, dict[str, object]], watched: str) -> dict[str, float]:
    """What a table shows: `content_accuracy`, ..., each with its `_source` beside it, and `content_agreement`.

    Without labels also what is invented and lost against the prediction on the source.
    """
    found: dict[str, float] = {}
    slug = watched.replace(" ", "-")
    for part, suffix in (("output", ""), ("source", "_source")):
        if part not in scores:
            continue
        for name in ("accuracy", "miou", "hallucination", "loss"):
            value, key = scores[part][name], f"{PREFIX}{name}{suffix}"
            if isinstance(value, dict):
                value, key = value[watched], f"{PREFIX}{name}_{slug}{suffix}"
            if isinstance(value, float):
                found[key] = value
    agreement = scores["agreement"]["accuracy"]
    assert isinstance(agreement, float)
    found[f"{PREFIX}agreement"] = agreement
    for name in () if "output" in scores else ("hallucination", "loss"):
        by_class = scores["agreement"][name]
        assert isinstance(by_class, dict)
        if by_class[watched] is not None:
            found[f"{PREFIX}agreement_{name}_{slug}"] = by_class[watched]
    return found


def _is_labelled(images: Sequence[Path]) -> bool:
    """Whether any image has a class map; those without are then left out."""
    return any(frame is not None and frame.labels.is_file() for frame in map(expected_frame, images))
