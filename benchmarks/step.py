"""One training step: ours for every attention, beside the order of the released CUT code, and that code itself.

    python benchmarks/step.py                                   # 2 CPU threads, width 64, 256 x 256, fp32
    python benchmarks/step.py --released ../contrastive-unpaired-translation
    python benchmarks/step.py --device cuda --released ... --size 256 --steps 20
    python benchmarks/step.py --experiment small --size 64 --width 16 --patches 64 --threads 1 --rounds 30 --no-memory

All contenders run in turn, round after round, so that whatever else the machine does falls on all of them alike; the
ratio is the median over rounds of a contender's time to the reference's in the same round. Peak memory is
measured apart, each contender in a process of its own. `--released` is a clone of
github.com/taesungp/contrastive-unpaired-translation at commit b3ac297.

The released code keeps the plain layout here, its own. With channels innermost its instance norm, PyTorch's, gives a
single image a wrong gradient on a CPU (2.14.1: off by 1.4 of its norm), as in its encoding of one output: its numbers
would mean nothing. The last line says how far this build's is off at the batch asked for.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from hydra import compose, initialize_config_dir
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from src.config import naming, schema  # noqa: E402
from src.config.build import build_method  # noqa: E402
from src.losses.adversarial import discriminator_loss_fake, discriminator_loss_real, generator_loss  # noqa: E402
from src.losses.patch_nce import patch_nce  # noqa: E402
from src.methods.base import Batch  # noqa: E402
from src.methods.cut import CUT  # noqa: E402
from src.training.cuda_graph import CudaGraph  # noqa: E402

ATTENTIONS = ("none", "triplet", "external", "bam", "self", "entropy")
Step = Callable[[Batch], dict[str, Tensor]]


def register() -> None:
    """Make the configuration composable."""
    schema.register()
    naming.register()


def build(attention: str, options: argparse.Namespace) -> CUT:
    """The method as `python -m src.train experiment=<experiment>` builds it, at the width asked for."""
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        overrides = [f"experiment={options.experiment}", f"attention={attention}", f"generator.width={options.width}"]
        overrides += [f"selection.patches={options.patches}", "data.root=."]
        overrides += [f"discriminator.width={options.width}"] if options.experiment == "paper" else []
        config = compose("train", [*overrides, *options.overrides])
    torch.manual_seed(0)
    with torch.device(options.device):
        method: CUT = build_method(config)
    return method


def adam(parameters: Iterable[nn.Parameter], options: argparse.Namespace) -> torch.optim.Adam:
    """The optimiser of every contender; on a GPU, ours is fused and can be recorded."""
    extra = {"fused": True, "capturable": True} if options.fast else {}
    return torch.optim.Adam(parameters, lr=2e-4, betas=(0.5, 0.999), **extra)


def ours(attention: str, options: argparse.Namespace) -> Step:
    """Our step: one generation pass whose features are the keys, D before G."""
    method = build(attention, options)
    if options.fast:
        method.to(memory_format=torch.channels_last)
    g_adam, d_adam = adam(method.generator_parameters(), options), adam(method.discriminator_parameters(), options)

    def step(batch: Batch) -> dict[str, Tensor]:
        with torch.autocast(options.device, torch.bfloat16, enabled=options.fast):
            state = method.forward_pass(batch)
            d_terms = method.discriminator_terms(state)
        descend(d_terms, d_adam)
        method.D.requires_grad_(False)
        with torch.autocast(options.device, torch.bfloat16, enabled=options.fast):
            g_terms = method.generator_terms(state)
        descend(g_terms, g_adam)
        method.D.requires_grad_(True)
        return {**g_terms, **d_terms}

    return CudaGraph(step, lambda: True) if options.fast else step


def plain(options: argparse.Namespace) -> Step:
    """The same objective in the released order: x and y encoded once more for the keys, each term in its own pass."""
    method = build("none", options)
    g_adam, d_adam = adam(method.generator_parameters(), options), adam(method.discriminator_parameters(), options)

    def nce(source: Tensor, output: Tensor, key: Tensor) -> Tensor:
        query_features, key_features = method.G.encoder(output), method.G.encoder(source)
        places = method.H.choose(key_features, method.H.score(key_features, key), key, 0.0)
        embedded = method.H(key_features, places)
        query = method.H(query_features, places)
        return torch.stack([patch_nce(query[tap], embedded[tap], method.temperature) for tap in query]).mean()

    def step(batch: Batch) -> dict[str, Tensor]:
        fake, same = method.G(torch.cat([batch.x, batch.y])).split(len(batch.x))
        d_terms = {
            "d_fake": discriminator_loss_fake(method.D(fake.detach())),
            "d_real": discriminator_loss_real(method.D(batch.y)),
        }
        descend(d_terms, d_adam)
        method.D.requires_grad_(False)
        g_terms = {
            "gan": generator_loss(method.D(fake)),
            "nce_x": nce(batch.x, fake, batch.key) / 2,
            "nce_y": nce(batch.y, same, batch.key) / 2,
        }
        descend(g_terms, g_adam)
        method.D.requires_grad_(True)
        return {**g_terms, **d_terms}

    return step


def released(options: argparse.Namespace) -> Step:
    """The released code's own model object, driven as its train.py drives it."""
    model, _ = released_model(options)

    def step(batch: Batch) -> dict[str, Tensor]:
        model.set_input({"A": batch.x, "B": batch.y, "A_paths": [], "B_paths": []})
        model.optimize_parameters()
        return {"g": model.loss_G, "d": model.loss_D}

    return step


def released_model(options: argparse.Namespace) -> tuple[Any, Any]:
    """A CUTModel with its published defaults at the width asked for, and its module of networks."""
    folder = str(Path(options.released).resolve())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    from models.cut_model import CUTModel

    settings = SimpleNamespace(
        gpu_ids=[0] if options.device == "cuda" else [],
        isTrain=True,
        checkpoints_dir="/nonexistent",
        name="benchmark",
        preprocess="resize_and_crop",
        nce_layers="0,4,8,12,16",
        nce_idt=True,
        nce_includes_all_negatives_from_minibatch=False,
        nce_T=0.07,
        num_patches=options.patches,
        lambda_GAN=1.0,
        lambda_NCE=1.0,
        flip_equivariance=False,
        input_nc=3,
        output_nc=3,
        ngf=options.width,
        ndf=options.width,
        netG="resnet_9blocks",
        netD="basic",
        netF="mlp_sample",
        netF_nc=256,
        n_layers_D=3,
        normG="instance",
        normD="instance",
        no_dropout=True,
        init_type="xavier",
        init_gain=0.02,
        no_antialias=False,
        no_antialias_up=False,
        gan_mode="lsgan",
        lr=2e-4,
        beta1=0.5,
        beta2=0.999,
        direction="AtoB",
        batch_size=options.batch,
    )
    torch.manual_seed(0)
    model = CUTModel(settings)
    batch = images(options)
    model.data_dependent_initialize({"A": batch.x, "B": batch.y, "A_paths": [], "B_paths": []})
    return model, settings


def difference(options: argparse.Namespace) -> float:
    """Largest relative difference between our terms and the released code's, on equal weights, images and places."""
    model, _ = released_model(options)
    method = build("none", options)
    pairs = ((method.G, model.netG), (method.D, model.netD), (method.H.heads, model.netF))
    for mine, theirs in pairs:
        weights = [p for p in theirs.parameters() if p.requires_grad]
        for target, source in zip(mine.parameters(), weights, strict=True):
            target.data.copy_(source.data)
    batch = images(options)
    state = method.forward_pass(batch)
    taps = list(state.places)
    half = len(batch.x)
    forward, chosen = type(model.netF).forward, []

    def at_our_places(self: Any, feats: Any, num_patches: int, patch_ids: Any = None) -> Any:
        # one list of places a call there, so x and y each get those of our first image
        if patch_ids is None:
            index = 0 if not chosen else half
            chosen.append(index)
            patch_ids = [state.places[tap][index] for tap in taps]
        return forward(self, feats, num_patches, patch_ids)

    type(model.netF).forward = at_our_places
    model.set_input({"A": batch.x, "B": batch.y, "A_paths": [], "B_paths": []})
    model.forward()
    d_theirs, g_theirs = model.compute_D_loss(), model.compute_G_loss()
    type(model.netF).forward = forward
    d_ours = torch.stack(list(method.discriminator_terms(state).values())).sum()
    g_ours = torch.stack(list(method.generator_terms(state).values())).sum()
    return max(float(((a - b).abs() / b.abs()).detach()) for a, b in ((d_ours, d_theirs), (g_ours, g_theirs)))


def norm_fault(options: argparse.Namespace) -> float:
    """Relative error of the gradient of PyTorch's instance norm, the released code's, with channels innermost."""
    draws = torch.Generator().manual_seed(2)
    shape = (options.batch, 8, 16, 16)
    x, direction = (torch.randn(shape, generator=draws).to(options.device) for _ in range(2))
    found = []
    for layout in (torch.contiguous_format, torch.channels_last):
        image = x.clone().requires_grad_()
        nn.InstanceNorm2d(8)(image).backward(direction.contiguous(memory_format=layout))
        assert image.grad is not None
        found.append(image.grad)
    return float((found[1] - found[0]).norm() / found[0].norm())


def descend(terms: dict[str, Tensor], optimizer: torch.optim.Optimizer) -> None:
    """One step of one player."""
    torch.stack(list(terms.values())).sum().backward()
    optimizer.step()
    optimizer.zero_grad()


def images(options: argparse.Namespace) -> Batch:
    """A batch of noise; the arithmetic does not depend on what is in it."""
    draws = torch.Generator().manual_seed(1)
    shape = (options.batch, 3, options.size, options.size)
    x, y = (torch.rand(shape, generator=draws).to(options.device) * 2 - 1 for _ in range(2))
    return Batch(x, y, torch.arange(options.batch, device=options.device), 0.0)


def contender(name: str, options: argparse.Namespace) -> Step:
    """By name: `released`, `plain`, an attention, or an attention with `+fast`: bf16, channels last, CUDA graph."""
    attention, _, fast = name.partition("+")
    options = argparse.Namespace(**{**vars(options), "fast": fast == "fast"})
    if attention == "released":
        return released(options)
    return plain(options) if attention == "plain" else ours(attention, options)


def seconds(step: Step, batch: Batch, steps: int, device: str) -> float:
    """Of one step, over `steps` in a row."""
    start = time.perf_counter()
    for _ in range(steps):
        step(batch)
    if device == "cuda":
        torch.cuda.synchronize()
    return (time.perf_counter() - start) / steps


def matmul_rate(device: str) -> float:
    """Floating-point operations a second of a large fp32 matrix product on this device, now."""
    size = 8192 if device == "cuda" else 1536
    a = torch.rand(size, size, device=device)
    a @ a
    repeats = 5
    if device == "cuda":
        torch.cuda.synchronize()
    start = time.perf_counter()
    for _ in range(repeats):
        a @ a
    if device == "cuda":
        torch.cuda.synchronize()
    return repeats * 2 * size**3 / (time.perf_counter() - start)


def flops(step: Step, batch: Batch) -> int:
    """Multiplications and additions of one step, forward and backward."""
    with FlopCounterMode(display=False) as counter:
        step(batch)
    return int(counter.get_total_flops())


def memory(name: str, options: argparse.Namespace) -> float:
    """Peak memory of two steps in GB, above what the process held before them on a CPU."""
    command = [sys.executable, __file__, "--measure-memory", name, "--device", options.device]
    command += ["--size", str(options.size), "--width", str(options.width), "--batch", str(options.batch)]
    command += [
        "--patches",
        str(options.patches),
        "--threads",
        str(options.threads),
        "--experiment",
        options.experiment,
    ]
    command += ["--released", options.released] if options.released else []
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(result.stdout.strip().splitlines()[-1])


def measure_memory(options: argparse.Namespace) -> None:
    """In a process of its own."""
    before = peak_resident()
    step, batch = contender(options.measure_memory, options), images(options)
    for _ in range(5 if options.device == "cuda" else 2):
        step(batch)
    if options.device == "cuda":
        print(torch.cuda.max_memory_allocated() / 1e9)
    else:
        print(peak_resident() - before)


def peak_resident() -> float:
    """GB this process has held at most; getrusage's figure would include the process that started it."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024 / 1e9


def main() -> None:
    """Measure and print a table; the same as JSON on the last line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--experiment", default="paper", help="whose method: paper, small")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--patches", type=int, default=256)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=1, help="in a row, each round")
    parser.add_argument("--only", nargs="*", help="contenders; all by default")
    parser.add_argument("--released", help="clone of the released CUT code")
    parser.add_argument("--no-memory", action="store_true")
    parser.add_argument("--measure-memory", help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.fast, options.overrides = False, []
    torch.set_num_threads(options.threads)
    register()
    if options.measure_memory:
        measure_memory(options)
        return
    names = options.only or [*(["released"] if options.released else []), "plain", *ATTENTIONS]
    if options.device == "cuda" and not options.only:
        names += [f"{name}+fast" for name in ATTENTIONS]
    batch = images(options)
    steps = {name: contender(name, options) for name in names}
    for name in names:
        for _ in range(6 if options.device == "cuda" else 1):
            steps[name](batch)
        print(f"{name}: ready", file=sys.stderr)
    times: dict[str, list[float]] = {name: [] for name in names}
    rates = []
    for number in range(options.rounds):
        for name in names:
            times[name].append(seconds(steps[name], batch, options.steps, options.device))
        rates.append(matmul_rate(options.device))
        print(f"round {number + 1} of {options.rounds}", file=sys.stderr)
    reference, rate = names[0], statistics.median(rates)
    rows = []
    for name in names:
        operations = None if name.endswith("+fast") else flops(steps[name], batch)
        median = statistics.median(times[name])
        ratio = statistics.median(t / r for t, r in zip(times[name], times[reference], strict=True))
        rows.append(
            {
                "step": name,
                "seconds": median,
                f"time / {reference}": ratio,
                "peak GB": None if options.no_memory else memory(name, options),
                "TFLOP": None if operations is None else operations / 1e12,
                "of matmul rate": None if operations is None else operations / median / rate,
            }
        )
        print(" | ".join("-" if v is None else v if isinstance(v, str) else f"{v:.3g}" for v in rows[-1].values()))
    named = ("device", "experiment", "size", "width", "batch", "patches", "threads")
    protocol = {name: getattr(options, name) for name in named}
    protocol["gradient error of the library's instance norm, channels innermost"] = norm_fault(options)
    if options.released and options.device == "cpu":
        protocol["largest difference of losses on equal weights"] = difference(options)
    print(json.dumps({"rows": rows, "protocol": {**protocol, "torch": torch.__version__, "fp32 matmul FLOP/s": rate}}))


if __name__ == "__main__":
    main()
