"""The funnel: each step against compounds of which the answer is known."""

from __future__ import annotations

from typing import Any

import numpy as np
from rdkit import Chem

from iatros.core.context import Context
from iatros.molecules.generating.funnel import Funnel, Sieve, sift
from iatros.molecules.generating.known import Known, hashed
from iatros.molecules.generators.texts.reading import canonical

KNOWN = ["CCO", "c1ccccc1", "Cc1ccccc1O", "C1CCNCC1"]
ALL = Sieve(unique=False, novel=False, not_trivial=False)


def run(texts: list[str], sieve: Sieve, known: list[str] | None = KNOWN) -> Funnel:
    context = Context()
    return sift(texts, sieve, None if known is None else Known.of(known, context), context)


def counts(funnel: Funnel) -> dict[str, int]:
    return {step["step"]: step["n"] for step in funnel.steps}


def test_what_is_no_molecule_is_counted_and_left_out() -> None:
    funnel = run(["CCO", "C1CC", "", "c1ccccc1", "OCC"], ALL)
    assert counts(funnel) == {"written": 5, "valid": 3}
    assert funnel.smiles == ["CCO", "c1ccccc1", "CCO"]


def test_what_cannot_be_read_again_is_no_molecule() -> None:
    written = "O=c1=Cc2nc3ccccc3ncn2N1Cc1ccc(OC)cc1"
    assert Chem.MolFromSmiles(Chem.MolToSmiles(Chem.MolFromSmiles(written))) is None
    assert canonical(written) == ""
    assert sift([written, "CCO"], Sieve(), None, Context()).smiles == ["CCO"]


def test_each_compound_once_in_the_order_of_writing() -> None:
    funnel = run(["OCC", "CCN", "CCO"], Sieve(novel=False, not_trivial=False))
    assert funnel.smiles == ["CCO", "CCN"]
    assert counts(funnel)["unique"] == 2


def test_known_compounds_and_those_with_one_carbon_more_are_not_new() -> None:
    """CCCO is ethanol and a carbon, toluene is benzene and one; CCCCO is two away, phenol is none of the known."""
    funnel = run(["OCC", "CCCO", "Cc1ccccc1", "CCCCO", "Oc1ccccc1"], Sieve())
    assert counts(funnel) == {
        "written": 5,
        "valid": 5,
        "unique": 5,
        "not learned from": 4,
        "more than a known compound and one carbon atom": 2,
    }
    assert funnel.smiles == ["CCCCO", "Oc1ccccc1"]


def test_alerts_and_ring_systems_with_their_reasons() -> None:
    sieve = Sieve(unique=False, novel=False, not_trivial=False, filters=("brenk", "rings"))
    funnel = run(["CCCCN", "O=CCCN", "C1CCNCC1", "NC1CCC1"], sieve)
    brenk, rings = funnel.steps[-2:]
    assert (brenk["n"], rings["n"]) == (3, 2)
    assert len(brenk["reasons"]) == 1
    assert all("ldehyde" in why for why in brenk["reasons"])
    assert rings["reasons"] == {"C1CCC1": 1}
    assert funnel.smiles == ["CCCCN", "C1CCNCC1"]


def test_a_scaffold_must_be_there_wherever_it_may_grow() -> None:
    sieve = Sieve(novel=False, not_trivial=False, scaffold="*c1ccncc1")
    assert run(["Cc1ccncc1", "c1ccncc1", "c1ccccc1", "CCc1cnccc1"], sieve).smiles == [
        "Cc1ccncc1",
        "c1ccncc1",
        "CCc1cccnc1",
    ]


def test_without_memory_nothing_is_said_of_novelty() -> None:
    funnel = run(["CCO", "CCCO"], Sieve(filters=("rings",)), known=None)
    assert counts(funnel) == {"written": 2, "valid": 2, "unique": 2}
    assert funnel.smiles == ["CCO", "CCCO"]


def test_hard_to_make_compounds_can_be_left_out() -> None:
    easy, hard = "CC(=O)Nc1ccccc1", "C1CC23CC2(C1)C1CC13C#N"
    loose = run([easy, hard], ALL)
    (first, second) = (one.values[-1] for one in loose.examined)
    assert first < 2.0 < 4.0 < second
    assert run([easy, hard], Sieve(novel=False, not_trivial=False, most_difficult=3.0)).smiles == [easy]


def test_known_survives_the_bundle() -> None:
    known = Known.of(KNOWN, Context())
    files: dict[str, Any] = known.save()
    again = Known.load(*files.values())
    assert again.holds(["CCO", "CCCCCC"]).tolist() == [True, False]
    assert again.rings == known.rings


def test_hashes_differ_and_are_the_same_everywhere() -> None:
    found = hashed(["CCO", "CCN", "CCO"])
    assert found[0] == found[2] != found[1]
    assert found.dtype == np.dtype("<u8")
    assert found[:1].tobytes().hex() == "6d200b6f6c9553c3"  # printf CCO | b2sum -l 64
