"""The learning rate: constant, then linear to zero (CycleGAN's and CUT's "linear" policy); or polynomial."""


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
