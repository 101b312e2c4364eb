"""What src.study does: every training set times every seed, then the table; what is done is skipped."""

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from hydra import compose
from omegaconf import DictConfig, OmegaConf
from tqdm import tqdm

from src.config import limits, schema
from src.config.naming import file_name
from src.data.colour_transfer import transfer_colours
from src.data.domains import domains
from src.data.images import read_image, write_image
from src.data.labelled import LabelledFrame, digest, home, labelled_set, labels_of, usable_frames
from src.data.layouts import Domains
from src.data.sixteen_bits import WHITE, white_of
from src.data.unpaired import in_random_order
from src.downstream.run import FREE_ON_RESUME, segment
from src.metrics import references
from src.runs import hub, resuming
from src.runs.find import find
from src.runs.folder import CONFIG, METRICS, WEIGHTS, load_config
from src.runs.results import load_metrics
from src.runs.survey import flat
from src.runs.weights import load_translator
from src.system.device import device
from src.system.errors import UserError
from src.system.estimate import in_words
from src.system.files import sha256
from src.tables import study_table
from src.tables.study_table import RAW, REAL, Cell, Study
from src.tables.table.rows import labels
from src.translation.frames import Job, translate
from src.translation.labelled_set import write_set
from src.translation.scale import Scale
from src.translation.weights import load

COLOUR = references.ROWS["_transfer"]


@dataclass(frozen=True)
class TrainingSet:
    """One row of the study times one translator.

    Attributes:
        row: of the table.
        translator: which made it, by variant and hash of weights; "" where none did.
        name: of its folders.
        write: writes it, or what is missing of it, and returns the folder that names it.
        seeds: of the segmenters that train on it.
    """

    row: str
    translator: str
    name: str
    write: Callable[[], Path]
    seeds: Sequence[int]


def study(config: schema.StudyConfig) -> str:
    """Write sets, segmenters, study.json and the table below `output`; returns the table."""
    output = Path(config.output)
    if not config.seeds or len(set(config.seeds)) != len(config.seeds):
        raise UserError(f"seeds must name at least one seed, each once, got {list(config.seeds)}")
    # what can be refused is, before the streets are drawn or a set is written
    accelerator, runs = device(config.accelerator), _finished(config.runs)
    limits.check_fit(compose("segment", ["train=.", "test=.", *config.segment]))
    listed = domains(config.data)
    source = usable_frames(labels_of(listed.x_train))
    real_train, real_test = home(listed.y_train), home(listed.y_val)
    if real_train == real_test and not (real_train / "leftImg8bit").is_dir():
        raise UserError(f"data: {real_train} would be trained and tested on; name a validation target of its own")
    tests = labelled_set(str(real_test), "val", "data")
    _demand_whole(real_train, labelled_set(str(real_train), "train", "data"), listed.y_train)
    _demand_whole(real_test, tests, listed.y_val)
    sets = list(_sets(config, listed, source, output / "sets", real_train, runs, accelerator))
    if len({one.name for one in sets}) != len(sets):
        raise UserError("runs: two of them have the same name; give one folder that holds both")
    cells, watched, segmenter, commits, took = list[Cell](), "", "", set[str](), list[float]()
    count = sum(len(one.seeds) for one in sets)
    protocol = dict[str, object]()
    for one in sets:
        folder = one.write()
        train_digest = digest(labelled_set(str(folder), "train", "data"))
        for seed in one.seeds:
            sets_and_seed = [f"train={folder}", f"test={real_test}", f"seed={seed}"]
            composed = compose("segment", [*sets_and_seed, *config.segment])
            watched = str(composed.labels.watched)
            chosen = composed.segmenter
            segmenter = f"{chosen.architecture}, encoder {chosen.encoder} from {chosen.weights or 'random numbers'}"
            where = output / "segmenters" / one.name / f"seed-{seed}"
            print(f"{one.row}, seed {seed}: {where}{_left(took, count - len(cells))}", file=sys.stderr)
            new, begun = not (where / METRICS).is_file(), time.monotonic()
            metrics, protocol = _trained(composed, where, {"train": train_digest, "test": digest(tests)})
            took += [time.monotonic() - begun] if new else []
            commits.add(str(protocol["commit"]))
            cells.append(Cell(one.row, one.translator, seed, metrics))
    shared = ("n_test", "test_digest", "score", "frames", "batches")
    common: dict[str, object] = {key: protocol[key] for key in shared}
    common |= {"segmenter": segmenter, "commit": ", ".join(sorted(commits))}
    common |= {"seeds": list(config.seeds), "segment": " ".join(config.segment) or "defaults"}
    common |= {"paired": True} if config.paired else {}
    common |= {"source_digest": digest(source), "source_frames": len(source)}
    return study_table.save(Study(cells, watched, common), output)


def _demand_whole(folder: Path, taken: Sequence[LabelledFrame], own: Sequence[Path]) -> None:
    """Refuse a part of a folder that segmenters take whole: they would be trained on the frames they are tested on."""
    further = {os.path.realpath(frame.image) for frame in taken} - {os.path.realpath(path) for path in own}
    if further:
        raise UserError(
            f"data: segmenters take all of {folder}, also {min(further)}, which this part of the target leaves out; "
            "give each part a folder of its own, and leave out data.layout.tune"
        )


def _left(took: Sequence[float], count: int) -> str:
    """What is to come, by the seconds that segmenters took so far; nothing is known before the first."""
    return f" ({count} to go, {in_words(sum(took) / len(took) * count)})" if took else f" ({count} to go)"


def _sets(
    config: schema.StudyConfig,
    listed: Domains,
    source: Sequence[LabelledFrame],
    folder: Path,
    real: Path,
    runs: Sequence[Path],
    where: torch.device,
) -> Iterator[TrainingSet]:
    yield TrainingSet(RAW, "", "raw", partial(write_set, source, folder / "raw", {"made_by": "nothing"}), config.seeds)
    white = white_of(config.data)
    recipe = {"made_by": "Reinhard's colour transfer", "targets": digest(usable_frames(labels_of(listed.y_train)))}
    recipe |= {} if white == WHITE else {"white": str(white)}
    colour = partial(write_set, source, folder / "colour", recipe, partial(_transfer, source, listed.y_train, white))
    yield TrainingSet(COLOUR, "", "colour", colour, config.seeds)
    configs = [load_config(run) for run in runs]
    variants = [str(saved.get("variant", run.name)) for run, saved in zip(runs, configs, strict=True)]
    rows = labels(list(zip(variants, map(flat, configs), strict=True)))
    for run, saved, variant, row in zip(runs, configs, variants, rows, strict=True):
        # a run may come from a stranger, and its variant must not lead out of the folder
        name = f"{file_name(variant)}-{sha256(run / WEIGHTS)[:8]}"
        recipe = {
            "made_by": "translation",
            "weights_sha256": sha256(run / WEIGHTS),
            "average": str(config.average),
        }

        def make(jobs: list[Job], run: Path = run) -> None:
            read = partial(read_image, white=white_of(load_config(run).get("data")))
            scale = Scale(load.training_height(str(run), None))
            translate(load_translator(run, average=config.average), jobs, where, read=read, scale=scale)

        seeds = [_seed(saved, run)] if config.paired else config.seeds
        yield TrainingSet(row, name, name, partial(write_set, source, folder / name, recipe, make), seeds)
    yield TrainingSet(REAL, "", "real", lambda: real, config.seeds)


def _seed(saved: DictConfig, run: Path) -> int:
    seed = saved.get("seed")
    if not isinstance(seed, int):
        raise UserError(f"{run / CONFIG}: names no seed, by which paired=true finds its segmenter")
    return seed


def _transfer(frames: Sequence[LabelledFrame], targets: Sequence[Path], white: int, jobs: list[Job]) -> None:
    """Each frame takes the colours of one target image; its place in the set tells which."""
    places = {frame.image: place for place, frame in enumerate(frames)}
    for source, target in tqdm(jobs, desc="transferring colours", unit="image", file=sys.stderr, leave=False):
        like = in_random_order(targets, places[source], 0, 1)
        write_image(target, transfer_colours(read_image(source, white), read_image(like, white)))


def _finished(folders: Sequence[str]) -> list[Path]:
    """The finished runs in the folders, at any depth; raises UserError for a folder without any."""
    found: list[Path] = []
    for name in folders:
        folder = hub.folder_of(name)
        runs = find(folder, links=True) if folder.is_dir() else ()
        below = [run for run in runs if all((run / one).is_file() for one in (CONFIG, WEIGHTS))]
        if not below:
            raise UserError(f"runs: {name} holds no finished run; name run folders or sweeps that src.train wrote")
        found += below
    return list(dict.fromkeys(path.resolve() for path in found))


def _trained(composed: DictConfig, folder: Path, digests: dict[str, str]) -> tuple[dict[str, float], dict[str, object]]:
    """Scores and protocol of a cell: as they stand there, or after training or continuing it."""
    if (folder / CONFIG).is_file():
        _check_same(composed, load_config(folder), folder)
    if not (folder / METRICS).is_file():
        folder.mkdir(parents=True, exist_ok=True)
        segment(composed, folder, resume=resuming.begun(folder))
    metrics, protocol = load_metrics(folder)
    for part, value in digests.items():
        if protocol.get(f"{part}_digest") != value:
            raise UserError(f"{folder}: was trained when the {part} set was another; delete it or name another output")
    return metrics, protocol


def _check_same(composed: DictConfig, saved: DictConfig, folder: Path) -> None:
    now, then = (OmegaConf.to_container(config, resolve=True) for config in (composed, saved))
    for config in (now, then):
        assert isinstance(config, dict)
        for key in ("resume", "logger", "train", "test"):  # the sets are compared by content, and may lie elsewhere now
            config.pop(key, None)
        for key in FREE_ON_RESUME:
            group, _, name = key.partition(".")
            config.get(group, {}).pop(name, None)
    if now != then:
        raise UserError(f"{folder}: was trained with other settings; repeat them or name another output")
