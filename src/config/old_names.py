"""What classes were called when older runs were begun: whoever reads a run's configuration reads today's names."""

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


def renamed(node: Any) -> Any:
    """A configuration, as nested dicts and lists, with every `_target_` as it is called now; all else as it is."""
    if isinstance(node, dict):
        return {key: _today(value) if key == "_target_" else renamed(value) for key, value in node.items()}
    return [renamed(value) for value in node] if isinstance(node, list) else node


def _today(target: Any) -> Any:
    old = next((old for old in OLD if isinstance(target, str) and target.startswith(old)), None)
    return target if old is None else OLD[old] + target.removeprefix(old)
