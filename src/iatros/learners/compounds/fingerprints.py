"""Compounds as numbers: fingerprints of bits and of counts, and descriptors, computed in batches on the engine.

| kind | values | what it tells |
|---|---|---|
| `morgan`, `morgan-counts` | bits, counts | circular environments of the atoms (ECFP; Rogers and Hahn 2010) |
| `feature-morgan`, `feature-morgan-counts` | bits, counts | the same with atoms as donors, acceptors, ... (FCFP) |
| `avalon`, `avalon-counts` | bits, counts | paths, rings and atom pairs (Gedeck 2006) |
| `maccs` | bits | 166 substructures, numbered from 1: bit 0 is never set |
| `erg` | numbers | distances between pharmacophore points (Stiefel 2006), 315 |
| `descriptors` | numbers | RDKit's 2-D properties, by name, without `Ipc`, which overflows and has `AvgIpc` beside it |

RDKit is imported only inside the functions that need it, so that the kernel works without it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any, Literal, get_args

import numpy as np

from iatros.core.engine import Engine, SerialEngine
from iatros.core.errors import InputError, MissingExtraError, unknown_name
from iatros.core.progress import Progress, SilentProgress
from iatros.learners.compounds.packing import WORD_BITS, n_words
from iatros.learners.compounds.store import FeatureStore

Kind = Literal[
    "morgan",
    "morgan-counts",
    "feature-morgan",
    "feature-morgan-counts",
    "avalon",
    "avalon-counts",
    "maccs",
    "erg",
    "descriptors",
]
BIT_KINDS = ("morgan", "feature-morgan", "avalon", "maccs")
COUNT_KINDS = ("morgan-counts", "feature-morgan-counts", "avalon-counts")
BATCH = 1000
"""Compounds in one task. It is part of no answer, only of what one file of the cache holds."""

_MACCS_BITS = 167
_LARGEST = 1e10
_MOST = np.iinfo(np.uint16).max


@dataclass(frozen=True)
class Fingerprint:
    """Which numbers a compound is turned into: two compounds can be compared where these fields are equal.

    `n_bits` and `radius` (bonds) matter to the kinds that have them and are 0 in the others; `chirality` tells
    mirror images apart, for the circular kinds only.
    """

    kind: Kind = "morgan"
    n_bits: int = 2048
    radius: int = 2
    chirality: bool = False

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise unknown_name("fingerprint", self.kind, get_args(Kind))
        circular, sized = "morgan" in self.kind, self.kind in ("avalon", "avalon-counts")
        if not circular and not sized:
            object.__setattr__(self, "n_bits", _MACCS_BITS if self.kind == "maccs" else 0)
        elif not WORD_BITS <= self.n_bits <= 65536 or self.n_bits % WORD_BITS:
            raise InputError(
                f"a fingerprint has a multiple of {WORD_BITS} bits, up to 65536, got {self.n_bits}"
            )
        if not circular:
            object.__setattr__(self, "radius", 0)
            object.__setattr__(self, "chirality", False)
        elif not 0 <= self.radius <= 8:
            raise InputError(f"the radius must lie between 0 and 8 bonds, got {self.radius}")


@dataclass(frozen=True)
class Features:
    """What a list of compounds was turned into.

    `values` is (n, words) uint64 packed bits for the kinds of bits, (n, n_bits) uint16 for counts (those above 65535
    are 65535), (n, features) float32 and finite otherwise. `names` names the columns where they have names. `rows` (n,)
    tells where each compound stood in the list; `refused` says of each other place why. `filled` says of each
    descriptor that could not be computed for some compounds, and is 0 there, for how many.
    """

    values: np.ndarray
    names: tuple[str, ...]
    rows: np.ndarray
    refused: dict[int, str]
    filled: dict[str, int]


def compute(
    smiles: Sequence[str],
    fingerprint: Fingerprint | None = None,
    *,
    engine: Engine | None = None,
    progress: Progress | None = None,
    store: FeatureStore | None = None,
) -> Features:
    """The fingerprints of `smiles`; what RDKit cannot read is in `refused` and has no row.

    Batches run on `engine` and are kept in `store` under a hash of their content, the fingerprint and RDKit's version.

    >>> found = compute(["CCO", "C1CC"], Fingerprint("morgan", n_bits=128))
    >>> found.values.shape, found.refused
    ((1, 2), {1: 'not a valid SMILES'})
    """
    fingerprint = fingerprint or Fingerprint()
    version = rdkit_version()
    batches = [list(smiles[start : start + BATCH]) for start in range(0, len(smiles), BATCH)]
    keys = [FeatureStore.key(version, asdict(fingerprint), batch) for batch in batches] if store else []
    found: list[Any] = [store.find(key) for key in keys] if store else [None] * len(batches)
    missing = [number for number, one in enumerate(found) if one is None]
    if missing:
        made = (engine or SerialEngine()).map(
            compute_batch,
            [batches[number] for number in missing],
            fingerprint,
            progress=progress or SilentProgress(),
            label="fingerprints",
        )
        for number, one in zip(missing, made, strict=True):
            found[number] = one
            if store:
                store.put(keys[number], one)
    return _joined(found, fingerprint, len(smiles))


def require(features: Features, smiles: Sequence[str]) -> np.ndarray:
    """`features.values` where every compound was read; InputError that names the first one that was not."""
    if features.refused:
        place, reason = next(iter(features.refused.items()))
        raise InputError(
            f"{len(features.refused)} of {len(smiles)} compounds could not be read; the first: {reason}",
            where=f"compound {place + 1}",
            cell=smiles[place],
            hint="curate the file first",
        )
    return features.values


def compute_batch(fingerprint: Fingerprint, smiles: Sequence[str]) -> dict[str, np.ndarray]:
    """`values` of the compounds that were read and `rows`, their places; what an engine's worker runs."""
    Chem = _rdkit("Chem")
    molecules, rows = [], []
    with _rdkit("rdBase").BlockLogs():
        for place, text in enumerate(smiles):
            # RDKit takes what follows a space for a name, so that "CO poisoning" would be methanol.
            first, _, rest = text.strip().partition(" ")
            molecule = Chem.MolFromSmiles(first) if not rest or rest.lstrip().startswith("|") else None
            if molecule is not None and molecule.GetNumAtoms():
                molecules.append(molecule)
                rows.append(place)
        values = of_molecules(fingerprint, molecules)
    return {"values": values, "rows": np.array(rows, dtype=np.int64)}


def of_molecules(fingerprint: Fingerprint, molecules: Sequence[Any]) -> np.ndarray:
    """The values of molecules that RDKit has read already, one line for each; nan where a descriptor has no value."""
    lines = list(map(_calculator(fingerprint), molecules))
    if not lines:
        return _empty(fingerprint)
    if fingerprint.kind not in BIT_KINDS:
        return np.stack(lines)
    width = n_words(fingerprint.n_bits) * 8  # what a line lacks to whole words is zeros: those of MACCS
    words = np.frombuffer(b"".join(line.ljust(width, b"\0") for line in lines), dtype="<u8")
    return words.reshape(len(lines), -1).astype(np.uint64)


def feature_names(fingerprint: Fingerprint) -> tuple[str, ...]:
    """Names of the columns: of each descriptor; none for bits and counts, which have numbers."""
    return tuple(_descriptors()) if fingerprint.kind == "descriptors" else ()


def _joined(found: list[dict[str, np.ndarray]], fingerprint: Fingerprint, n: int) -> Features:
    values = np.concatenate([one["values"] for one in found]) if found else _empty(fingerprint)
    rows = np.concatenate([np.empty(0, np.int64), *(one["rows"] + i * BATCH for i, one in enumerate(found))])
    names = feature_names(fingerprint)
    unread = np.setdiff1d(np.arange(n), rows).tolist()
    filled: dict[str, int] = {}
    if values.dtype.kind == "f":
        unknown = ~np.isfinite(values)
        values = np.where(unknown, np.float32(0.0), values)
        filled = {name: int(k) for name, k in zip(names, unknown.sum(axis=0), strict=False) if k}
    return Features(values, names, rows.astype(np.int64), dict.fromkeys(unread, "not a valid SMILES"), filled)


def _empty(fingerprint: Fingerprint) -> np.ndarray:
    if fingerprint.kind in BIT_KINDS:
        return np.empty((0, n_words(fingerprint.n_bits)), dtype=np.uint64)
    if fingerprint.kind in COUNT_KINDS:
        return np.empty((0, fingerprint.n_bits), dtype=np.uint16)
    return np.empty((0, 315 if fingerprint.kind == "erg" else len(_descriptors())), dtype=np.float32)


def _calculator(fingerprint: Fingerprint) -> Any:
    """A function from a molecule to its line of values, or to bytes for the kinds of bits."""
    kind = fingerprint.kind
    as_bytes = _rdkit("DataStructs").BitVectToBinaryText
    if "morgan" in kind:
        return _circular(fingerprint)
    if kind == "avalon":
        avalon = _rdkit("Avalon.pyAvalonTools").GetAvalonFP
        return lambda molecule: as_bytes(avalon(molecule, fingerprint.n_bits))
    if kind == "avalon-counts":
        counts = _rdkit("Avalon.pyAvalonTools").GetAvalonCountFP
        return lambda molecule: _counted(counts(molecule, fingerprint.n_bits), fingerprint.n_bits)
    if kind == "maccs":
        maccs = _rdkit("Chem.rdMolDescriptors").GetMACCSKeysFingerprint
        return lambda molecule: as_bytes(maccs(molecule))
    if kind == "erg":
        erg = _rdkit("Chem.rdReducedGraphs").GetErGFingerprint
        return lambda molecule: np.asarray(erg(molecule), dtype=np.float32)
    return _describe


def _circular(fingerprint: Fingerprint) -> Any:
    module = _rdkit("Chem.rdFingerprintGenerator")
    features = fingerprint.kind.startswith("feature")
    generator = module.GetMorganGenerator(
        radius=fingerprint.radius,
        fpSize=fingerprint.n_bits,
        includeChirality=fingerprint.chirality,
        atomInvariantsGenerator=module.GetMorganFeatureAtomInvGen() if features else None,
    )
    if fingerprint.kind in BIT_KINDS:
        as_bytes, calculate = _rdkit("DataStructs").BitVectToBinaryText, generator.GetFingerprint
        return lambda molecule: as_bytes(calculate(molecule))
    return lambda molecule: np.minimum(generator.GetCountFingerprintAsNumPy(molecule), _MOST).astype(
        np.uint16
    )


def _counted(vector: Any, n_bits: int) -> np.ndarray:
    line = np.zeros(n_bits, dtype=np.uint16)
    for bit, count in vector.GetNonzeroElements().items():
        line[bit] = min(count, _MOST)
    return line


def _describe(molecule: Any) -> np.ndarray:
    """Every descriptor; nan where RDKit has none for this compound, and never further from 0 than 1e10."""
    line = []
    for calculate in _descriptors().values():
        try:
            line.append(float(calculate(molecule)))
        except (ValueError, RuntimeError, ZeroDivisionError, OverflowError):
            line.append(np.nan)
    values = np.array(line)
    values[~np.isfinite(values)] = np.nan
    return np.clip(values, -_LARGEST, _LARGEST).astype(np.float32)


@cache
def _descriptors() -> dict[str, Any]:
    return {name: function for name, function in _rdkit("Chem.Descriptors")._descList if name != "Ipc"}


@cache
def _rdkit(name: str) -> Any:
    from importlib import import_module

    try:
        return import_module(f"rdkit.{name}")
    except ImportError as error:
        raise MissingExtraError(
            "fingerprints need the package rdkit", hint="pip install 'iatros[molecules]'"
        ) from error


def rdkit_version() -> str:
    """The version of RDKit, which is part of what its fingerprints mean."""
    return str(_rdkit("rdBase").rdkitVersion)
