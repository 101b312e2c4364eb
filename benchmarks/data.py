"""Training images a second: frames decoded and resized each time, beside the cache of `src.prepare`.

    OMP_NUM_THREADS=1 python benchmarks/data.py

Both read the same draws in turn, block after block, so that whatever else the machine does falls on both alike; the
ratios are medians over rounds, of wall time and of the time the process had on its core. The frames are the built-in
streets, enlarged to the size of Playing for Data's (1914x1052) with a little noise, so that they compress as rendered
frames do.
"""

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from src.data.cache import FrameCache  # noqa: E402
from src.data.layouts import Domains  # noqa: E402
from src.data.streets.camera import CAMERA  # noqa: E402
from src.data.streets.game import GAME  # noqa: E402
from src.data.streets.render import render  # noqa: E402
from src.data.transforms import Transforms  # noqa: E402
from src.data.unpaired import UnpairedImages  # noqa: E402


def write_frames(folder: Path, count: int) -> list[Path]:
    """`count` PNGs of 1914x1052."""
    files = []
    for index in range(count):
        small = render((GAME, CAMERA)[index % 2], index)[0]
        large = cv2.resize(small, (1914, 1052), interpolation=cv2.INTER_CUBIC).astype(np.int16)
        large += np.random.default_rng(index).integers(-2, 3, large.shape, dtype=np.int16)
        files.append(folder / f"{index:05d}.png")
        Image.fromarray(large.clip(0, 255).astype(np.uint8)).save(files[-1])
    return files


def main() -> None:
    """Write the frames, time both, print images a second and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--size", type=int, default=256)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        files = write_frames(Path(folder), options.frames + 2)
        transforms = Transforms(size=options.size, aspect=1.0, fit="stretch", load_scale=286 / 256, flip=True)
        cache = FrameCache(Path(folder) / "cache", transforms)
        started = time.perf_counter()
        cache.prepare(files)
        print(f"cache of {len(files)} frames written in {time.perf_counter() - started:.1f} s")
        *files, x_val, y_val = files
        domains = Domains(files[::2], files[1::2], [x_val], [y_val])
        ways = {
            "decoded": UnpairedImages(domains, transforms, samples=len(files), seed=0),
            "cached": UnpairedImages(domains, transforms, samples=len(files), seed=0, cache=cache),
        }
        wall: dict[str, list[float]] = {name: [] for name in ways}
        core: dict[str, list[float]] = {name: [] for name in ways}
        for epoch in range(options.rounds):
            for name, images in ways.items():
                started, spent = time.perf_counter(), time.process_time()
                for index in range(len(images)):
                    images[(epoch, index)]
                wall[name].append((time.perf_counter() - started) / (2 * len(images)))
                core[name].append((time.process_time() - spent) / (2 * len(images)))
        megabytes = statistics.mean(path.stat().st_size for path in files) / 1e6
        print(f"{len(files)} PNGs of 1914x1052 and {megabytes:.1f} MB; one process, one thread")
        for kind, times in (("wall", wall), ("core", core)):
            rates = {name: 1 / statistics.median(values) for name, values in times.items()}
            ratios = [slow / fast for slow, fast in zip(*times.values(), strict=True)]
            print(
                f"{kind}: decoded {rates['decoded']:.1f} images/s, cached {rates['cached']:.1f} images/s, "
                f"ratio {statistics.median(ratios):.1f} (least {min(ratios):.1f} of {len(ratios)} rounds)"
            )


if __name__ == "__main__":
    main()
