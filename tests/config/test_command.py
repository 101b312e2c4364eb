"""What is done around every command's task."""

import gc
import weakref
from collections.abc import Iterator
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, open_dict

from src.config import naming, schema
from src.config.command import entry
from src.system.errors import UserError
from tests.conftest import CONF


@pytest.fixture
def sweep() -> Iterator[DictConfig]:
    """The configuration of a job of one."""
    schema.register()
    naming.register()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("train", ["hydra.mode=MULTIRUN"], return_hydra_config=True)
    HydraConfig.instance().set_config(config)
    config = config.copy()
    with open_dict(config):
        del config["hydra"]
    yield config
    HydraConfig.instance().cfg = None


class Network:
    """Something large."""


@pytest.mark.parametrize("kind", [UserError, MemoryError])
def test_what_a_failed_job_held_is_free_for_the_next(kind: type[Exception], sweep: DictConfig):
    """Hydra keeps the exceptions of jobs until a sweep ends, and each would keep the memory of the step that failed."""
    held: list[weakref.ref[Network]] = []

    def step(network: Network) -> None:
        raise kind("too large")

    def task(config: Any) -> None:
        network = Network()
        held.append(weakref.ref(network))
        try:
            step(network)
        except kind as error:
            raise error from error  # as some libraries do

    with pytest.raises(Exception, match="too large") as kept:
        entry("train")(task)(sweep)
    gc.collect()
    assert kept.value.__traceback__ is not None
    assert [one() for one in held] == [None]
