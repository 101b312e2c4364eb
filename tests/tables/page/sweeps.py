"""A sweep's folder with all a page can show, without training."""

from pathlib import Path

import numpy as np
import yaml
from PIL import Image

from src.tables import report
from tests.tables.table.folders import write_run

NAMES = ("one", "two", "deep/three")
LAYOUT = {"_target_": "src.data.layouts.folders", "x": "trainA", "x_val": "testA"}


def picture(path: Path, height: int, width: int, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC).save(path)


def write_log(folder: Path, seed: int) -> None:
    path = folder / "logs/csv/version_0/metrics.csv"
    path.parent.mkdir(parents=True)
    names = ["train/gan", "train/nce_x", "val/kid", "val/kid_std", "places/pixels_coverage", "places/pixels_reached"]
    lines = [",".join(["epoch", "step", *names])]
    for epoch in range(5):
        values = [f"{(number + 1 + 0.1 * seed) / (epoch + 2):.4f}" for number in range(len(names))]
        lines.append(",".join([str(epoch), str(10 * epoch + 9), *values]))
    path.write_text("\n".join(lines) + "\n")


def write_sweep(root: Path, *, variants: tuple[str, ...] = ("cut", "triplet"), seeds: int = 3) -> Path:
    """Runs with translated frames, panels, logs and the picture of src.content, and the source beside them."""
    sweep = root / "sweep"
    for name in NAMES:
        picture(root / f"frames/testA/{name}.jpg", 96, 128, 1)
    for place, variant in enumerate(variants):
        for seed in range(seeds):
            scores = {"kid": 0.3 - 0.1 * place + 0.01 * seed ** (2 - place), "kid_source": 0.5, "kid_floor": 0.01}
            scores |= {"fid": 50.0 - 5 * place + seed, "fid_source": 90.0}
            data = {"root": str(root / "frames"), "layout": LAYOUT, "batch_size": 1, "seed": seed}
            run = write_run(sweep / f"{variant}_{seed}", variant, seed, scores, data=data)
            for number, name in enumerate(NAMES):
                picture(run / f"images/translated/{name}.png", 48, 64, 10 * place + number)
            picture(run / "images/epoch_0005.png", 200, 900, place)
            picture(run / "content.png", 300, 900, place)
            write_log(run, seed)
    hydra = {"overrides": {"task": [f"attention={','.join(variants)}", "seed=0,1,2"]}, "help": "${hydra.job.name}"}
    (sweep / "multirun.yaml").write_text(yaml.safe_dump({"hydra": hydra}))
    return sweep


def written(sweep: Path) -> Path:
    """The page of a sweep, beside its runs."""
    report.report([sweep], sweep)
    return sweep / report.PAGE
