"""A whole frame through G: PyTorch layer by layer (eager), beside what `src.translate` does.

    OMP_NUM_THREADS=2 python benchmarks/translate.py                  # 1914x1052, width 64
    OMP_NUM_THREADS=1 python benchmarks/translate.py --height 528 --width 960

Both run in turn, round after round; the ratios are medians over rounds, of wall time and of the time the process had
on its cores, which other jobs on the machine disturb less. Peak memory is the resident set of a process of its own
each, the libraries included.
"""

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

import torch
from torch import Tensor, nn

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from src.networks.generator import Generator  # noqa: E402
from src.translation.any_size import translate_images  # noqa: E402
from src.translation.strips.strips import working_bytes  # noqa: E402

WAYS = ("eager", "ours", "recomputed")


def generator(channels: int) -> Generator:
    """With weights that spread the output over its range, as training does."""
    torch.manual_seed(0)
    network = Generator(width=channels, blur=True, init="xavier", gain=0.02).eval().requires_grad_(False)
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.03)
    return network


def image(height: int, width: int) -> Tensor:
    """Smooth, with some noise."""
    coarse = torch.rand(1, 3, height // 32, width // 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    smooth = nn.functional.interpolate(coarse, (height, width), mode="bicubic")
    return (smooth + 0.05 * torch.randn(smooth.shape, generator=torch.Generator().manual_seed(1))).clamp(-1, 1)


def output(way: str, network: Generator, x: Tensor) -> Tensor:
    """`recomputed` is `ours` under the least memory limit it takes."""
    if way == "eager":
        with torch.no_grad():
            padded = nn.functional.pad(x, (0, -x.shape[3] % 4, 0, -x.shape[2] % 4), mode="replicate")
            whole: Tensor = network(padded)
            return whole[:, :, : x.shape[2], : x.shape[3]]
    if way == "ours":
        return translate_images(network, x)
    size = (x.shape[2] + -x.shape[2] % 4, x.shape[3] + -x.shape[3] % 4)
    return translate_images(network, x, working_bytes(network, *size, keep=False) / 2**30)


def main() -> None:
    """Time the ways in turn, compare their outputs, measure their memory."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--height", type=int, default=1052)
    parser.add_argument("--width", type=int, default=1914)
    parser.add_argument("--channels", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--memory-of", choices=WAYS, help="run this alone once and print its peak in MiB")
    options = parser.parse_args()
    network, x = generator(options.channels), image(options.height, options.width)
    if options.memory_of:
        output(options.memory_of, network, x)
        # of this process; getrusage would give the peak of the one that started it
        print(int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) // 1024)
        return
    wall: dict[str, list[float]] = {way: [] for way in WAYS}
    cores: dict[str, list[float]] = {way: [] for way in WAYS}
    outputs: dict[str, Tensor] = {}
    for _ in range(options.rounds):
        for way in WAYS:
            started, spent = time.perf_counter(), time.process_time()
            outputs[way] = output(way, network, x)
            wall[way].append(time.perf_counter() - started)
            cores[way].append(time.process_time() - spent)
    print(f"{options.width}x{options.height}, width {options.channels}, {torch.get_num_threads()} threads, CPU")
    for way in WAYS:
        command = [sys.executable, __file__, "--memory-of", way, *sys.argv[1:]]
        peak = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        away = float((outputs[way] - outputs["eager"]).abs().max()) * 127.5
        ratios = [
            statistics.median(own / eager for own, eager in zip(times[way], times["eager"], strict=True))
            for times in (wall, cores)
        ]
        print(
            f"{way:>10}: {statistics.median(wall[way]):6.1f} s wall, {statistics.median(cores[way]):6.1f} s on cores, "
            f"ratios {ratios[0]:.2f} and {ratios[1]:.2f}, peak {peak / 1024:.2f} GiB, "
            f"at most {away:.4f} grey levels from eager"
        )


if __name__ == "__main__":
    main()
