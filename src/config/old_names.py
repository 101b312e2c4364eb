"""What classes and settings were called when older runs were begun: whoever reads them reads today's names."""

from typing import Any

OLD = {
    "src.callbacks.": "src.training.callbacks.",
    "src.data.labelled_data.": "src.downstream.data.",
    "src.modules.segmentation.": "src.downstream.module.",
    "src.modules.translation.": "src.training.translation.",
    "src.segmenters.segmenter.": "src.downstream.segmenter.",
    "src.tracking.": "src.training.wandb.",
}
"""What a `_target_` began with, and begins with now."""


KEYS = {"method.init_from": "init_from"}
"""What settings were called, and are called now; typed as well as in a configuration."""


def typed(override: str) -> str:
    """An override of the command line with today's name of what it sets."""
    key, sign, value = override.partition("=")
    return KEYS.get(key.lstrip("+"), key) + sign + value


def in_place(config: Any) -> Any:
    """A whole configuration, as nested dicts and lists, with today's names of classes and settings."""
    config = renamed(config)
    for old, new in KEYS.items():
        group, _, name = old.partition(".")
        if isinstance(config, dict) and isinstance(node := config.get(group), dict) and name in node:
            config.setdefault(new, node.pop(name))
    return config


def renamed(node: Any) -> Any:
    """A configuration, as nested dicts and lists, with every `_target_` as it is called now; all else as it is."""
    if isinstance(node, dict):
        return {key: _today(value) if key == "_target_" else renamed(value) for key, value in node.items()}
    return [renamed(value) for value in node] if isinstance(node, list) else node


def _today(target: Any) -> Any:
    old = next((old for old in OLD if isinstance(target, str) and target.startswith(old)), None)
    return target if old is None else OLD[old] + target.removeprefix(old)
