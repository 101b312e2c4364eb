"""The root of every configuration, typed: what no class below it owns."""

import functools
import os
from pathlib import Path

from hydra.core.config_store import ConfigStore
from omegaconf import OmegaConf

from src.config.schema.reading import (
    CheckConfig,
    ContentConfig,
    DashboardConfig,
    DemoConfig,
    EvaluateConfig,
    ExplainConfig,
    ExportConfig,
    PublishConfig,
    StudyConfig,
    TranslateConfig,
)
from src.config.schema.training import SegmentConfig, TrainConfig
from src.system.errors import UserError
from src.system.unpromised import ignore

__all__ = [
    "ROOTS",
    "CheckConfig",
    "ContentConfig",
    "DashboardConfig",
    "DemoConfig",
    "EvaluateConfig",
    "ExplainConfig",
    "ExportConfig",
    "PublishConfig",
    "SegmentConfig",
    "StudyConfig",
    "TrainConfig",
    "TranslateConfig",
    "cache",
    "environment",
    "register",
]


ROOTS = {
    **{
        "train": TrainConfig,
        "prepare": TrainConfig,
        "content": ContentConfig,
        "study": StudyConfig,
        "explain": ExplainConfig,
    },
    **{"segment": SegmentConfig, "translate": TranslateConfig, "export": ExportConfig, "publish": PublishConfig},
    **{"evaluate": EvaluateConfig, "check": CheckConfig, "dashboard": DashboardConfig, "demo": DemoConfig},
}
"""The schema of each conf/<name>.yaml that a command reads."""

# conf/hydra/launcher refines the plugins' own configurations of the same names, and fits them; now, as a launcher's
# processes read them before they run anything of ours
ignore("launcher")


def cache() -> str | None:
    """Folder for what later runs may use again, made if missing; None where none can be, which is said once."""
    return _cache(f"{os.environ.get('XDG_CACHE_HOME') or '~/.cache'}/attention-cut")


@functools.cache
def _cache(name: str) -> str | None:
    try:
        folder = Path(name).expanduser()
        folder.mkdir(parents=True, exist_ok=True)
        reason = "" if os.access(folder, os.W_OK | os.X_OK) else "not writable"
    except (OSError, RuntimeError) as error:  # the latter for a user without a home
        reason = getattr(error, "strerror", None) or "no home folder"
    if not reason:
        return name
    from src.system.ranks import say  # with PyTorch, and --help comes before it

    say(f"{name}: no folder for features of images ({reason}); going on without, or give metrics.cache=<folder>")
    return None


def environment(name: str, default: str | None = None) -> str:
    """Refuse: a configuration is written to disk, and what stands in the environment may be a secret."""
    raise UserError(f"${{oc.env:{name}}}: a configuration takes nothing from the environment; write the value")


def register() -> None:
    """Make the schemas known to Hydra, and the resolvers to OmegaConf."""
    OmegaConf.register_new_resolver("cache", cache, replace=True)
    OmegaConf.register_new_resolver("oc.env", environment, replace=True)
    store = ConfigStore.instance()
    ignore("launcher")  # again: a test has filters of its own
    for name, root in ROOTS.items():
        if f"{name}_schema.yaml" not in store.repo:  # it takes a while, and is asked for at every look at conf/
            store.store(name=f"{name}_schema", node=root)
