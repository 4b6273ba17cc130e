"""What ChemNet makes of compounds: the mean and covariance of its last hidden layer, which the Fréchet distance needs.

ChemNet reads SMILES of 350 characters, most of which are padding: two convolutions make 88 steps of them, a recurrent
layer reads these backwards and a second one forwards, and its last state (512 numbers) is the activation (Preuer et
al., J Chem Inf Model 58:1736, 2018). A compound of 40 characters fills 11 of the 88 steps. What the first layer makes
of the padding is the same for every compound and is computed once; so is its share of the second layer's gates. The
second layer's state differs, so its 88 steps are all taken, for compounds of similar length together.

The weights are those of the package fcd-torch, read as plain numbers from the places where they lie in its file, which
is known by its hash: nothing of it is unpickled, and torch is not needed. Activations equal those of the package within
1e-4. Batches are fixed by the compounds alone and computed on one thread each, so sums do not depend on the engine.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from iatros.core.context import Context
from iatros.core.errors import MissingExtraError
from iatros.learners.threads import one_blas_thread

WIDTH = 512
"""Numbers of one activation."""
LENGTH = 350
"""Characters that are read, the closing dot included."""
BATCH = 256
_FILE = "ChemNet_v0.13_pretrained.pt"
WEIGHTS_SHA256 = "a36658cc7c94d3c728eacd7ed2d2f104753bb2fde742c2817daefe9533a28080"
_WEIGHTS = {
    "first convolution": (5328654, (32, 35, 4)),
    "second convolution": (1050350, (32, 32, 4)),
    "first input": (5263110, (512, 32)),
    "first state": (5354782, (512, 128)),
    "first bias": (5261054, (512,)),
    "second input": (1766, (2048, 128)),
    "second state": (1066742, (2048, 512)),
    "second bias": (5346582, (2048,)),
}
"""Where in the file each array of little-endian 32-bit numbers begins, and its shape."""
_TOKENS = (
    "C", "N", "O", "H", "F", "Cl", "P", "B", "Br", "S", "I", "Si", "#", "(", ")", "+", "-", "1", "2", "3", "4", "5",
    "6", "7", "8", "=", "[", "]", "@", "c", "n", "o", "s", "X", ".",
)  # fmt: skip
_PLACES = {token: place for place, token in enumerate(_TOKENS)}
_UNKNOWN, _END, _NOTHING = _PLACES["X"], _PLACES["."], len(_TOKENS)
_SECOND_LETTERS = frozenset("ril")
_HALF, _STEPS = 175, 88
"""Places that the first and the second convolution leave of 350; both have a stride of 2."""
_SELU_SCALE, _SELU_ALPHA = 1.0507009873554805, 1.6732632423543772


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
    _network()
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
    with one_blas_thread():
        return times @ found, (found * times[:, None]).T @ found


def activations(smiles: Sequence[str]) -> np.ndarray:
    """The activations (n, 512), float32, of canonical `smiles`, computed on one thread."""
    net = _network()
    # A gate far below zero overflows to infinity on its way to 0, which is what it should be.
    with one_blas_thread(), np.errstate(over="ignore"):
        image = _convolved(net, [tokens(text) for text in smiles])
        return _recurrent(net, image)


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


@dataclass(frozen=True)
class _Layer:
    """A recurrent layer: weights of its input and of its state, transposed, and the bias.

    Gates are in the order input, forget, new, output; all but `new` have the opposite sign, as `_step` takes them.
    """

    input: np.ndarray
    state: np.ndarray
    bias: np.ndarray


@dataclass(frozen=True)
class _Network:
    """The weights, and what does not depend on the compound.

    `letters` (4, 36, 32) is what each letter adds at each place of the first convolution's window, nothing for no
    letter; `second` (4, 32, 32) the second convolution. `hidden` and `cell` (89, 128) are the first layer's states
    after 0, 1, 2, ... steps of padding, `padding` (89, 2048) what these add to the gates of the second.
    """

    letters: np.ndarray
    second: np.ndarray
    backwards: _Layer
    forwards: _Layer
    hidden: np.ndarray
    cell: np.ndarray
    padding: np.ndarray


def _convolved(net: _Network, texts: list[list[int]]) -> np.ndarray:
    """What both convolutions make of the texts (steps, n, 32), up to the last step that sees a letter.

    Convolutions have no bias, so that padding stays zero.
    """
    longest = max(map(len, texts))
    half = min(longest // 2 + 1, _HALF)
    steps = min(half // 2 + 1, _STEPS)
    places = np.full((len(texts), 2 * half + 2), _NOTHING)
    for row, text in enumerate(texts):
        places[row, 1 : len(text) + 1] = text  # one place of padding before the first letter
    first = sum(net.letters[k][places[:, k : k + 2 * half : 2]] for k in range(4))
    seen = np.zeros((len(texts), 2 * steps + 2, first.shape[2]), np.float32)
    seen[:, 1 : half + 1] = _selu(first)
    second = sum(seen[:, k : k + 2 * steps : 2] @ net.second[k] for k in range(4))
    return np.ascontiguousarray(_selu(second).transpose(1, 0, 2))


def _recurrent(net: _Network, image: np.ndarray) -> np.ndarray:
    """The second layer's last state (n, 512) of an image (steps, n, 32)."""
    filled, n, _ = image.shape
    unseen = _STEPS - filled
    hidden, cell = (np.repeat(kept[unseen : unseen + 1], n, axis=0) for kept in (net.hidden, net.cell))
    seen = np.empty((filled, *hidden.shape), np.float32)
    gates = np.empty((n, 4 * hidden.shape[1]), np.float32)
    for step in range(filled - 1, -1, -1):
        np.matmul(hidden, net.backwards.state, out=gates)
        gates += image[step] @ net.backwards.input + net.backwards.bias
        _step(gates, hidden, cell)
        seen[step] = hidden
    hidden, cell = (np.zeros((n, WIDTH), np.float32) for _ in range(2))
    gates = np.empty((n, 4 * WIDTH), np.float32)
    for step in range(_STEPS):
        np.matmul(hidden, net.forwards.state, out=gates)
        if step < filled:
            gates += seen[step] @ net.forwards.input + net.forwards.bias
        else:
            gates += net.padding[_STEPS - step]  # here the first layer has seen nothing but padding
        _step(gates, hidden, cell)
    return hidden


def _step(gates: np.ndarray, hidden: np.ndarray, cell: np.ndarray) -> None:
    """The next state and cell of a long short-term memory, in place of the old ones; `gates` are used up."""
    width = cell.shape[1]
    new = gates[:, 2 * width : 3 * width]
    for part in (gates[:, : 2 * width], gates[:, 3 * width :]):
        np.exp(part, out=part)
        part += 1.0
        np.reciprocal(part, out=part)
    np.tanh(new, out=new)
    new *= gates[:, :width]
    cell *= gates[:, width : 2 * width]
    cell += new
    np.tanh(cell, out=hidden)
    hidden *= gates[:, 3 * width :]


def _selu(values: np.ndarray) -> np.ndarray:
    below = np.expm1(np.minimum(values, 0.0)) * np.float32(_SELU_ALPHA)
    made: np.ndarray = (np.maximum(values, 0.0) + below) * np.float32(_SELU_SCALE)
    return made


@cache
def _network() -> _Network:
    """The network; MissingExtraError where fcd-torch is not installed, or holds other weights."""
    content = _content()
    arrays = {
        name: np.frombuffer(content, "<f4", int(np.prod(shape)), offset).reshape(shape).astype(np.float32)
        for name, (offset, shape) in _WEIGHTS.items()
    }
    letters = np.zeros((4, len(_TOKENS) + 1, 32), np.float32)
    letters[:, :-1] = arrays["first convolution"].transpose(2, 1, 0) / np.float32(len(_TOKENS))
    second = np.ascontiguousarray(arrays["second convolution"].transpose(2, 1, 0))
    backwards, forwards = (_layer(arrays, name) for name in ("first", "second"))
    width = backwards.state.shape[0]
    hidden, cell = (np.zeros((_STEPS + 1, width), np.float32) for _ in range(2))
    with one_blas_thread(), np.errstate(over="ignore"):
        state, kept = np.zeros((1, width), np.float32), np.zeros((1, width), np.float32)
        for step in range(1, _STEPS + 1):
            _step(state @ backwards.state + backwards.bias, state, kept)
            hidden[step], cell[step] = state[0], kept[0]
        padding = hidden @ forwards.input + forwards.bias
    return _Network(letters, second, backwards, forwards, hidden, cell, padding)


def _layer(arrays: dict[str, np.ndarray], name: str) -> _Layer:
    width = len(arrays[f"{name} bias"]) // 4
    sign = np.repeat(np.array([-1, -1, 1, -1], np.float32), width)
    return _Layer(
        np.ascontiguousarray(arrays[f"{name} input"].T * sign),
        np.ascontiguousarray(arrays[f"{name} state"].T * sign),
        arrays[f"{name} bias"] * sign,
    )


def _content() -> bytes:
    found = find_spec("fcd_torch")
    if found is None or found.origin is None:
        raise MissingExtraError(
            "the Fréchet ChemNet distance needs the weights of the package fcd-torch",
            hint="pip install 'iatros[molecules]', or leave out fcd",
        )
    path = Path(found.origin).parent / _FILE
    content = path.read_bytes() if path.is_file() else b""
    if hashlib.sha256(content).hexdigest() != WEIGHTS_SHA256:
        raise MissingExtraError(
            "this installation of fcd-torch has other weights than those that are known",
            where=str(path),
            hint="install fcd-torch 1.0.7, or leave out fcd",
        )
    return content
