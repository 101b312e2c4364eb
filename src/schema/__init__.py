"""The root of every configuration, typed: what no class below it owns."""

import os
import warnings

from hydra.core.config_store import ConfigStore
from omegaconf import OmegaConf

from src.errors import UserError
from src.schema.reading import (
    CheckConfig,
    ContentConfig,
    DashboardConfig,
    EvaluateConfig,
    ExplainConfig,
    ExportConfig,
    StudyConfig,
    TranslateConfig,
)
from src.schema.training import SegmentConfig, TrainConfig

__all__ = [
    "CheckConfig",
    "ContentConfig",
    "DashboardConfig",
    "EvaluateConfig",
    "ExplainConfig",
    "ExportConfig",
    "SegmentConfig",
    "StudyConfig",
    "TrainConfig",
    "TranslateConfig",
    "cache",
    "environment",
    "register",
]


def cache() -> str:
    """Folder for what later runs may use again."""
    return f"{os.environ.get('XDG_CACHE_HOME') or '~/.cache'}/attention-cut"


def environment(name: str, default: str | None = None) -> str:
    """Refuse: a configuration is written to disk, and what stands in the environment may be a secret."""
    raise UserError(f"${{oc.env:{name}}}: a configuration takes nothing from the environment; write the value")


def register() -> None:
    """Make the schemas known to Hydra, and the resolvers to OmegaConf."""
    OmegaConf.register_new_resolver("cache", cache, replace=True)
    OmegaConf.register_new_resolver("oc.env", environment, replace=True)
    store = ConfigStore.instance()
    # conf/hydra/launcher refines the plugin's own configurations of the same names, and fits them
    warnings.filterwarnings("ignore", message=r"\s*'hydra/launcher/.*' is validated against ConfigStore schema")
    schemas = {
        **{"train": TrainConfig, "content": ContentConfig, "study": StudyConfig, "explain": ExplainConfig},
        **{"segment": SegmentConfig, "translate": TranslateConfig, "export": ExportConfig},
        **{"evaluate": EvaluateConfig, "check": CheckConfig, "dashboard": DashboardConfig},
    }
    for name, node in schemas.items():
        store.store(name=f"{name}_schema", node=node)
