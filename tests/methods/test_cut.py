"""CUT's objective by hand, whose step moves what, and what the attention costs and learns."""

import os
import subprocess
import sys
from copy import deepcopy
from math import log
from pathlib import Path

import pytest
import torch
from torch import Tensor

from src.methods.base import Batch
from src.methods.cut import CUT
from src.networks import noise
from src.networks.attention.none import NoAttention
from tests.conftest import ATTENTIONS, CONF, SELECTIONS, batch, cut


def unit(z_ND: Tensor) -> Tensor:
    """As the released CUT code: x / (|x| + 1e-7)."""
    return torch.stack([row / (float(row @ row) ** 0.5 + 1e-7) for row in z_ND])


def by_hand(method: CUT, x: Tensor, y: Tensor, places_x: dict[str, Tensor], places_y: dict[str, Tensor]) -> dict:
    """Eq. 3 step by step: every pass on its own, keys encoded again, a loop over taps, images and patches."""

    def nce(source: Tensor, output: Tensor, places: dict[str, Tensor]) -> tuple[float, float]:
        mean, total = 0.0, 0.0
        key_taps, query_taps = method.G.encoder(source), method.G.encoder(output)
        for tap in key_taps:
            for b in range(len(source)):
                z = []
                for feature in (query_taps[tap][b], key_taps[tap][b]):
                    columns = feature.flatten(1)[:, places[tap][b]].T
                    z.append(unit(method.H.heads[tap](columns)))
                patches = len(z[0])
                for s in range(patches):
                    similarity = [float(z[0][s] @ z[1][n]) / method.temperature for n in range(patches)]
                    value = -similarity[s] + log(sum(torch.tensor(similarity, dtype=torch.float64).exp().tolist()))
                    mean += value / patches / len(source) / len(key_taps)
                    total += value / len(source)
        return mean, total

    with torch.no_grad():
        fake, identity = method.G(x), method.G(y)
        x_mean, x_sum = nce(x, fake, places_x)
        y_mean, y_sum = nce(y, identity, places_y)
        return {
            "gan": float(((method.D(fake) - 1) ** 2).mean()),
            "x_mean": x_mean,
            "y_mean": y_mean,
            "x_sum": x_sum,
            "y_sum": y_sum,
            "d_fake": float((method.D(fake) ** 2).mean()) / 2,
            "d_real": float(((method.D(y) - 1) ** 2).mean()) / 2,
        }


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_the_whole_objective_recomputed_by_hand(reduction: str):
    method = cut(
        "attention=none",
        f"method.reduction={reduction}",
        "method.lambda_gan=0.9",
        "method.lambda_x=1.5",
        "method.lambda_y=0.7",
    ).double()
    data = batch(size=2)
    x, y = data.x.double(), data.y.double()
    state = method.forward_pass(type(data)(x, y, data.key, 0.0))
    places_x = {tap: places[:2] for tap, places in state.places.items()}
    places_y = {tap: places[2:] for tap, places in state.places.items()}
    expected = by_hand(method, x, y, places_x, places_y)
    half = 0.5 if reduction == "mean" else 1.0
    terms = {**method.generator_terms(state), **method.discriminator_terms(state)}
    assert list(terms) == ["gan", "nce_x", "nce_y", "d_fake", "d_real"]
    values = {name: float(term.detach()) for name, term in terms.items()}
    # float64 throughout; the sums have 5 * 8 terms of order 1
    assert values == pytest.approx(
        {
            "gan": 0.9 * expected["gan"],
            "nce_x": half * 1.5 * expected[f"x_{reduction}"],
            "nce_y": half * 0.7 * expected[f"y_{reduction}"],
            "d_fake": expected["d_fake"],
            "d_real": expected["d_real"],
        },
        rel=1e-10,
    )


def test_without_identity_term_nce_keeps_its_full_weight_and_y_is_never_generated():
    method = cut("attention=none", "method.lambda_x=10", "method.lambda_y=0").double()
    data = batch()
    state = method.forward_pass(type(data)(data.x.double(), data.y.double(), data.key, 0.0))
    assert len(state.outputs) == 1
    terms = method.generator_terms(state)
    assert list(terms) == ["gan", "nce_x"]
    expected = by_hand(method, data.x.double(), data.y.double(), state.places, state.places)
    assert float(terms["nce_x"].detach()) == pytest.approx(10 * expected["x_mean"], rel=1e-10)


def mirrored(keys_B: Tensor) -> list[bool]:
    return [float(noise.uniform(key[None], 1, 0x6D)[0, 0]) < 0.5 for key in keys_B]


def test_flip_equivariance_by_hand():
    """Keys of x as it is, queries of G(mirrored x) mirrored back: a loop over taps, images and patches."""
    method = cut("attention=none", "method.lambda_x=10", "method.lambda_y=0", "method.flip_equivariance=true").double()
    data = batch(size=4)
    x = data.x.double()
    state = method.forward_pass(type(data)(x, data.y.double(), data.key, 0.0))
    flips = mirrored(data.key)
    assert 0 < sum(flips) < 4
    total = 0.0
    with torch.no_grad():
        for b, flip in enumerate(flips):
            fake = method.G(x[b : b + 1].flip(3) if flip else x[b : b + 1])
            torch.testing.assert_close(state.fake[b : b + 1], fake, atol=1e-12, rtol=0)
            queries, keys = method.G.encoder(fake), method.G.encoder(x[b : b + 1])
            for tap, key_feature in keys.items():
                query_feature = queries[tap].flip(3) if flip else queries[tap]
                z = [
                    unit(method.H.heads[tap](feature[0].flatten(1)[:, state.places[tap][b]].T))
                    for feature in (query_feature, key_feature)
                ]
                for s in range(8):
                    logits = [float(z[0][s] @ z[1][n]) / 0.07 for n in range(8)]
                    total += log(sum(torch.tensor(logits, dtype=torch.float64).exp().tolist())) - logits[s]
    assert float(method.generator_terms(state)["nce_x"].detach()) == pytest.approx(10 * total / (4 * 5 * 8), rel=1e-10)


def test_half_of_the_images_are_mirrored_each_by_its_own_key():
    method = cut("method=fastcut")
    state = method.forward_pass(batch(size=2))
    assert state.mirrored is not None
    assert state.mirrored.flatten().tolist() == mirrored(batch(size=2).key)
    # binomial: deviation 16
    assert abs(sum(mirrored(torch.arange(1000) * 7919)) - 500) < 64


def test_fastcut_has_its_authors_settings():
    method = cut("method=fastcut")
    assert (method.lambda_x, method.lambda_y, method.flip_equivariance) == (10, 0, True)
    assert {type(module) for module in method.H.attention.values()} == {NoAttention}


def test_sources_are_encoded_once_and_outputs_once():
    method = cut("attention=triplet")
    sizes: list[int] = []
    method.G.encoder.register_forward_hook(lambda module, args, output: sizes.append(len(args[0])))
    state = method.forward_pass(batch(size=3))
    method.discriminator_terms(state)
    method.generator_terms(state)
    assert sizes == [6, 6]  # x and y in the generation pass, G(x) and G(y) as queries


def test_keys_carry_no_graph():
    method = cut("attention=triplet")
    state = method.forward_pass(batch())
    assert not any(feature.requires_grad for feature in state.features.values())


def test_each_player_moves_only_its_own_weights():
    method = cut("attention=triplet")
    state = method.forward_pass(batch())
    torch.stack(list(method.discriminator_terms(state).values())).sum().backward()
    assert all(parameter.grad is None for parameter in method.generator_parameters())
    assert all(parameter.grad is not None for parameter in method.discriminator_parameters())
    mine = {id(parameter) for parameter in method.generator_parameters()}
    assert mine.isdisjoint(id(parameter) for parameter in method.discriminator_parameters())
    assert len(mine) + len(list(method.discriminator_parameters())) == len(list(method.parameters()))


@pytest.mark.parametrize("attention", ATTENTIONS)
def test_variants_of_a_seed_start_with_the_same_g_d_and_heads(attention: str):
    """Or a paired test over seeds would pair nothing."""
    base, method = cut("attention=none", seed=3), cut(f"attention={attention}", seed=3)
    for ours, theirs in ((method.G, base.G), (method.D, base.D), (method.H.heads, base.H.heads)):
        assert all(torch.equal(a, b) for a, b in zip(ours.parameters(), theirs.parameters(), strict=True))


def test_the_first_gradient_is_that_of_the_released_codes_norm():
    """Embeddings start with norms near 4e-7, where 1e-7 added to them or their floor differ by a third."""
    method = cut("attention=none").double()
    data = batch()
    state = method.forward_pass(Batch(data.x.double(), data.y.double(), data.key, 0.0))
    found = method.H(state.features, state.places)
    for tap, places in state.places.items():
        columns = state.features[tap].flatten(2).gather(2, places[:, None].expand(-1, state.features[tap].shape[1], -1))
        raw = method.H.heads[tap](columns.mT)
        expected = raw / (raw.pow(2).sum(-1, keepdim=True).pow(0.5) + 1e-7)
        torch.testing.assert_close(found[tap], expected, rtol=1e-10, atol=1e-12)
        weight = next(method.H.heads[tap].parameters())
        direction = torch.randn(expected.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
        gradients = [torch.autograd.grad((one * direction).sum(), weight)[0] for one in (found[tap], expected)]
        torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("attention", ATTENTIONS)
def test_attention_adds_nothing_to_g_and_d(attention: str):
    method = cut(
        f"attention={attention}",
        "generator.width=64",
        "discriminator.width=64",
        "discriminator=discriminator",
        "discriminator.halvings=3",
        "sampler.embedding=256",
    )
    counts = [sum(p.numel() for p in part.parameters()) for part in (method.G, method.D, method.H.heads)]
    assert counts == [11_378_179, 2_764_737, 560_384]


@pytest.mark.parametrize("attention", ATTENTIONS)
@pytest.mark.parametrize("selection", SELECTIONS)
def test_every_attention_combines_with_every_selection(attention: str, selection: str):
    method = cut(f"attention={attention}", f"selection={selection}")
    data = batch(size=2, height=32, width=48, progress=0.5)
    state = method.forward_pass(data)
    for tap, places in state.places.items():
        grid = state.features[tap].shape[2] * state.features[tap].shape[3]
        assert places.shape == (4, 8)
        assert all(len(set(row)) == 8 and min(row) >= 0 and max(row) < grid for row in places.tolist())
    total = torch.stack(list(method.generator_terms(state).values())).sum()
    total.backward()
    assert torch.isfinite(total.detach())


@pytest.mark.parametrize("attention", ATTENTIONS)
def test_a_batch_chooses_and_costs_what_its_images_do_alone(attention: str):
    method = cut(f"attention={attention}").double()
    data = batch(size=2)
    x, y = data.x.double(), data.y.double()
    joint = method.forward_pass(type(data)(x, y, data.key, 0.0))
    terms = method.generator_terms(joint)
    apart = []
    for b in range(2):
        one = method.forward_pass(type(data)(x[b : b + 1], y[b : b + 1], data.key[b : b + 1], 0.0))
        apart.append(method.generator_terms(one))
        for tap in joint.places:
            assert torch.equal(joint.places[tap][[b, 2 + b]], one.places[tap])
    for name, term in terms.items():
        # convolutions of another batch size may sum in another order: float64 leaves 1e-12
        torch.testing.assert_close(term, (apart[0][name] + apart[1][name]) / 2, atol=1e-10, rtol=0)


@pytest.mark.parametrize("attention", [name for name in ATTENTIONS if name not in ("none", "entropy")])
def test_every_attention_parameter_trains(attention: str):
    """After five steps each has a gradient above 1e-6 of the largest of its module."""
    method = cut(f"attention={attention}", "generator.width=16")
    g_step = torch.optim.Adam(method.generator_parameters(), lr=2e-4, betas=(0.5, 0.999))
    d_step = torch.optim.Adam(method.discriminator_parameters(), lr=2e-4, betas=(0.5, 0.999))
    for step in range(6):
        state = method.forward_pass(batch(size=2, height=64, width=64, seed=step))
        d_step.zero_grad()
        torch.stack(list(method.discriminator_terms(state).values())).sum().backward()
        d_step.step()
        g_step.zero_grad()
        torch.stack(list(method.generator_terms(state).values())).sum().backward()
        if step < 5:
            g_step.step()
    for tap, module in method.H.attention.items():
        size = {name: float(p.grad.abs().max()) for name, p in module.named_parameters() if p.grad is not None}
        assert len(size) == len(list(module.parameters()))
        for name, gradient in size.items():
            assert gradient > 1e-6 * max(size.values()), f"{tap}.{name}: {gradient} of {max(size.values())}"


def test_average_and_raw_start_equal_and_deepcopy_is_complete():
    method = cut("attention=self")
    copy = deepcopy(method)
    assert all(torch.equal(a, b) for a, b in zip(method.parameters(), copy.parameters(), strict=True))


MEASURE = """
import os, sys, torch
from pathlib import Path
from tests.conftest import batch, config
from src.config.build import build_method
def peak():
    # kB; getrusage's figure starts from that of the process that started this one
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])
def measured(attention):
    torch.manual_seed(0)
    method = build_method(config("attention=" + attention, "generator.width=16", "discriminator=discriminator",
                                  "discriminator.width=16", "selection.patches=256"))
    before = peak()
    state = method.forward_pass(batch(height=256, width=256))
    torch.stack(list(method.discriminator_terms(state).values())).sum().backward()
    torch.stack(list(method.generator_terms(state).values())).sum().backward()
    return peak() - before
for attention in sys.argv[1:]:
    if process := os.fork():
        assert os.waitpid(process, 0)[1] == 0
    else:
        print(measured(attention), flush=True)
        os._exit(0)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux's account of memory")
def test_self_attention_needs_at_most_13_tenths_of_cuts_memory_at_256():
    """Peak memory of a step beyond what the process held before, each in a process of its own."""
    command = [sys.executable, "-c", MEASURE, "self", "none"]
    # large blocks go back to the system when freed: the peak is then of live tensors, not of a fragmented heap
    environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=CONF.parent, env=environment)
    ours, cuts = map(int, done.stdout.split())
    assert 0 < ours <= 1.3 * cuts


def test_too_many_patches_are_refused_with_the_tap():
    method = cut("attention=none", "selection.patches=65")
    with pytest.raises(ValueError, match=r"selection\.patches=65 exceeds the 64 places of the map at tap block1"):
        method.forward_pass(batch())
