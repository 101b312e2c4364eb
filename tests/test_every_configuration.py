"""hypothesis over configurations: what composes trains two steps, or is refused in one line of ours; nothing else.

More of them: pytest tests/test_every_configuration.py --hypothesis-profile=thorough -n 0
"""

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import torch
from hydra.errors import HydraException
from hypothesis import event, example, given
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import load_file

from src.networks.efficientnet import frozen
from src.networks.generator import TAPS
from src.system.errors import UserError
from src.training.run import train
from src.training.validation import Validation
from tests.conftest import ATTENTIONS, SELECTIONS, config

GROUPS = {
    "discriminator": st.just("discriminator"),
    "attention": st.sampled_from(ATTENTIONS),
    "method": st.sampled_from(["cut", "fastcut", "monce", "cyclegan", "cyclegan_original"]),
    "selection": st.sampled_from(SELECTIONS),
}
VALUES = {
    "data.size": st.sampled_from([32, 32, 36, 33, 16]),
    "data.aspect": st.sampled_from([1.0, 1.3, 0.3, 0.0]),
    "data.fit": st.sampled_from(["cover", "stretch", "width"]),
    "data.load_scale": st.sampled_from([1.0, 1.117, 2.0]),
    "data.batch_size": st.integers(1, 4),
    "data.samples_per_epoch": st.sampled_from([4, 5, 8, "null"]),
    "selection.patches": st.sampled_from([2, 7, 16, 64, 257, 1]),
    "attention.taps": st.lists(st.sampled_from([*TAPS, *TAPS, "block9"]), unique=True).map(
        lambda taps: f"[{','.join(taps)}]"
    ),
    "sampler.embedding": st.sampled_from([1, 8]),
    "generator.width": st.sampled_from([4, 4, 1, 3, 0]),
    "discriminator.width": st.sampled_from([4, 1]),
    "discriminator.halvings": st.sampled_from([2, 3, 1, 4]),
    "generator.blur": st.booleans(),
    "generator.init": st.sampled_from(["xavier", "normal"]),
    "module.accumulate": st.integers(1, 3),
    "module.decay": st.sampled_from([0.0, 0.5, 1.0]),
    "module.ema_decay": st.sampled_from([0.0, 0.999]),
    "module.channels_last": st.booleans(),
    "trainer.precision": st.sampled_from(["32-true", "32-true", "bf16-mixed", "64-true", "16-true"]),
    "trainer.limit_train_batches": st.sampled_from([2, 2, 0.5]),
    "optimizer.lr": st.sampled_from([1e-3, 1.0, 0.0]),
    "nce_reduction": st.sampled_from(["mean", "sum"]),
    "seed": st.integers(0, 3),
}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("frames")
    for number, name in enumerate(("trainA", "trainB", "testA", "testB")):
        (folder / name).mkdir()
        for index in range(4):
            size = (40 + 4 * index, 40 + 8 * number, 3)
            pixels = np.random.default_rng([number, index]).integers(0, 256, size, dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{index}.png")
    return folder


def references(validation: Validation, where: torch.device) -> dict[str, float]:
    names = validation.scores.names
    return {f"{name}_{suffix}": 0.0 for name in names for suffix in ("source", "transfer", "aligned")}


@pytest.fixture(scope="module", autouse=True)
def _steps_alone() -> Iterator[None]:
    """Scores and pictures follow the steps, take most of a run's time, and depend on few of these settings."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("src.metrics.efficientnet.frozen", lru_cache(frozen))
        patch.setattr(
            "src.training.validation.Validation.score", lambda self, *a, **k: dict.fromkeys(self.scores.names, 0.0)
        )
        patch.setattr("src.training.validation.Validation.references", references)
        patch.setattr("src.training.callbacks.image_grid.ImageGrid.on_train_epoch_end", lambda *a: None)
        yield


def overrides(groups: dict[str, str], values: dict[str, object]) -> list[str]:
    return [
        f"{key}={str(value).lower() if isinstance(value, bool) else value}" for key, value in (groups | values).items()
    ]


@given(groups=st.fixed_dictionaries(GROUPS), values=st.fixed_dictionaries({}, optional=VALUES))
@example(groups={"attention": "self", "method": "cut", "selection": "spread", "discriminator": "projected"}, values={})
@example(
    groups={"attention": "bam", "method": "cyclegan", "selection": "topk", "discriminator": "projected"},
    values={"selection.patches": 257, "trainer.precision": "bf16-mixed", "module.channels_last": True},
)
def test_a_configuration_trains_two_steps_or_is_refused(groups: dict[str, str], values: dict[str, object], root: Path):
    tiny = ["trainer=cpu", "data=folders", f"data.root={root}", "data.num_workers=0", "trainer.max_epochs=1"]
    defaults = {
        "data.size": 32,
        "generator.width": 4,
        "discriminator.width": 4,
        "sampler.embedding": 8,
        "selection.patches": 8,
        "data.samples_per_epoch": 8,
        "trainer.limit_train_batches": 2,
    }
    tensors, refusal = {}, ""
    with TemporaryDirectory() as folder:
        try:
            train(config(*tiny, *overrides(groups, defaults | values)), Path(folder))
            tensors = load_file(Path(folder) / "weights.safetensors")
        except HydraException as error:
            refusal = str(error).splitlines()[0]
        except UserError as error:
            refusal = str(error)
    event("refused" if refusal else "trained")
    assert len(refusal.splitlines()) == (0 if tensors else 1)
    assert all(tensor.isfinite().all() for tensor in tensors.values())
