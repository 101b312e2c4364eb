"""What `compile=true` hands to the compiler: each network as one graph, with the gradients of the plain one."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from tests.conftest import batch, cut


def gradients(network: nn.Module, call: Callable[[nn.Module], Tensor]) -> list[Tensor]:
    network.zero_grad()
    call(network).square().sum().backward()
    return [parameter.grad for parameter in network.parameters() if parameter.grad is not None]


@pytest.mark.parametrize("recompute", [True, False])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_a_network_is_one_graph(layout: torch.memory_format, recompute: bool):
    method = cut(f"generator.recompute={str(recompute).lower()}").double().to(memory_format=layout)
    x = batch().x.double().to(memory_format=layout)
    z = method.G.encoder(x)["block5"].detach()
    networks: list[tuple[nn.Module, Callable[[nn.Module], Tensor]]] = [
        (method.G.encoder, lambda network: network(x)["block5"]),
        (method.G.decoder, lambda network: network(z, x)),
        (method.D, lambda network: network(x)),
    ]
    for plain, call in networks:
        compiled = copy.deepcopy(plain)
        compiled.compile(backend="aot_eager", fullgraph=True)  # which refuses a break
        for found, expected in zip(gradients(compiled, call), gradients(plain, call), strict=True):
            torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-9)
