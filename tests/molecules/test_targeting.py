"""Targets of a compound: read, reconciled, ranked, checked, kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rdkit import Chem

from iatros.core.context import Context, Produced
from iatros.core.errors import InputError, OutcomeError, RequestError, TableError, UnknownNameError
from iatros.core.request import build
from iatros.core.runs import home_folder
from iatros.engines.processes import ProcessEngine
from iatros.molecules import targeting
from iatros.molecules.fishing import reference
from iatros.molecules.search_requests import TargetsRequest

SALICYLATES = [
    f"O=C(O)c1cc({tail})ccc1O" for tail in ("C", "CC", "CCC", "Cl", "Br", "F", "OC", "N", "C#N", "CCCC")
]
AMINES = [f"{'C' * n}N(C)CCc1ccc(O)cc1" for n in range(1, 13)]
ACIDS = [f"{'C' * n}CCCCCCC(=O)O" for n in range(1, 9)]
ASPIRIN = "CC(=O)Oc1ccccc1C(=O)O"


def pairs(**more: Any) -> list[dict[str, Any]]:
    sets = {"COX": [*SALICYLATES, ASPIRIN], "DOPA": AMINES, "PPAR": [*ACIDS, SALICYLATES[0]]}
    return [{"smiles": s, "target": t, **more} for t, members in sets.items() for s in members]


def ask(structure: str, reference: Any, context: Context | None = None, **fields: Any) -> Produced:
    request = TargetsRequest(structure=structure, reference=reference, **fields)
    return targeting.targets(request, context or Context())


def test_the_likely_target_comes_first_with_its_significance() -> None:
    produced = ask("O=C(O)c1cc(CO)ccc1O", pairs())
    rows = produced.result["targets"]
    assert [row["rank"] for row in rows] == [1, 2, 3]
    assert rows[0]["target"] == "COX"
    assert rows[0]["nearest_smiles"] in {Chem.CanonSmiles(text) for text in SALICYLATES}
    assert rows[0]["n_ligands"] == 11
    assert not rows[0]["known"]
    assert rows[0]["p"] < rows[-1]["p"]
    assert rows[0]["e_value"] == pytest.approx(3 * rows[0]["p"])
    assert produced.table is not None
    assert produced.table["target"] == [row["target"] for row in rows]
    assert (produced.result["n_compounds"], produced.result["n_pairs"]) == (31, 32)


def test_a_known_target_is_told_whatever_form_the_compound_is_drawn_in() -> None:
    salt = "[Na+].CC(=O)Oc1ccccc1C(=O)[O-]"
    rows = {row["target"]: row for row in ask(salt, pairs()).result["targets"]}
    assert [name for name, row in rows.items() if row["known"]] == ["COX"]
    assert rows["COX"]["nearest_similarity"] == 1.0


def test_a_stranger_is_told_to_be_one() -> None:
    produced = ask("FC(F)(F)S(=O)(=O)C1CC1", pairs())
    assert any("nothing here tells" in note for note in produced.result["notes"])
    assert min(row["p"] for row in produced.result["targets"]) > 0.05


def test_only_what_is_known_to_be_active_counts() -> None:
    rows = pairs(y="100")  # 7
    rows += [
        {"smiles": "CCCCO", "target": "COX", "y": "20000"},  # 4.7
        {"smiles": "CCCCCO", "target": "COX", "y": ">10"},  # below 8, which says nothing
        {"smiles": "CCCCCCO", "target": "COX", "y": "<10"},  # above 8
        {"smiles": "CCCCCCCO", "target": "COX", "y": "10"},
        {"smiles": "OCCCCCCC", "target": "COX", "y": "100000"},  # median with the line before: 6
        {"smiles": "CCCCCCCCO", "target": "COX", "y": "active"},
        {"smiles": "CCCCCCCCO", "target": " ", "y": "1"},
        {"smiles": "C1CC", "target": "COX", "y": "1"},
        {"smiles": "CCCCCCCCO", "target": "COX", "y": ""},
    ]
    fields = {"activity": "y", "unit": "nM"}
    result = ask(ASPIRIN, rows, active_from=6.0, **fields).result
    cox = next(row for row in result["targets"] if row["target"] == "COX")
    assert cox["n_ligands"] == 11 + 2
    assert (result["n_lines"], result["n_inactive"], result["n_refused"]) == (41, 2, 4)
    assert [one["line"] for one in result["refused"]] == [38, 39, 40, 41]
    assert "not a number" in result["refused"][0]["reason"]
    assert result["refused"][1]["reason"] == "target: none is named"
    stricter = ask(ASPIRIN, rows, active_from=6.5, **fields).result
    assert stricter["n_pairs"] == result["n_pairs"] - 1
    with pytest.raises(OutcomeError, match="active_from"):
        ask(ASPIRIN, pairs(y="5"), activity="y", unit="nM", active_from=12.0)


def test_each_field_changes_the_answer() -> None:
    rows = pairs() + [{"smiles": f"{'C' * n}CCN1CCNCC1", "target": "5HT"} for n in range(1, 16)]
    for number, row in enumerate(rows):
        row.update(
            y=5.0 + number % 4, alt=f"T{number % 2}", b="C" * (number % 25 + 2) + "Cl", rel="<>="[number % 3]
        )
        row["u"] = "p" if number % 2 else "uM"
    base = {"activity": "y", "active_from": 6.0, "unit": "p", "ranking": "ensemble", "smiles": "smiles"}
    plain = ask(ASPIRIN, rows, **base).result
    for change in (
        {"target": "alt"},
        {"smiles": "b"},
        {"activity": None, "active_from": None, "unit": None},
        {"active_from": 7.0},
        {"relation": "rel"},
        {"unit": None, "unit_column": "u", "active_from": 5.5},
        {"unit": "uM", "active_from": 5.1},
        {"ranking": "sum"},
        {"fingerprint": "feature-morgan"},
        {"threshold": 0.5},
        {"k": 1},
        {"seed": 1},
    ):
        changed = ask(ASPIRIN, rows, **{**base, **change}).result
        assert any(changed[key] != plain[key] for key in ("targets", "background", "ranking")), change


def test_a_file_is_read_once_and_its_index_mended(
    written: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "smiles,target\n" + "".join(f"{row['smiles']},{row['target']}\n" for row in pairs())
    path = written(text, "pairs.csv")
    first = ask(ASPIRIN, path).result

    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("built again")

    with monkeypatch.context() as patched:
        patched.setattr(reference, "build_reference", never)
        assert ask(ASPIRIN, path).result == first
        with pytest.raises(AssertionError):
            ask(ASPIRIN, path, threshold=0.4)
    (members,) = (home_folder() / "cache" / "targets").rglob("members.npy")
    members.write_bytes(b"nothing")
    assert ask(ASPIRIN, path).result == first


def test_engine_and_order_of_lines_change_nothing() -> None:
    with ProcessEngine(2) as engine:
        there = ask(ASPIRIN, pairs(), Context(engine=engine)).result
    assert there == ask(ASPIRIN, pairs()).result
    assert ask(ASPIRIN, pairs()[::-1]).result["targets"] == there["targets"]


def test_bad_input_is_refused() -> None:
    with pytest.raises(InputError, match="a structure is needed"):
        ask("aspirin", pairs())
    with pytest.raises(UnknownNameError, match="'protein'"):
        ask(ASPIRIN, pairs(), target="protein")
    with pytest.raises(TableError, match="no compounds"):
        ask(ASPIRIN, [])
    with pytest.raises(OutcomeError, match="from 11 compounds"):
        ask(ASPIRIN, pairs()[:11])


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"activity": "y"}, "go together"),
        ({"active_from": 6.0}, "go together"),
        ({"unit": "nM"}, "is about a measurement"),
        ({"activity": "y", "active_from": 6, "unit": "nM", "unit_column": "u"}, "either unit"),
        ({"threshold": 0.0}, "threshold"),
        ({"ranking": "popularity"}, "ranking"),
        ({"fingerprint": "maccs"}, "fingerprint"),
    ],
)
def test_bad_fields_are_refused(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(RequestError, match=said):
        build(TargetsRequest, {"structure": "CCO", "reference": [{"smiles": "C", "target": "x"}], **fields})


def test_the_structure_is_not_in_what_is_logged() -> None:
    assert "c1ccccc1" not in TargetsRequest(structure=ASPIRIN, reference=pairs()).model_dump_json()
