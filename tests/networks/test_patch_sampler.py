"""What the heads embed: features as attention weighs them, or as they are while attention only ranks."""

import pytest
import torch

from tests.conftest import ATTENTIONS, batch, cut

PAPERS = [name for name in ATTENTIONS if name not in ("none", "entropy")]


@pytest.mark.parametrize("attention", PAPERS)
def test_raw_features_at_ranked_places(attention: str):
    attended = cut(f"attention={attention}")
    raw = cut(f"attention={attention}", "sampler.attended=false")
    x, key = batch(2, 64, 64).x, torch.tensor([5, 7])
    features = {tap: x.detach() for tap, x in raw.G.encoder(x).items()}
    places = raw.H.choose(features, raw.H.score(features, key), key, 0.5)
    # the same weights rank the same places
    assert all(
        torch.equal(chosen, places[tap])
        for tap, chosen in attended.H.choose(features, attended.H.score(features, key), key, 0.5).items()
    )
    found = raw.H(features, places)
    for tap, x_BCHW in features.items():
        for b in range(2):
            for n, place in enumerate(places[tap][b].tolist()):
                row, column = divmod(place, x_BCHW.shape[3])
                embedded = raw.H.heads[tap](x_BCHW[b, :, row, column])
                torch.testing.assert_close(found[tap][b, n], embedded / (embedded.norm() + 1e-7), rtol=1e-4, atol=1e-5)
    if attention not in ("external", "self"):  # those start as the identity
        weighed = attended.H(features, places)
        assert all((weighed[tap] - found[tap]).abs().max() > 1e-3 for tap in features)


@pytest.mark.parametrize("attended", ["true", "false"])
@pytest.mark.parametrize("attention", ATTENTIONS)
def test_keys_are_what_scoring_choosing_and_embedding_give_one_after_the_other(attention: str, attended: str):
    H = cut(f"attention={attention}", f"sampler.attended={attended}").H
    key = torch.tensor([5, 7])
    with torch.no_grad():
        features = cut("attention=none").G.encoder(batch(2, 64, 64).x)
        places, keys = H.keys(features, key, 0.5)
        assert not any(one.requires_grad for one in keys.values())
        expected = H.choose(features, H.score(features, key), key, 0.5)
        assert all(torch.equal(places[tap], expected[tap]) for tap in features)
        assert all(torch.equal(keys[tap], one) for tap, one in H(features, expected).items())


@pytest.mark.parametrize("attention", PAPERS)
def test_where_raw_features_are_compared_nothing_is_attended(attention: str, monkeypatch: pytest.MonkeyPatch):
    method = cut(f"attention={attention}", "sampler.attended=false")

    def refused(*_: object) -> None:
        raise AssertionError("attended features of a sampler that compares raw ones")

    for module in method.H.attention.values():
        monkeypatch.setattr(module, "attend", refused)
        monkeypatch.setattr(module, "score_then_attend", refused)
    method.generator_terms(method.forward_pass(batch(2, 64, 64)))


@pytest.mark.parametrize(("attention", "part"), [("triplet", "gates"), ("bam", "logits")])
def test_the_source_passes_its_gates_once_a_step(attention: str, part: str, monkeypatch: pytest.MonkeyPatch):
    method = cut(f"attention={attention}")
    calls = []
    for tap, module in method.H.attention.items():
        own = getattr(module, part)
        monkeypatch.setattr(module, part, lambda x, tap=tap, own=own: calls.append(tap) or own(x))
    state = method.forward_pass(batch(2, 64, 64))
    assert sorted(calls) == sorted(method.G.channels)  # score and keys
    method.generator_terms(state)
    assert sorted(calls) == sorted(2 * [*method.G.channels])  # the output's queries


@pytest.mark.parametrize("attention", PAPERS)
def test_attention_that_only_ranks_stays_as_it_was_drawn(attention: str):
    method = cut(f"attention={attention}", "sampler.attended=false")
    optimizer = torch.optim.Adam(method.generator_parameters(), lr=1e-2)
    before = {name: value.clone() for name, value in method.H.state_dict().items()}
    torch.stack(list(method.generator_terms(method.forward_pass(batch(2, 64, 64))).values())).sum().backward()
    optimizer.step()
    for name, value in method.H.state_dict().items():
        assert torch.equal(value, before[name]) == name.startswith("attention."), name


def test_places_drawn_at_random_keep_the_border_as_cuts_do():
    """`inside` leaves out the border for places that a score ranks; with selection.ranked=0 none does."""
    x, keys = torch.rand(1, 3, 32, 32), torch.arange(300)
    method = cut("attention=triplet", "selection.ranked=0.0")
    chosen = method.score_maps(x.expand(300, -1, -1, -1), keys, 0.5)["down1"]
    rows = chosen.places // chosen.grid[1]
    assert (rows == 0).any()
    assert (rows == chosen.grid[0] - 1).any()
