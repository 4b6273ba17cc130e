"""The distribution-learning benchmarks of GuacaMol (Brown et al., J Chem Inf Model 59:1096, 2019).

Compounds are compared without stereochemistry. The divergence compares 10,000 different generated compounds with as
many of the reference, over nine descriptors and the similarity of each compound to its nearest in the same set: the
Kullback-Leibler divergence of Gaussian kernel densities for numbers, of ten bins of the reference for counts. The
score is the mean of exp(-divergence). The Fréchet score is exp(-0.2 FCD).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from iatros.core.context import Context
from iatros.core.errors import InputError
from iatros.learners.compounds.fingerprints import Fingerprint, of_molecules
from iatros.learners.compounds.tanimoto import build_index, search
from iatros.molecules.distribution import keeping
from iatros.molecules.distribution.novelty import flattened
from iatros.molecules.distribution.reference import FORMAT, Reference, unpacked
from iatros.molecules.libraries import kept

SAMPLE = 10_000
"""Compounds of each side that are compared, and what GuacaMol's shares are of."""
CONTINUOUS = ("BertzCT", "MolLogP", "MolWt", "TPSA")
COUNTED = ("NumHAcceptors", "NumHDonors", "NumRotatableBonds", "NumAliphaticRings", "NumAromaticRings")
NEAREST = "internal_similarity"
_FINGERPRINT = Fingerprint("morgan", n_bits=4096)
_SEED = 42
"""Draws the compounds of the reference, once for each reference."""
_BATCH = 500
_POINTS = 1000
_LEAST = 1e-10
"""Added to densities so that none is zero."""
_FEWEST = 3


@dataclass(frozen=True)
class Profile:
    """Of `n` compounds: `descriptors` (n, 9), in the order of `CONTINUOUS` and `COUNTED`, and `nearest` (n,)."""

    descriptors: np.ndarray
    nearest: np.ndarray

    def __len__(self) -> int:
        return len(self.nearest)


def profile(smiles: Sequence[str], context: Context, *, label: str) -> Profile:
    """The profile of the first 10,000 different compounds of `smiles`, which are canonical, without stereochemistry."""
    chosen = list(dict.fromkeys(smiles))[:SAMPLE]
    batches = [chosen[low : low + _BATCH] for low in range(0, len(chosen), _BATCH)]
    parts = context.engine.map(describe, batches, None, progress=context.progress, label=label)
    words = np.concatenate([found for found, _ in parts])
    index = build_index(words)
    near = search(index, words, 1, exclude=np.arange(len(words))).similarities[:, 0]
    return Profile(np.concatenate([values for _, values in parts]), near)


def read_profile(reference: Reference, source: Any, context: Context) -> Profile:
    """The profile of 10,000 compounds of the reference, drawn at random, computed where it is not kept."""
    label = f"descriptors of {reference.name}"
    if not isinstance(source, Path):
        return profile(_drawn(reference), context, label=label)

    def build(folder: Path) -> Profile:
        from safetensors.numpy import save

        made = profile(_drawn(reference), context, label=label)
        arrays = {"descriptors": made.descriptors, "nearest": made.nearest}
        keeping.write(folder, {}, {"profile.safetensors": bytes(save(arrays))})
        return made

    def opened(folder: Path) -> Profile:
        arrays = unpacked(keeping.read(folder)[1]["profile.safetensors"])
        return Profile(arrays["descriptors"], arrays["nearest"])

    return kept("profiles", source, [FORMAT, SAMPLE, _SEED], opened, build)


def describe(_: None, smiles: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Fingerprints (n, 64) and descriptors (n, 9) of canonical SMILES; a descriptor without a value is 0."""
    from rdkit import Chem, rdBase

    with rdBase.BlockLogs():
        molecules = [Chem.MolFromSmiles(text) for text in smiles]
        read = [molecule for molecule in molecules if molecule is not None]
        values = np.array([[compute(one) for compute in _descriptors()] for one in read], dtype=float)
    values[~np.isfinite(values)] = 0.0
    return of_molecules(_FINGERPRINT, read), values


def divergences(reference: Profile, generated: Profile) -> dict[str, float]:
    """The divergence of each descriptor from the reference, 0 where both are alike.

    InputError where a side has fewer than three compounds, or all are alike in a number, so that it has no density.
    """
    if min(len(reference), len(generated)) < _FEWEST:
        raise InputError(
            f"the divergence needs {_FEWEST} different compounds on each side, got {len(reference)} and "
            f"{len(generated)}",
            hint="give more compounds, or leave out kl",
        )
    columns = zip(CONTINUOUS + COUNTED, reference.descriptors.T, generated.descriptors.T, strict=True)
    found = {name: (_of_numbers if name in CONTINUOUS else _of_counts)(p, q) for name, p, q in columns}
    return {**found, NEAREST: _of_numbers(reference.nearest, generated.nearest)}


def score(found: dict[str, float]) -> float:
    """The mean of exp(-divergence): 1 where nothing tells the two sides apart, 0 where everything does.

    >>> score({"MolWt": 0.0, "TPSA": math.log(2)})
    0.75
    """
    return float(np.mean([math.exp(-value) for value in found.values()]))


def frechet_score(distance: float) -> float:
    """exp(-0.2 FCD).

    >>> round(frechet_score(1.0), 3)
    0.819
    """
    return math.exp(-0.2 * distance)


def shares(n_valid: int, n_written: int, flat: Sequence[str], novel: np.ndarray | None) -> dict[str, Any]:
    """Validity, uniqueness and novelty in GuacaMol's terms: of 10,000, of which those that are missing are lost.

    `flat` are the valid compounds in order, without stereochemistry; `novel` tells of each different one of them, in
    order, whether it is new.
    """
    first = len(set(flat[:SAMPLE]))
    return {
        "validity": n_valid / n_written if n_written else None,
        "uniqueness": first / SAMPLE,
        "novelty": None if novel is None else int(novel[:SAMPLE].sum()) / SAMPLE,
    }


def without_stereo(smiles: Sequence[str]) -> list[str]:
    """Canonical SMILES without stereochemistry; most have none and are not read again."""
    from rdkit import Chem, rdBase

    with rdBase.BlockLogs():
        return [
            flattened(Chem.MolFromSmiles(text), text) if any(sign in text for sign in "@/\\[") else text
            for text in smiles
        ]


def _drawn(reference: Reference) -> list[str]:
    order = np.random.default_rng(_SEED).permutation(len(reference))
    # Twice as many as are wanted, in case some differ in stereochemistry alone.
    return without_stereo([reference.smiles[row] for row in order[: 2 * SAMPLE].tolist()])


@cache
def _descriptors() -> tuple[Any, ...]:
    from rdkit.Chem import Descriptors

    return tuple(getattr(Descriptors, name) for name in CONTINUOUS + COUNTED)


def _of_numbers(reference: np.ndarray, generated: np.ndarray) -> float:
    both = np.concatenate([reference, generated])
    if min(np.ptp(reference), np.ptp(generated)) == 0:
        return 0.0 if np.ptp(both) == 0 else math.inf
    at = np.linspace(both.min(), both.max(), num=_POINTS)
    return _divergence(_density(reference, at) + _LEAST, _density(generated, at) + _LEAST)


def _of_counts(reference: np.ndarray, generated: np.ndarray) -> float:
    p, edges = np.histogram(reference, bins=10, density=True)
    if not ((generated >= edges[0]) & (generated <= edges[-1])).any():
        return math.inf
    return _divergence(p + _LEAST, np.histogram(generated, bins=edges, density=True)[0] + _LEAST)


def _density(values: np.ndarray, at: np.ndarray) -> np.ndarray:
    """A Gaussian kernel density with Scott's bandwidth, as SciPy has it."""
    width = values.std(ddof=1) * len(values) ** -0.2
    ordered = np.sort(values)
    made = np.empty(len(at))
    for place, centre in enumerate(at):
        # What lies further than nine widths away adds less than 1e-17 of a peak.
        low, high = np.searchsorted(ordered, [centre - 9 * width, centre + 9 * width])
        apart = (ordered[low:high] - centre) / width
        made[place] = np.exp(-0.5 * apart * apart).sum()
    return made / (len(values) * width * math.sqrt(2 * math.pi))


def _divergence(p: np.ndarray, q: np.ndarray) -> float:
    p, q = p / p.sum(), q / q.sum()
    return float(np.sum(p * np.log(p / q)))
