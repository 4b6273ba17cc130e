"""What reads compounds into latent vectors, in numpy: convolutions over their tokens as products of matrices."""

from __future__ import annotations

import numpy as np

from iatros.learners.compounds.tokens import PAD
from iatros.molecules.generators.networks.stepping import in_batches

STRIDES = (1, 2, 2)
"""Places by which each convolution moves on."""
KERNEL = 5
"""Tokens that a convolution sees at once."""
LEAST_LOG_VARIANCE, MOST_LOG_VARIANCE = -8.0, 4.0


class Encoder:
    """Embedded tokens with their places, convolutions, the mean and the maximum over the places, two dense layers.

    Names of `weights`, float32: `embedding.weight` (tokens, width), `positions` (places, width),
    `convolutions.<k>.weight` (channels, width, kernel) and `.bias` as in `torch.nn.Conv1d`, and `hidden`, `mean` and
    `log_variance`, each with `.weight` and `.bias`; without the last the log-variances are 0. Filling is 0 after every
    layer, so an answer does not depend on what else is read.
    """

    def __init__(self, weights: dict[str, np.ndarray]) -> None:
        self.weights = weights

    def encode(self, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Means and log-variances, both float32 (n, latent), of the lines of `codes` (n, length)."""

        def batch(begin: int, end: int, _: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
            return self._encode(codes[begin:end])

        parts = in_batches(batch, len(codes), np.random.default_rng(0))
        latent = len(self.weights["mean.bias"])
        none = np.zeros((0, latent), dtype=np.float32)
        means, log_variances = zip((none, none), *parts, strict=True)
        return np.concatenate(means), np.concatenate(log_variances)

    def _encode(self, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        codes = codes[:, : int((codes != PAD).sum(axis=1).max())]
        there = (codes != PAD)[:, :, None]
        seen = (self.weights["embedding.weight"][codes] + self.weights["positions"][: codes.shape[1]]) * there
        for k, stride in enumerate(STRIDES):
            weight, bias = (self.weights[f"convolutions.{k}.{name}"] for name in ("weight", "bias"))
            there = there[:, ::stride]
            seen = np.maximum(_convolved(seen, weight, bias, stride), 0.0) * there
        pooled = np.concatenate([seen.sum(axis=1) / there.sum(axis=1), seen.max(axis=1)], axis=1)
        hidden = np.maximum(self._dense("hidden", pooled.astype(np.float32)), 0.0)
        mean = self._dense("mean", hidden)
        if "log_variance.weight" not in self.weights:
            return mean, np.zeros_like(mean)
        log_variance = self._dense("log_variance", hidden)
        return mean, log_variance.clip(LEAST_LOG_VARIANCE, MOST_LOG_VARIANCE)

    def _dense(self, name: str, given: np.ndarray) -> np.ndarray:
        out: np.ndarray = given @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"]
        return out


def _convolved(seen: np.ndarray, weight: np.ndarray, bias: np.ndarray, stride: int) -> np.ndarray:
    """(n, places / stride rounded up, channels): of every `stride`-th place the window around it times `weight`."""
    channels, width, kernel = weight.shape
    half = kernel // 2
    padded = np.pad(seen, ((0, 0), (half, half), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, kernel, axis=1)[:, ::stride]
    n, places = windows.shape[:2]
    flat = windows.reshape(n * places, width * kernel) @ weight.reshape(channels, width * kernel).T
    out: np.ndarray = (flat + bias).reshape(n, places, channels)
    return out
