"""Gated recurrent units that learn fast on processors: torch's own equations, with the gradient written out by hand.

The first layer's gates take what a token gives them from a table instead of a product; the gradient of the weights is
one product over all steps at once; and where the processor multiplies bfloat16, the products are in it. Weights are
named as in `torch.nn.GRU`, whose own path is taken where the network lies on a GPU.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


def gated_network(
    *, n_tokens: int, embedding: int, units: int, layers: int, dropout: float = 0.0
) -> torch.nn.Module:
    """A network that maps codes (n, length) to log-odds (n, length, n_tokens) of what follows each.

    `dropout` is the share of units between layers, and before the last product, that is left out while training, see
    `leaving`. Products are in bfloat16 where the processor has them, but for `network.low = False`.
    """
    network: torch.nn.Module = _network_class()(n_tokens, embedding, units, layers, dropout)
    return network


@cache
def _network_class() -> Any:
    """The class itself, made when torch is wanted for the first time."""
    from torch import nn
    from torch.nn import functional

    from iatros.learners.training import multiplies_bfloat16
    from iatros.molecules.generators.networks.dropout import left_out

    cells = cells_function()

    class Network(nn.Module):
        """See `gated_network`."""

        def __init__(self, n_tokens: int, embedding: int, units: int, layers: int, dropout: float) -> None:
            super().__init__()
            self.embedding = nn.Embedding(n_tokens, embedding)
            self.cells = nn.GRU(
                embedding, units, layers, dropout=dropout if layers > 1 else 0.0, batch_first=True
            )
            self.share, self.low = dropout, multiplies_bfloat16()
            self.last = nn.Linear(units, n_tokens)

        def forward(self, codes: torch.Tensor) -> torch.Tensor:
            states = self._on_gpu(codes) if codes.is_cuda else self._on_processor(codes)
            return self.last(left_out(states, self.share if self.training else 0.0)).transpose(0, 1)

        def _on_gpu(self, codes: torch.Tensor) -> torch.Tensor:
            """States (length, n, units)."""
            states: torch.Tensor = self.cells(self.embedding(codes))[0].transpose(0, 1)
            return states

        def _on_processor(self, codes: torch.Tensor) -> torch.Tensor:
            """States (length, n, units)."""
            from_input = functional.linear(self.embedding.weight, *self._of_input(0))
            places: torch.Tensor | None = codes.T.contiguous()
            states = from_input
            for layer in range(self.cells.num_layers):
                if layer:
                    states = left_out(states, self.share if self.training else 0.0)
                    from_input, places = _product(states, *self._of_input(layer), low=self.low), None
                states = cells.apply(
                    from_input,
                    places,
                    getattr(self.cells, f"weight_hh_l{layer}"),
                    getattr(self.cells, f"bias_hh_l{layer}"),
                    self.low,
                )
            return states

        def _of_input(self, layer: int) -> tuple[torch.Tensor, torch.Tensor]:
            return getattr(self.cells, f"weight_ih_l{layer}"), getattr(self.cells, f"bias_ih_l{layer}")

    return Network


def _product(states: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, *, low: bool) -> torch.Tensor:
    """`states` times `weight`, and `bias`, in float32; computed in bfloat16 where `low`."""
    import torch
    from torch.nn import functional

    if not low:
        return functional.linear(states, weight, bias)
    found: torch.Tensor = functional.linear(states.bfloat16(), weight.bfloat16()).to(torch.float32) + bias
    return found


@cache
def cells_function() -> Any:
    """One layer over all steps, as a function with a gradient."""
    import torch

    class Cells(torch.autograd.Function):
        """States (length, n, units) of one layer that begins with nothing (Cho et al. 2014, arXiv:1406.1078).

        `from_input` is what the input gives the gates, order reset, update, new: (tokens, 3 x units) with the codes
        `places` (length, n), or (length, n, 3 x units) without.
        """

        @staticmethod
        def forward(
            context: Any,
            from_input: torch.Tensor,
            places: torch.Tensor | None,
            weight: torch.Tensor,
            bias: torch.Tensor,
            low: bool,
        ) -> torch.Tensor:
            length, n = places.shape if places is not None else from_input.shape[:2]
            units = weight.shape[1]
            kind = torch.bfloat16 if low else torch.float32
            turned = weight.to(kind).T
            states = torch.empty(length + 1, n, units)
            states[0] = 0.0
            kept = torch.empty(
                length, 4, n, units, dtype=kind
            )  # reset, update, new, and what new takes of the state
            for step in range(length):
                before = states[step]
                given = (
                    from_input[step] if places is None else torch.index_select(from_input, 0, places[step])
                )
                of_state = torch.mm(before.to(kind), turned).to(torch.float32).add_(bias)
                both = (given[:, : 2 * units] + of_state[:, : 2 * units]).sigmoid_()
                reset, update = both[:, :units], both[:, units:]
                taken = of_state[:, 2 * units :]
                new = _tangent(torch.addcmul(given[:, 2 * units :], reset, taken))
                torch.lerp(new, before, update, out=states[step + 1])
                for place, one in enumerate((reset, update, new, taken)):
                    kept[step, place] = one
            context.save_for_backward(places, turned, states, kept)
            context.n_rows, context.low = len(from_input), low
            return states[1:]

        @staticmethod
        def backward(context: Any, *gradients: torch.Tensor) -> Any:
            (wanted,) = gradients
            places, turned, states, kept = context.saved_tensors
            length, n, units = wanted.shape
            of_gates = torch.empty(length, n, 3 * units, dtype=turned.dtype)
            of_new = torch.empty(length, n, units, dtype=turned.dtype)
            carried = torch.zeros(n, units)
            for step in reversed(range(length)):
                carried = carried.add_(wanted[step])
                reset, update, new, taken = kept[step]
                new_gradient = (carried * (1.0 - update)).mul_(1.0 - new * new)
                to_gates = of_gates[step]
                to_gates[:, units : 2 * units] = (
                    (states[step] - new).mul_(carried).mul_(update).mul_(1.0 - update)
                )
                to_gates[:, :units] = (new_gradient * taken).mul_(reset).mul_(1.0 - reset)
                to_gates[:, 2 * units :] = new_gradient * reset
                of_new[step] = new_gradient
                carried = carried.mul_(update).add_(torch.mm(to_gates, turned.T))
            flat = of_gates.view(-1, 3 * units)
            of_weight = torch.mm(flat.T, states[:-1].to(turned.dtype).view(-1, units)).to(torch.float32)
            of_bias = torch.mm(torch.ones(1, len(flat), dtype=flat.dtype), flat)[0].to(torch.float32)
            parts = (flat[:, : 2 * units], of_new.view(-1, units))
            if places is None:
                of_input = torch.cat(parts, dim=1).view(length, n, -1)
            else:
                named = torch.zeros(context.n_rows, length * n, dtype=turned.dtype)
                named[places.view(-1), torch.arange(length * n)] = 1.0
                of_input = torch.cat([torch.mm(named, part) for part in parts], dim=1)
            return of_input.to(torch.float32), None, of_weight, of_bias, None

    return Cells


def _tangent(values: torch.Tensor) -> torch.Tensor:
    """The hyperbolic tangent, in place, by way of the logistic function, which torch computes five times faster."""
    return values.mul_(2.0).sigmoid_().mul_(2.0).sub_(1.0)
