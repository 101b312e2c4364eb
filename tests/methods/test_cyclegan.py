"""CycleGAN's objective by hand, its training by a plain loop, whose step moves what, and what it costs."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from src.config.build import build, build_method
from src.data.unpaired import Draws
from src.methods.base import Batch
from src.methods.cyclegan import CycleGAN
from src.networks import noise
from src.networks.resample import BlurDown, BlurUp
from src.runs.weights import load_translator
from src.training.run import train
from tests.conftest import TINY, UNDRAWN, batch, config, cut


def cyclegan(*overrides: str, seed: int = 0) -> CycleGAN:
    torch.manual_seed(seed)
    method = build_method(config(*TINY, "method=cyclegan", *overrides))
    assert isinstance(method, CycleGAN)
    return method


def one_epoch(root: Path) -> list[str]:
    data = [
        "data=folders",
        f"data.root={root}",
        "data.size=32",
        "data.load=32",
        "data.samples_per_epoch=6",
        "data.num_workers=0",
    ]
    return [*data, "trainer.max_epochs=1", "metrics.scores=null", UNDRAWN]


def double(data: Batch) -> Batch:
    return Batch(data.x.double(), data.y.double(), data.key, data.progress)


def test_the_whole_objective_recomputed_by_hand():
    method = cyclegan("method.lambda_cycle=7", "method.lambda_identity=0.3", "method.pool=1").double()
    first, second = double(batch(size=2, seed=1)), double(batch(size=2, seed=2))
    method.forward_pass(first)  # fills the pools
    pools = {"x": method.pool_x.images.clone(), "y": method.pool_y.images.clone()}
    state = method.forward_pass(second)
    terms = {**method.generator_terms(state), **method.discriminator_terms(state)}

    def shown(fakes: list[Tensor], old: Tensor, stream: int) -> list[Tensor]:
        out = []
        for b, fake in enumerate(fakes):
            exchange = float(noise.uniform(second.key[b : b + 1], 2, stream)[0, 0]) < 0.5
            out.append(old if exchange else fake)
            old = fake if exchange else old
        return out

    def distance(a: Tensor, b: Tensor) -> float:
        return sum(abs(p - q) for p, q in zip(a.flatten().tolist(), b.flatten().tolist(), strict=True)) / a.numel()

    def square(logits: Tensor, target: float) -> float:
        return sum((value - target) ** 2 for value in logits.flatten().tolist()) / logits.numel()

    expected = dict.fromkeys(terms, 0.0)
    with torch.no_grad():
        x, y = second.x.split(1), second.y.split(1)
        fake_y, fake_x = [method.G(image) for image in x], [method.F(image) for image in y]
        shown_y, shown_x = shown(fake_y, pools["y"], 0), shown(fake_x, pools["x"], 1)
        for b in range(2):
            expected["gan_y"] += square(method.D_y(fake_y[b]), 1) / 2
            expected["gan_x"] += square(method.D_x(fake_x[b]), 1) / 2
            expected["cycle_x"] += 7 * distance(method.F(fake_y[b]), x[b]) / 2
            expected["cycle_y"] += 7 * distance(method.G(fake_x[b]), y[b]) / 2
            expected["identity_x"] += 7 * 0.3 * distance(method.F(x[b]), x[b]) / 2
            expected["identity_y"] += 7 * 0.3 * distance(method.G(y[b]), y[b]) / 2
            expected["d_fake_y"] += square(method.D_y(shown_y[b]), 0) / 2 / 2
            expected["d_real_y"] += square(method.D_y(y[b]), 1) / 2 / 2
            expected["d_fake_x"] += square(method.D_x(shown_x[b]), 0) / 2 / 2
            expected["d_real_x"] += square(method.D_x(x[b]), 1) / 2 / 2
    assert any(image is pools["y"] or image is pools["x"] for image in (*shown_y, *shown_x))
    # float64; sums of some thousand terms of order 1
    assert {name: float(term.detach()) for name, term in terms.items()} == pytest.approx(expected, rel=1e-9)


def test_the_papers_weights_and_pool():
    method = cyclegan()
    assert (method.lambda_cycle, method.lambda_identity, method.pool_x.size, method.pool_y.size) == (10, 0.5, 50, 50)


def test_without_identity_each_generator_sees_each_domain_once():
    method = cyclegan("method.lambda_identity=0")
    sizes: list[int] = []
    for generator in (method.G, method.F):
        generator.register_forward_hook(lambda module, args, output: sizes.append(len(args[0])))
    state = method.forward_pass(batch(size=3))
    assert sizes == [3, 3, 3, 3]
    assert list(method.generator_terms(state)) == ["gan_y", "gan_x", "cycle_x", "cycle_y"]


def test_each_player_moves_only_its_own_weights():
    method = cyclegan()
    state = method.forward_pass(batch())
    torch.stack(list(method.discriminator_terms(state).values())).sum().backward()
    assert all(parameter.grad is None for parameter in method.generator_parameters())
    assert all(parameter.grad is not None for parameter in method.discriminator_parameters())
    torch.stack(list(method.generator_terms(state).values())).sum().backward()
    assert all(parameter.grad is not None for parameter in method.generator_parameters())
    players = [list(method.generator_parameters()), list(method.discriminator_parameters())]
    assert {id(p) for p in players[0]}.isdisjoint(id(p) for p in players[1])
    assert len(players[0]) + len(players[1]) == len(list(method.parameters()))


def test_each_discriminators_loss_concerns_its_own_domain():
    method = cyclegan()
    terms = method.discriminator_terms(method.forward_pass(batch()))
    (terms["d_fake_y"] + terms["d_real_y"]).backward()
    assert all(parameter.grad is not None for parameter in method.D_y.parameters())
    assert all(parameter.grad is None for parameter in method.D_x.parameters())


@pytest.mark.parametrize("flavour", ["cyclegan", "cyclegan_original"])
def test_has_two_of_cuts_networks_each(flavour: str):
    method = cyclegan(f"method={flavour}", "generator.width=64", "discriminator.width=64", "discriminator.halvings=3")
    counts = [sum(p.numel() for p in part.parameters()) for part in (method.G, method.F, method.D_x, method.D_y)]
    assert counts == [11_378_179, 11_378_179, 2_764_737, 2_764_737]
    # the figure published beside DCLGAN's, in millions
    assert round(sum(p.numel() for p in method.parameters()) / 1e6, 3) == 28.286


def test_a_seed_starts_it_with_cuts_weights():
    method, other = cyclegan(), cut("attention=triplet")
    for mine, theirs in ((method.G, other.G), (method.D_y, other.D)):
        assert all(torch.equal(a, b) for a, b in zip(mine.parameters(), theirs.parameters(), strict=True))
    assert not torch.equal(method.G.encoder.down1.weight, method.F.encoder.down1.weight)


def test_the_originals_flavour_has_strided_resampling_and_normal_weights():
    matched, original = cyclegan(), cyclegan("method=cyclegan_original", "generator.width=32", "discriminator.width=32")
    blurred = [type(part) for part in matched.modules() if isinstance(part, BlurDown | BlurUp)]
    assert len(blurred) == 2 * (4 + 2)
    assert not any(isinstance(part, BlurDown | BlurUp) for part in original.modules())
    assert sum(isinstance(part, nn.ConvTranspose2d) for part in original.modules()) == 4
    for convolution in (original.G.encoder.down2, original.D_x.body[5]):
        # some ten thousand draws: the deviation of their deviation is below 1 %
        assert float(convolution.weight.detach().std()) == pytest.approx(0.02, rel=0.03)


def test_training_is_the_plain_loop_generators_first_then_discriminators(frames: Callable[..., Path], tmp_path: Path):
    """Six steps of the module against the publication's algorithm written out, with pools of one."""
    cfg = config(*TINY, "method=cyclegan", "method.pool=1", *one_epoch(frames()), "trainer.precision=64-true")
    train(cfg, tmp_path)
    torch.manual_seed(cfg.seed)
    method = build_method(cfg).double()
    G, F, D_x, D_y = method.G, method.F, method.D_x, method.D_y
    adam = {"lr": cfg.optimizer.lr, "betas": (0.5, 0.999)}
    g_step = torch.optim.Adam([*G.parameters(), *F.parameters()], **adam)
    d_step = torch.optim.Adam([*D_y.parameters(), *D_x.parameters()], **adam)
    old: dict[str, Tensor] = {}
    images = build(cfg.data, "data").images
    for draw in Draws(len(images), epoch=0, start=0):
        x, y = images[draw]["x"][None].double(), images[draw]["y"][None].double()
        key = torch.tensor([images[draw]["key"]])
        fake_y, fake_x = G(x), F(y)
        one = torch.ones_like(D_y(y))
        g_loss = functional.mse_loss(D_y(fake_y), one) + functional.mse_loss(D_x(fake_x), one)
        g_loss = g_loss + 10 * (functional.l1_loss(F(fake_y), x) + functional.l1_loss(G(fake_x), y))
        g_loss = g_loss + 5 * (functional.l1_loss(F(x), x) + functional.l1_loss(G(y), y))
        g_step.zero_grad()
        g_loss.backward()
        g_step.step()
        d_loss = torch.zeros(())
        for name, D, fake, real, stream in (("y", D_y, fake_y, y, 0), ("x", D_x, fake_x, x, 1)):
            shown = fake.detach()
            if name not in old:
                old[name] = shown
            elif float(noise.uniform(key, 2, stream)[0, 0]) < 0.5:
                old[name], shown = shown, old[name]
            d_loss = d_loss + (functional.mse_loss(D(shown), 0 * one) + functional.mse_loss(D(real), one)) / 2
        d_step.zero_grad()
        d_loss.backward()
        d_step.step()
    trained = load_file(tmp_path / "weights.safetensors")
    for name, parameter in method.named_parameters():
        # float64, and Adam's division by small moments; one step moves a weight by 1e-3
        torch.testing.assert_close(trained[name], parameter.detach(), atol=1e-8, rtol=0)


def test_a_finished_run_gives_the_translator_of_either_kind(frames: Callable[..., Path], tmp_path: Path):
    train(config(*TINY, "method=cyclegan", *one_epoch(frames())), tmp_path)
    tensors = load_file(tmp_path / "weights.safetensors")
    parts = {key.split(".")[0] for key in tensors}
    assert parts == {"G", "F", "D_x", "D_y", "average"}  # the pools' images stay out
    for average, prefix in ((True, "average."), (False, "G.")):
        translator = load_translator(tmp_path, average=average)
        assert all(torch.equal(value, tensors[prefix + key]) for key, value in translator.state_dict().items())


@pytest.mark.parametrize(
    ("override", "message"),
    [("lambda_cycle=-1", "lambda_cycle must be >= 0"), ("pool=-1", "pool must be >= 0, got -1")],
)
def test_refuses_values_out_of_range(override: str, message: str):
    with pytest.raises(ValueError, match=message):
        cyclegan(f"method.{override}")
