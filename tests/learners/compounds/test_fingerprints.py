"""Fingerprints are RDKit's own, whatever the batches, the engine or the cache."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from iatros.core.engine import SerialEngine
from iatros.core.errors import InputError, StorageError, UnknownNameError
from iatros.engines.processes import ProcessEngine
from iatros.learners.compounds import fingerprints
from iatros.learners.compounds.fingerprints import BIT_KINDS, COUNT_KINDS, Fingerprint, Kind, compute, require
from iatros.learners.compounds.packing import unpack
from iatros.learners.compounds.store import FeatureStore

KINDS = get_args(Kind)


class CountingEngine(SerialEngine):
    """The plain loop, which remembers how many tasks it was given."""

    def __init__(self) -> None:
        self.tasks = 0

    def map(self, function: Any, items: Any, shared: Any, **means: Any) -> list[Any]:
        self.tasks += len(items)
        return super().map(function, items, shared, **means)


def _theirs(kind: str, text: str) -> np.ndarray:
    """What RDKit's documented call for each kind gives, bit by bit."""
    from rdkit import Chem
    from rdkit.Avalon import pyAvalonTools
    from rdkit.Chem import Descriptors, MACCSkeys, rdFingerprintGenerator, rdReducedGraphs

    molecule = Chem.MolFromSmiles(text)
    plain = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=512)
    features = rdFingerprintGenerator.GetMorganGenerator(
        radius=2, fpSize=512, atomInvariantsGenerator=rdFingerprintGenerator.GetMorganFeatureAtomInvGen()
    )
    calls = {
        "morgan": lambda: list(plain.GetFingerprint(molecule)),
        "morgan-counts": lambda: list(plain.GetCountFingerprint(molecule)),
        "feature-morgan": lambda: list(features.GetFingerprint(molecule)),
        "feature-morgan-counts": lambda: list(features.GetCountFingerprint(molecule)),
        "avalon": lambda: list(pyAvalonTools.GetAvalonFP(molecule, 512)),
        "avalon-counts": lambda: list(pyAvalonTools.GetAvalonCountFP(molecule, 512)),
        "maccs": lambda: list(MACCSkeys.GenMACCSKeys(molecule)),
        "erg": lambda: list(rdReducedGraphs.GetErGFingerprint(molecule)),
        "descriptors": lambda: [
            value for name, value in Descriptors.CalcMolDescriptors(molecule).items() if name != "Ipc"
        ],
    }
    return np.array(calls[kind](), dtype=np.float64)


@pytest.mark.parametrize("kind", KINDS)
def test_values_are_those_of_rdkit(smiles: list[str], kind: Kind) -> None:
    chosen = smiles[::97]
    fingerprint = Fingerprint(kind, n_bits=512)
    found = compute(chosen, fingerprint)
    values = unpack(found.values, fingerprint.n_bits) if kind in BIT_KINDS else found.values
    theirs = np.stack([_theirs(kind, text) for text in chosen])
    assert values.shape == theirs.shape
    assert np.allclose(values, np.nan_to_num(theirs), rtol=1e-6)
    assert not found.refused


@pytest.mark.parametrize("kind", KINDS)
def test_types_and_widths(kind: Kind) -> None:
    fingerprint = Fingerprint(kind, n_bits=256)
    for smiles in (["CCO", "c1ccccc1"], []):
        values = compute(smiles, fingerprint).values
        if kind in BIT_KINDS:
            assert (values.dtype, values.shape[1]) == (np.uint64, -(-fingerprint.n_bits // 64))
        elif kind in COUNT_KINDS:
            assert (values.dtype, values.shape[1]) == (np.uint16, 256)
        else:
            assert values.dtype == np.float32
            assert values.shape[1] == (315 if kind == "erg" else len(fingerprints.feature_names(fingerprint)))


def test_descriptors_are_named_and_finite_and_say_what_was_filled() -> None:
    found = compute(["[Na+].[Cl-]", "CCO", "CC(=O)[Pt]"], Fingerprint("descriptors"))
    assert np.isfinite(found.values).all()
    assert "MolLogP" in found.names
    assert "Ipc" not in found.names
    weight = found.values[:, found.names.index("MolWt")]
    assert weight[1] == pytest.approx(46.069, abs=1e-3)
    assert found.filled["BCUT2D_MWHI"] == 2
    assert "MolWt" not in found.filled


@pytest.mark.parametrize("batch", [7, 1000])
def test_what_cannot_be_read_has_no_row_and_a_reason(batch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fingerprints, "BATCH", batch)
    smiles = ["CCO", "C1CC", "", "aspirin", *["CC"] * 9, "C(C)(C)(C)(C)C", "N"]
    found = compute(smiles)
    assert found.rows.tolist() == [0, *range(4, 13), 14]
    assert found.refused == dict.fromkeys([1, 2, 3, 13], "not a valid SMILES")
    assert np.array_equal(found.values[0], compute(["CCO"]).values[0])
    with pytest.raises(InputError, match="4 of 15 compounds could not be read") as raised:
        require(found, smiles)
    assert raised.value.where == "compound 2"
    assert "C1CC" not in str(raised.value.document())


def test_words_after_a_structure_do_not_make_it_one() -> None:
    found = compute(["CO poisoning", " CO ", "C[C@H](O)F |&1:1|"])
    assert found.rows.tolist() == [1, 2]
    assert np.array_equal(found.values[0], compute(["CO"]).values[0])


def test_nothing_readable_is_an_empty_table() -> None:
    found = compute(["x", "y"], Fingerprint("morgan", n_bits=128))
    assert found.values.shape == (0, 2)
    assert require(compute(["C"]), ["C"]).shape == (1, 32)


def test_engine_and_batches_change_nothing(smiles: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    alone = compute(smiles[:90], Fingerprint("morgan"))
    monkeypatch.setattr(fingerprints, "BATCH", 40)
    with ProcessEngine(2) as engine:
        several = compute(smiles[:90], Fingerprint("morgan"), engine=engine)
    assert np.array_equal(alone.values, several.values)
    assert np.array_equal(alone.rows, several.rows)


@pytest.mark.parametrize("change", [{"radius": 1}, {"n_bits": 128}, {"chirality": True}, {"kind": "avalon"}])
def test_each_field_changes_the_values(change: dict[str, Any]) -> None:
    smiles = ["C[C@H](N)C(=O)Oc1ccccc1CC"]
    plain = Fingerprint("morgan", n_bits=256)
    changed = compute(smiles, replace(plain, **change)).values
    assert not np.array_equal(changed, compute(smiles, plain).values)


def test_fields_that_a_kind_does_not_have_are_the_same_in_all() -> None:
    assert Fingerprint("maccs", n_bits=512, radius=3) == Fingerprint("maccs")
    assert Fingerprint("avalon", radius=3, chirality=True) == Fingerprint("avalon")


def test_what_is_known_is_not_computed_again(
    tmp_path: Path, smiles: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fingerprints, "BATCH", 10)
    store, engine = FeatureStore(tmp_path), CountingEngine()
    asked = ["C1CC", *smiles[:24]]
    first = compute(asked, engine=engine, store=store)
    assert engine.tasks == 3
    again = compute(asked, engine=engine, store=store)
    assert engine.tasks == 3
    assert np.array_equal(first.values, again.values)
    assert first.refused == again.refused == {0: "not a valid SMILES"}
    compute(asked, Fingerprint("maccs"), engine=engine, store=store)
    assert engine.tasks == 6
    compute([*asked[:24], "CCN"], engine=engine, store=store)
    assert engine.tasks == 7


def test_damaged_files_are_computed_anew_and_hold_no_structure(tmp_path: Path) -> None:
    store, engine = FeatureStore(tmp_path), CountingEngine()
    first = compute(["CCOCCCl", "CCN"], engine=engine, store=store)
    (path,) = tmp_path.rglob("*.features")
    content = path.read_bytes()
    assert b"CCOCCCl" not in content
    path.write_bytes(content[:-3] + b"abc")
    again = compute(["CCOCCCl", "CCN"], engine=engine, store=store)
    assert engine.tasks == 2
    assert np.array_equal(first.values, again.values)
    assert path.read_bytes() == content


def test_a_store_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(StorageError, match="could not be kept"):
        FeatureStore(blocked / "deep").put("ab" * 32, {"values": np.zeros(2)})


def test_bad_fingerprints_are_refused() -> None:
    with pytest.raises(UnknownNameError, match="morgon"):
        Fingerprint("morgon")  # type: ignore[arg-type]
    for n_bits in (0, 100, 70000):
        with pytest.raises(InputError, match="multiple of 64"):
            Fingerprint("avalon", n_bits=n_bits)
    with pytest.raises(InputError, match="between 0 and 8"):
        Fingerprint("morgan", radius=9)
