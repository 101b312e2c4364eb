"""The learning rate: constant, then linear to zero (CycleGAN's and CUT's "linear" policy); or polynomial."""

from collections.abc import Iterable

from torch.optim.lr_scheduler import LambdaLR


def linear_decay(epoch: int, *, max_epochs: int, decay: float) -> float:
    """Factor of the learning rate in `epoch` (from 0): 1 - max(0, epoch + 1 - n) / (n_decay + 1).

    n_decay = round(decay * max_epochs) epochs decay after n constant ones; 200 and 200 in the paper. The last
    epoch still has 1 / (n_decay + 1) of the rate.
    """
    n_decay = round(decay * max_epochs)
    return 1 - max(0, epoch + 1 - (max_epochs - n_decay)) / (n_decay + 1)


def polynomial_decay(batch: int, *, batches: int, power: float) -> float:
    """Factor of the learning rate for `batch` (from 0): (1 - batch / batches) ** power, DeepLab's "poly" policy."""
    return float(max(0.0, 1 - batch / batches) ** power)


def restart(schedules: Iterable[LambdaLR]) -> None:
    """Set the rates that the schedules give now: of a run that is extended, which at its end had come to zero."""
    for schedule in schedules:
        for group, rate, factor in zip(
            schedule.optimizer.param_groups, schedule.base_lrs, schedule.lr_lambdas, strict=True
        ):
            group["lr"] = rate * factor(schedule.last_epoch)


def extension(begun: int, decay: float) -> str:
    """How a run that was begun with so many epochs went on beyond them, for its protocol."""
    share = linear_decay(begun - 1, max_epochs=begun, decay=decay)
    return f"beyond the {begun} epochs it was begun with, at their last rate, {share:.4g} of optimizer.lr"


def steps(batches: int, in_epoch: int, accumulate: int) -> int:
    """Steps after so many batches; the last window of an epoch is a step, however short."""
    epochs, rest = divmod(batches, in_epoch)
    return epochs * -(-in_epoch // accumulate) + -(-rest // accumulate)
