"""What ChemNet makes of compounds: the mean and covariance of its last hidden layer, which the Fréchet distance needs.

ChemNet reads SMILES of 350 characters, most of which are padding: two convolutions make 88 steps of them, a recurrent
layer reads these backwards and a second one forwards, and its last state (512 numbers) is the activation (Preuer et
al., J Chem Inf Model 58:1736, 2018). A compound of 40 characters fills 11 of the 88 steps. What the first layer makes
of the padding is the same for every compound and is computed once; so is its share of the second layer's gates. The
second layer's state differs, so its 88 steps are all taken, for compounds of similar length together. The weights are
those of the package fcd-torch, and activations equal its own within 1e-4.

Batches are fixed by the compounds alone and computed on one thread each, so that sums do not depend on the engine.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from iatros.core.context import Context
from iatros.core.errors import MissingExtraError

WIDTH = 512
"""Numbers of one activation."""
LENGTH = 350
"""Characters that are read, the closing dot included."""
BATCH = 256
_TOKENS = (
    "C", "N", "O", "H", "F", "Cl", "P", "B", "Br", "S", "I", "Si", "#", "(", ")", "+", "-", "1", "2", "3", "4", "5",
    "6", "7", "8", "=", "[", "]", "@", "c", "n", "o", "s", "X", ".",
)  # fmt: skip
_PLACES = {token: place for place, token in enumerate(_TOKENS)}
_UNKNOWN, _END = _PLACES["X"], _PLACES["."]
_SECOND_LETTERS = frozenset("ril")


@dataclass(frozen=True)
class Moments:
    """Of `n` compounds: `mean` (512,) and `covariance` (512, 512), whose divisor is n - 1."""

    n: int
    mean: np.ndarray
    covariance: np.ndarray


def moments(smiles: Sequence[str], context: Context, *, label: str = "ChemNet") -> Moments:
    """The moments of canonical `smiles`, of which at least two are needed; one that stands there twice counts twice."""
    times: dict[str, int] = {}
    for text in smiles:
        times[text] = times.get(text, 0) + 1
    order = sorted(times, key=lambda text: (len(text), text))
    batches = [
        [(text, times[text]) for text in order[low : low + BATCH]] for low in range(0, len(order), BATCH)
    ]
    _check()
    parts = context.engine.map(batch_sums, batches, None, progress=context.progress, label=label)
    n = len(smiles)
    total = np.sum([first for first, _ in parts], axis=0)
    squares = np.sum([second for _, second in parts], axis=0)
    mean = total / n
    return Moments(n, mean, (squares - n * np.outer(mean, mean)) / (n - 1))


def batch_sums(_: None, batch: list[tuple[str, int]]) -> tuple[np.ndarray, np.ndarray]:
    """Sum (512,) and sum of outer products (512, 512) of the activations of a batch, each as often as it is said."""
    found = activations([text for text, _ in batch]).astype(float)
    times = np.array([count for _, count in batch], dtype=float)
    return times @ found, (found * times[:, None]).T @ found


def activations(smiles: Sequence[str]) -> np.ndarray:
    """The activations (n, 512), float32, of canonical `smiles`, computed on one thread."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.inference_mode():
            made: np.ndarray = _forward(torch, _network(), _encoded(smiles)).numpy()
            return made
    finally:
        torch.set_num_threads(threads)


def tokens(smiles: str) -> list[int]:
    """Places of the characters in ChemNet's alphabet, ended by a dot; whatever follows the first dot is not read.

    >>> [_TOKENS[place] for place in tokens("CCl")]
    ['C', 'Cl', '.']
    """
    text, found, at = smiles + ".", list[int](), 0
    while True:
        wide = 2 if text[at + 1] in _SECOND_LETTERS else 1
        found.append(_PLACES.get(text[at : at + wide], _UNKNOWN))
        at += wide
        if text[at] == "." or len(found) == LENGTH - 1:
            return [*found, _END]


def _encoded(smiles: Sequence[str]) -> np.ndarray:
    """One-hot letters (n, 35, 350), float32, each 1/35 high."""
    table = np.zeros((len(smiles), len(_TOKENS), LENGTH), dtype=np.float32)
    for row, text in enumerate(smiles):
        places = tokens(text)
        table[row, places, np.arange(len(places))] = 1.0 / len(_TOKENS)
    return table


@dataclass(frozen=True)
class _Layer:
    """A recurrent layer: weights of its input and of its state, transposed, and the bias."""

    input: Any
    state: Any
    bias: Any


@dataclass(frozen=True)
class _Network:
    """The weights, and what does not depend on the compound.

    `quiet` holds the first layer's states (h, c) after 0, 1, 2, ... steps of padding, each (steps + 1, 128), `padding`
    (steps + 1, 2048) what they add to the gates of the second.
    """

    convolutions: tuple[Any, ...]
    first: _Layer
    second: _Layer
    quiet: tuple[Any, Any]
    padding: Any


def _forward(torch: Any, net: _Network, letters: np.ndarray) -> Any:
    n = len(letters)
    image = torch.from_numpy(letters)
    for weight in net.convolutions:
        image = torch.selu(torch.conv1d(_padded(torch, image, weight.shape[2]), weight, stride=2))
    steps = image.shape[2]
    # Convolutions have no bias, so padding stays zero; what is not zero ends with the longest compound of the batch.
    filled = int(torch.nonzero(image.abs().amax(dim=(0, 1)))[-1]) + 1
    hidden, cell = (part[steps - filled].expand(n, -1) for part in net.quiet)
    backwards = []
    for step in range(filled - 1, -1, -1):
        gates = torch.addmm(net.first.bias, image[:, :, step], net.first.input)
        hidden, cell = _step(torch, gates.addmm_(hidden, net.first.state), cell)
        backwards.append(hidden)
    hidden = torch.zeros(n, WIDTH)
    cell = torch.zeros(n, WIDTH)
    for step in range(steps):
        if step < filled:
            gates = torch.addmm(net.second.bias, backwards[filled - 1 - step], net.second.input)
            gates.addmm_(hidden, net.second.state)
        else:
            # Here the first layer has seen nothing but padding.
            gates = torch.addmm(net.padding[steps - step], hidden, net.second.state)
        hidden, cell = _step(torch, gates, cell)
    return hidden


def _step(torch: Any, gates: Any, cell: Any) -> tuple[Any, Any]:
    """The next state and cell of a long short-term memory; gates in the order input, forget, new, output."""
    taken, kept, new, shown = gates.chunk(4, dim=1)
    cell = torch.sigmoid_(kept).mul(cell).addcmul_(torch.sigmoid_(taken), torch.tanh_(new))
    return torch.sigmoid_(shown).mul(torch.tanh(cell)), cell


def _padded(torch: Any, image: Any, kernel: int, stride: int = 2) -> Any:
    """`image` with the zeros around it that fcd-torch adds, so that a convolution of stride 2 halves its length."""
    over = image.shape[2] % stride
    missing = max(kernel - (over or stride), 0)
    before = missing // stride
    after = before if missing % stride == 0 else missing - before
    return torch.nn.functional.pad(image, (before, after))


@cache
def _network() -> _Network:
    import torch

    layers = torch.load(_check(), weights_only=True)
    convolutions = tuple(state["weight"] for kind, (state, _, _) in layers if kind == "Conv1d")
    first, second = (
        _Layer(
            state["weight_ih_l0"].T.contiguous(),
            state["weight_hh_l0"].T.contiguous(),
            state["bias_ih_l0"] + state["bias_hh_l0"],
        )
        for kind, (state, _, _) in layers
        if kind == "LSTM"
    )
    steps = math.ceil(math.ceil(LENGTH / 2) / 2)  # two convolutions of stride 2
    with torch.inference_mode():
        hidden = cell = torch.zeros(1, first.state.shape[0])
        states = [(hidden, cell)]
        for _ in range(steps):
            gates = torch.addmm(first.bias[None], hidden, first.state)
            hidden, cell = _step(torch, gates, cell)
            states.append((hidden, cell))
        quiet = torch.cat([state for state, _ in states]), torch.cat([kept for _, kept in states])
        padding = torch.addmm(second.bias, quiet[0], second.input)
    return _Network(convolutions, first, second, quiet, padding)


def _check() -> Path:
    """The file of weights; MissingExtraError where a package is not installed."""
    for package, name in (("torch", "torch"), ("fcd_torch", "fcd-torch")):
        if find_spec(package) is None:
            raise MissingExtraError(
                f"the Fréchet ChemNet distance needs the package {name}",
                hint="pip install 'iatros[molecules]', or leave out fcd",
            )
    found = find_spec("fcd_torch")
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent / "ChemNet_v0.13_pretrained.pt"
