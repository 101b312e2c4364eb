"""What most tests build: a method of a few thousand parameters, straight from conf/."""

import copy
import os
import shutil
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
# on tensors as small as the tests' more threads only wait for each other; also in the commands that tests start
os.environ["OMP_NUM_THREADS"] = "1"
# likewise less is made of garbage in them, see there
os.environ["PYTHONPATH"] = os.pathsep.join(
    filter(None, [str(Path(__file__).resolve().parent / "started"), os.environ.get("PYTHONPATH")])
)

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from hypothesis import HealthCheck, settings
from omegaconf import DictConfig
from PIL import Image
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

from src.config import naming, schema
from src.config.build import build_method
from src.methods.base import Batch
from src.methods.cut import CUT
from tests import garbage, read_once
from tests.hub import Hub

read_once.begin()

# the same examples every time; more of them: pytest <file> -n 0 --hypothesis-profile=thorough
settings.register_profile(
    "quick", max_examples=20, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)
settings.register_profile("thorough", settings.get_profile("quick"), max_examples=500, derandomize=False)
settings.load_profile("quick")

CONF = Path(__file__).resolve().parent.parent / "conf"
ATTENTIONS = sorted(path.stem for path in (CONF / "attention").glob("*.yaml"))
SELECTIONS = sorted(path.stem for path in (CONF / "selection").glob("*.yaml"))
# a fresh residual G is the identity, of which most tests would see too little; a D that looks through a network is slow
PLAIN = [
    "nce_identity=1",
    *("generator.output=plain", "generator.align=false"),
    *(
        "discriminator=discriminator",
        "discriminator.halvings=2",
        "discriminator.translation=0",
        "discriminator.cutout=0",
    ),
]
TINY = ["generator.width=4", "discriminator.width=4", "sampler.embedding=16", "selection.patches=8", *PLAIN]
# to draw the panel takes longer than the steps of an epoch; for runs whose panels no test looks at
UNDRAWN = "~callbacks.image_grid"
# likewise the table and the page of a sweep, drawn after each job
UNTABLED = "~hydra.callbacks.table"


# minutes each, begun first, so that all processes of tests end together: a file is one process's
LONG = (
    "ranks",
    "train",
    "resuming",
    "base_install",
    "browser",
    "endings",
    "recipe",
    "wandb_run",
    "sweeps",
    "notebooks",
    "experiments",
    "evaluate",
    "study",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    names = [f"test_{name}" for name in LONG]
    items.sort(key=lambda item: names.index(item.path.stem) if item.path.stem in names else len(names))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    with garbage.not_looked_for():
        return (yield)


CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory: pytest.TempPathFactory):
    """Features kept by earlier sessions, or by the user's own runs, must not serve the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


def config(*overrides: str) -> DictConfig:
    """conf/train.yaml with overrides, as the command line would compose it."""
    return composed("train", *overrides)


def composed(name: str, *overrides: str) -> DictConfig:
    """conf/<name>.yaml likewise; Hydra takes a quarter of a second, and most tests ask for what others asked for."""
    return copy.deepcopy(_composed(name, *overrides))


@lru_cache(maxsize=1024)
def _composed(name: str, *overrides: str) -> DictConfig:
    schema.register()
    naming.register()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose(name, list(overrides))


def cut(*overrides: str, seed: int = 0) -> CUT:
    """A tiny CUT with seeded weights."""
    torch.manual_seed(seed)
    method = build_method(config(*TINY, *overrides))
    assert isinstance(method, CUT)
    return method


def batch(size: int = 1, height: int = 32, width: int = 32, seed: int = 0, progress: float = 0.0) -> Batch:
    """Smooth random images, which have structure at every tap."""
    generator = torch.Generator().manual_seed(seed)

    def images() -> torch.Tensor:
        coarse = torch.rand(size, 3, 8, 8, generator=generator) * 2 - 1
        return torch.nn.functional.interpolate(coarse, (height, width), mode="bicubic").clamp(-1, 1)

    return Batch(images(), images(), torch.arange(size) + 1000 * seed + 1, progress)


@pytest.fixture(scope="session")
def inception_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights under the right names: its constructor only knows how to load, so loading is left out once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("torch_fidelity.feature_extractor_inceptionv3.load_state_dict_from_url", lambda *a, **k: {})
        patch.setattr(FeatureExtractorInceptionV3, "load_state_dict", lambda self, state: None)
        torch.manual_seed(0)
        network = FeatureExtractorInceptionV3("inception", ["2048"])
    for layer in network.modules():
        if isinstance(layer, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(layer.weight)  # or features would vanish over 50 layers
    torch.nn.init.normal_(network.fc.weight)
    path = tmp_path_factory.mktemp("inception") / "weights.pth"
    torch.save(network.state_dict(), path)
    return path


@pytest.fixture
def frames(tmp_path: Path) -> Callable[..., Path]:
    """Writes a root with trainA, trainB, testA and testB: smooth frames of several sizes, two looks."""

    def write(train: int = 5, test: int = 3, size: tuple[int, int] = (40, 56)) -> Path:
        root = tmp_path / "frames"
        for number, (name, count) in enumerate(
            {"trainA": train, "trainB": train + 1, "testA": test, "testB": test}.items()
        ):
            (root / name).mkdir(parents=True)
            for index in range(count):
                draws = np.random.default_rng([number, index])
                coarse = Image.fromarray(draws.integers(0, 256, (6, 8, 3), dtype=np.uint8))
                resized = coarse.resize(
                    (size[1] + 4 * (index % 2), size[0] + 4 * (index % 3)), Image.Resampling.BICUBIC
                )
                resized.save(root / name / f"{index:03d}.png")
        return root

    return write


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A Hub without repositories; this process's client finds it, with a cache of its own and no token."""
    import huggingface_hub.constants as client

    from src.runs import hub

    server = Hub()
    monkeypatch.setattr(client, "ENDPOINT", server.url)
    monkeypatch.setattr(client, "HUGGINGFACE_CO_URL_TEMPLATE", server.url + "/{repo_id}/resolve/{revision}/{filename}")
    monkeypatch.setattr(client, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(client, "HF_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.setattr(client, "HF_HUB_DISABLE_XET", True)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    hub._snapshot.cache_clear()
    yield server
    hub._snapshot.cache_clear()
    server.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        if os.environ.get("CI"):
            pytest.fail("Chromium is not installed, which .ci/run does", pytrace=False)
        pytest.skip("Chromium is not installed (apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # no sandbox: the page is ours, and as root Chromium has none
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How many bad inputs were refused: each test of tests/bad_inputs is one, but for those marked as accepted."""
    passed = terminalreporter.stats.get("passed", [])
    refused = [one for one in passed if "tests/bad_inputs/" in one.nodeid and "accepted" not in one.keywords]
    if refused:
        terminalreporter.write_line(f"bad inputs: {len(refused)} refused")
