"""What a user adds to a configuration is a setting of something, or is refused: nothing is passed over in silence.

Nodes with a `_target_` are held against its signature, see src.config.signatures; here is the rest.
"""

from collections.abc import Collection
from dataclasses import fields

from omegaconf import DictConfig, OmegaConf

from src.system.errors import UserError, did_you_mean

GROUPS = {
    "attention": ("taps", "module"),
    "metrics": ("scores", "every_n_epochs", "per_image", "cache"),
}
"""What the groups hold that are no class's settings; `callbacks` and `logger` are open to more, and say so."""


def demand_known(config: DictConfig, root: type) -> None:
    """Raise UserError for a key of the root, or of one of GROUPS, that nothing reads.

    Args:
        config: as composed.
        root: its dataclass in src.config.schema.
    """
    _demand(config, "", [field.name for field in fields(root)])
    for group, names in GROUPS.items():
        if isinstance(node := OmegaConf.select(config, group), DictConfig):
            _demand(node, f"{group}.", names)


def _demand(node: DictConfig, prefix: str, names: Collection[str]) -> None:
    for key in map(str, node):
        if key not in names:
            raise UserError(f"{prefix}{key}: there is no such setting{did_you_mean(key, names) or '; leave it out'}")
