"""Memory for time: what lies between two convolutions is computed again in backward instead of being kept."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.utils.checkpoint import (
    CheckpointPolicy,
    SelectiveCheckpointContext,
    checkpoint,
    create_selective_checkpoint_contexts,
)


def recomputed(part: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """part(x), of which autograd keeps x and what convolutions gave; norms, ReLUs, borders and blurs run again.

    The same operations give the same numbers, so outputs and gradients are those of part(x) to the bit. In a G of width
    64 convolutions are nine tenths of the work, and less than half of what would be kept.

    Args:
        part: without random draws.
        x: what it reads.
    """
    if not torch.is_grad_enabled() or torch.compiler.is_compiling():
        return part(x)
    out: Tensor = checkpoint(part, x, use_reentrant=False, preserve_rng_state=False, context_fn=_CONTEXTS)
    return out


def _policy(context: SelectiveCheckpointContext, operation: Any, *args: Any, **kwargs: Any) -> CheckpointPolicy:
    # a blur is a convolution with as many groups as channels, and costs next to nothing
    costly = operation is torch.ops.aten.convolution.default and args[8] == 1
    return CheckpointPolicy.MUST_SAVE if costly else CheckpointPolicy.PREFER_RECOMPUTE


_CONTEXTS = partial(create_selective_checkpoint_contexts, _policy)
