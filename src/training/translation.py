"""The one LightningModule: it trains any method, one player after the other, in the method's order."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from lightning import Trainer
from lightning.pytorch.core.optimizer import LightningOptimizer
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from src.data.unpaired import Sample
from src.methods.base import Batch, Method, Places
from src.metrics.coverage import coverage, mean_distance
from src.system.errors import UserError
from src.system.unpromised import log_interval
from src.training.average import WeightAverage
from src.training.counted import CountedModule
from src.training.cuda_graph import CudaGraph, rates_as_numbers, rates_on_device, recordable
from src.training.gradients import DISCRIMINATORS, GENERATORS, GradientNorms
from src.training.schedule import linear_decay, restart, steps

Updated = tuple[dict[str, Tensor], Any, dict[str, Tensor]]
"""Terms, what the forward pass left, and norms of the gradients that were stepped along."""


class Translation(CountedModule):
    """Manual optimisation: D terms -> step, and G terms with D frozen -> step; each term logged under its own name.

    A term that is NaN or infinite ends training: after its batch on a CPU, at the next entry of the log on a GPU
    (`trainer.log_every_n_steps`), and always before a checkpoint is written.

    Args:
        method: what is trained.
        optimizer: builds an optimiser from parameters.
        decay: share of the epochs in which the rate falls to zero.
        ema_decay: of the translator's weight average.
        accumulate: batches a step, the same as one joint batch of them: where D steps first, all of the window meet
            its new weights, for which G runs once more on all but the last. The log then holds the last batch's terms
            until the next window is over.
        channels_last: keep weights, and so features, with channels innermost in memory.
        cuda_graph: record the step once and replay it; one GPU, and an optimiser that is `capturable`.
    """

    held_from: int | None = None
    """Epoch (from 0) at which the run was extended: from there on the rate is held; None where it was not."""

    def __init__(
        self,
        method: Method[Any],
        *,
        optimizer: Callable[[Iterable[nn.Parameter]], Optimizer],
        decay: float,
        ema_decay: float,
        accumulate: int,
        channels_last: bool,
        cuda_graph: bool,
    ) -> None:
        super().__init__()
        if not 0 <= decay <= 1:
            raise UserError(f"module.decay must lie in [0, 1], got {decay}")
        if accumulate < 1:
            raise UserError(f"module.accumulate must be >= 1, got {accumulate}")
        if cuda_graph and accumulate > 1:
            raise UserError("module.cuda_graph records whole steps; set module.accumulate=1 and raise data.batch_size")
        self.automatic_optimization = False
        self.method = method
        self.average = WeightAverage(method.translator(), decay=ema_decay)
        if channels_last:
            self.to(memory_format=torch.channels_last)
        self.optimizer = optimizer
        self.decay = decay
        self.accumulate = accumulate
        self.cuda_graph = CudaGraph(self._update, lambda: method.settled) if cuda_graph else None
        self._window: list[Batch] = []
        self._latest: tuple[dict[str, Tensor], dict[str, Tensor], Places] | None = None
        self._gradients = GradientNorms(method)

    def check(self, trainer: Trainer, batches: int, *, masks: bool = False) -> None:
        """Refuse, before anything is written, what cannot be trained so.

        Args:
            trainer: of the run.
            batches: of an epoch.
            masks: whether batches have any.
        """
        if self.accumulate > batches:
            raise UserError(f"module.accumulate={self.accumulate} exceeds the {batches} batches of an epoch; lower it")
        if self.cuda_graph is None:
            return
        if masks:
            raise UserError(
                "module.cuda_graph records no ignore masks; set it to false, or data.ignore_x and data.ignore_y to null"
            )
        if not recordable(trainer):
            raise UserError("module.cuda_graph needs one NVIDIA GPU and no loss scaling; set it to false")

    def configure_optimizers(self) -> tuple[list[Optimizer], list[LambdaLR]]:
        """G's optimiser (with H) and D's, both on the same schedule."""
        optimizers = [
            self.optimizer(self.method.generator_parameters()),
            self.optimizer(self.method.discriminator_parameters()),
        ]
        max_epochs = self._planned_epochs()

        def factor(epoch: int) -> float:
            last = epoch if self.held_from is None else min(epoch, self.held_from - 1)
            return linear_decay(last, max_epochs=max_epochs, decay=self.decay)

        return optimizers, [LambdaLR(optimizer, factor) for optimizer in optimizers]

    def training_step(self, sample: Sample, batch_idx: int) -> None:
        """One batch for both players."""
        in_epoch = int(self.trainer.num_training_batches)
        progress = min(1.0, self.batches / (in_epoch * self._planned_epochs()))
        key, masks = torch.as_tensor(sample["key"]), (sample.get("ignored_x"), sample.get("ignored_y"))
        batch = Batch(sample["x"], sample["y"], key, progress, *masks)
        last = (batch_idx + 1) % self.accumulate == 0 or self.trainer.is_last_batch
        often = self.cuda_graph is not None or self.accumulate > 1
        self._gradients.wanted = self.trainer.precision != "16-mixed" and (often or self._logs(self.batches + 1))
        if self.cuda_graph is None:
            # the last window of an epoch may be shorter
            window = min(self.accumulate, in_epoch - batch_idx // self.accumulate * self.accumulate)
            terms, state, norms = self._update(batch, window, step=last)
        else:
            terms, state, norms = self.cuda_graph(batch)

        self.batches += 1
        if last:
            self.average.update(self.method.translator().parameters(), steps(self.batches, in_epoch, self.accumulate))
        if terms:
            self._latest = terms, norms, self.method.chosen(state)
        if self._latest is not None:
            self._log_terms(*self._latest)

    def _update(self, batch: Batch, window: int = 1, *, step: bool = True) -> Updated:
        """Both players' terms, whose gradients were added; {} while one waits."""
        norms = self._gradients.begin()
        if not self.method.generators_first:
            return *self._discriminators_first(batch, window, step=step), norms
        state = self.method.forward_pass(batch)
        g_terms = self._train_generators(state, window, step=step)
        d_terms = self._train_discriminators(state, window, step=step)
        return _detached({**g_terms, **d_terms}), state, norms

    def _discriminators_first(self, batch: Batch, window: int, *, step: bool) -> tuple[dict[str, Tensor], Any]:
        with torch.set_grad_enabled(step):  # before D's step nothing is differentiated but D
            state = self.method.forward_pass(batch)
        with torch.enable_grad():
            d_terms = self._train_discriminators(state, window, step=step)
        if not step:
            self._window.append(batch)
            return {}, state
        for waiting in self._window:
            self._train_generators(self.method.forward_pass(waiting), window, step=False)
        self._window.clear()
        g_terms = self._train_generators(state, window, step=True)
        return _detached({**g_terms, **d_terms}), state

    def on_train_start(self) -> None:
        """Set the rates of a run that is extended; put them where its steps read them."""
        if self.held_from is not None:
            restart(self._schedules())
        rates_as_numbers(self._optimizers())
        if self.cuda_graph is not None:
            rates_on_device(self._optimizers(), self.device)

    def _train_generators(self, state: Any, window: int, *, step: bool) -> dict[str, Tensor]:
        discriminators = list(self.method.discriminator_parameters())
        # frozen, or the generators' terms would leave gradients for D's next step, and autocast would reuse D's
        # weights as they were cast before it
        _require_grad(discriminators, False)
        terms = self.method.generator_terms(state)
        self._descend(terms, self._optimizers()[0], window, GENERATORS, step=step)
        _require_grad(discriminators, True)
        return terms

    def _train_discriminators(self, state: Any, window: int, *, step: bool) -> dict[str, Tensor]:
        terms = self.method.discriminator_terms(state)
        self._descend(terms, self._optimizers()[1], window, DISCRIMINATORS, step=step)
        return terms

    def _descend(
        self, terms: dict[str, Tensor], optimizer: LightningOptimizer, window: int, parts: Iterable[str], *, step: bool
    ) -> None:
        # autocast would take the products of the heads' gradients, whose forward is in fp32, in half precision
        with torch.autocast(self.device.type, enabled=False):
            self.manual_backward(torch.stack(list(terms.values())).sum() / window)
        if step:
            self._gradients.take(parts)
            optimizer.step()
            optimizer.zero_grad()

    def _logs(self, batches: int) -> bool:
        return batches % log_interval(self.trainer) == 0

    def _optimizers(self) -> list[LightningOptimizer]:
        optimizers = self.optimizers()
        assert isinstance(optimizers, list)
        return optimizers

    def _log_terms(self, terms: dict[str, Tensor], norms: dict[str, Tensor], places: Places) -> None:
        means = self._log_mean({f"train/{name}": term for name, term in terms.items()})
        # the means are those of all ranks, so all of them stop at the same batch
        watched = {name: means[f"train/{name}"] for name in terms}
        self.finite.watch(watched, self.batches, log_interval(self.trainer))
        if not self._logs(self.batches):
            return
        self.log("optimizer/rate", torch.as_tensor(self._optimizers()[0].param_groups[0]["lr"]))  # of both players
        if norms:
            self._log_mean({f"gradient/{part}": norm for part, norm in norms.items()})
        for tap, (places_BN, grid) in places.items():
            share = torch.as_tensor(places_BN.shape[1] / (grid[0] * grid[1]), device=places_BN.device)
            cover, distance = coverage(places_BN, grid), mean_distance(places_BN, grid)
            values = {"share": share, "coverage": cover, "distance": distance}
            self._log_mean({f"places/{tap}_{name}": value for name, value in values.items()})

    def _log_mean(self, values: dict[str, Tensor]) -> dict[str, Tensor]:
        # over ranks: each has seen its share of the joint batch, and one message serves all values. Stacked, they are
        # copies as well: a recorded step overwrites its results
        reduced = self.trainer.strategy.reduce(torch.stack(list(values.values())), reduce_op="mean")
        means = dict(zip(values, reduced, strict=True))
        self.log_dict(means)
        return means

    def on_train_epoch_end(self) -> None:
        """Step the schedules."""
        for schedule in self._schedules():
            schedule.step()

    def _schedules(self) -> list[LambdaLR]:
        schedules = self.lr_schedulers()
        assert isinstance(schedules, list)
        return [schedule for schedule in schedules if isinstance(schedule, LambdaLR)]

    def _planned_epochs(self) -> int:
        """Epochs of the schedule: those the run was begun with."""
        epochs = self.held_from or self.trainer.max_epochs
        assert epochs is not None
        return epochs


def _detached(terms: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: term.detach() for name, term in terms.items()}


def _require_grad(parameters: Iterable[nn.Parameter], required: bool) -> None:
    for parameter in parameters:
        parameter.requires_grad_(required)
