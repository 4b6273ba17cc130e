"""Curation as a whole: every line accounted for, whatever the line and whatever the order."""

from __future__ import annotations

import csv
import json
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from iatros.app import execute
from iatros.app.python import workbench
from iatros.core.context import Context
from iatros.core.engine import SerialEngine
from iatros.core.errors import RequestError, TableError
from iatros.core.request import build
from iatros.molecules.curation import batching
from iatros.molecules.requests import CurateRequest

MIXED = """smiles,id,IC50,rel,u
CCO,ethanol,100,=,nM
OCC,alcohol,0.2,=,uM
CC(=O)[O-].[Na+],acetate,>10000,,nM
CC(=O)O,acid,5.2,<,pIC50
,none,5,,nM
aspirin,name,5,,nM
C(C)(C)(C)(C)C,neo,5,,nM
CCN,text,active,,nM
CCN,unit,5,,kg
CCN,amine,,,
[Na+].[Cl-],salt,5,,nM
"""
FIELDS = {"activity": "IC50", "relation": "rel", "unit_column": "u"}


def test_each_line_ends_as_kept_merged_or_refused(curated, written):
    found = curated(written(MIXED, "mixed.csv"), **FIELDS)
    statuses = {int(row["line"]): row["status"] for row in found.lines}
    assert statuses == {
        2: "kept", 3: "merged", 4: "kept", 5: "merged", 6: "refused", 7: "refused", 8: "refused",
        9: "refused", 10: "refused", 11: "kept", 12: "refused",
    }  # fmt: skip
    assert found.reason(6) == "no structure is given"
    assert found.reason(7).startswith("a name or identifier")
    assert found.reason(8).startswith("valence")
    assert found.reason(9) == "measurement: 'active' is not a number"
    assert found.reason(10).startswith("unit: 'kg'")
    assert found.reason(12) == "no organic fragment"
    assert found.lines[1]["same_as_line"] == "2"
    assert found.lines[2]["changes"] == "removed [Na+]; neutralised"
    counts = ("n_lines", "n_blank_lines", "n_compounds", "n_merged", "n_refused")
    assert [found.result[name] for name in counts] == [11, 0, 3, 2, 6]


def test_measurements_of_a_compound_are_reconciled(curated, written):
    found = curated(written(MIXED, "mixed.csv"), **FIELDS)
    ethanol, acid, amine = found.compounds
    # 100 nM is 7, 0.2 uM is -log10(2e-7) = 6.69897; their median is 6.849485.
    assert (ethanol["smiles"], ethanol["name"], ethanol["n_lines"]) == ("CCO", "alcohol; ethanol", "2")
    assert float(ethanol["measurement"]) == pytest.approx(6.849485)
    assert float(ethanol["spread"]) == pytest.approx(0.30103)
    # More than 10,000 nM is below 5, and below 5.2 is the looser bound.
    assert (acid["measurement"], acid["relation"], acid["n_censored"]) == ("5.0", "below", "2")
    assert (amine["measurement"], amine["relation"], amine["n_exact"]) == ("", "", "0")
    assert found.result["measurement"]["compounds"] == {"below": 1, "exact": 1, "no measurement": 1}


def test_conflicts_are_reported_and_kept_or_refused(curated):
    rows = [{"smiles": "CCO", "y": "5"}, {"smiles": "CN", "y": "6"}, {"smiles": "OCC", "y": "8"}]
    kept = curated(rows, activity="y", unit="p")
    assert kept.result["conflicts"] == [
        {"inchikey": "LFQSCWFLJHTTHZ-UHFFFAOYSA-N", "line": 1, "conflict": "measurements differ by 3"}
    ]
    assert [row["measurement"] for row in kept.compounds] == ["6.5", "6.0"]
    refused = curated(rows, activity="y", unit="p", conflicts="refuse")
    assert [row["smiles"] for row in refused.compounds] == ["CN"]
    assert refused.reason(1) == refused.reason(3) == "conflict: measurements differ by 3"
    assert refused.result["reasons"] == {"conflict": 2}
    assert curated(rows, activity="y", unit="p", max_spread=3.0).result["measurement"]["n_conflicts"] == 0
    assert curated(rows, activity="y").result["measurement"]["n_conflicts"] == 0


def test_classes_are_merged_by_majority(curated):
    rows = [{"smiles": s, "y": y} for s, y in (("CCO", "1"), ("OCC", "0"), ("C(C)O", "1"), ("CN", "0"))]
    found = curated(rows, activity="y", unit="class")
    assert [(row["measurement"], row["conflict"]) for row in found.compounds] == [
        ("1", "classes differ: 0 in 1, 1 in 2"),
        ("0", ""),
    ]


def test_fields_of_the_request_change_the_answer(curated):
    assert curated(["Oc1ccccn1", "O=c1cccc[nH]1"], tautomer=True).result["n_compounds"] == 1
    assert curated(["CCC=O"], alerts=("brenk",)).compounds[0]["alerts"] == "brenk: aldehyde"
    assert curated(["CCCCCCC"], max_heavy_atoms=6).result["n_refused"] == 1
    rows = [{"smiles": "CCO", "a": "CN", "label": "x"}]
    assert curated(rows, smiles="a", identifier="label").compounds[0]["smiles"] == "CN"
    assert curated(rows, identifier="label").compounds[0]["name"] == "x"


def test_without_a_measurement_there_are_no_columns_for_one(curated):
    found = curated(["CCO"])
    assert "measurement" not in found.result
    assert not {"measurement", "spread", "conflict"} & found.compounds[0].keys()


@pytest.mark.parametrize(
    "fields",
    [
        {"unit": "nM"},
        {"activity": "y", "unit": "nM", "unit_column": "u"},
        {"activity": "y", "unit": "class", "max_spread": 1.0},
        {"activity": "y", "unit": "ounces"},
        {"alerts": "glaxo"},
        {"max_heavy_atoms": 0},
    ],
)
def test_requests_that_make_no_sense(fields):
    with pytest.raises(RequestError):
        build(CurateRequest, {"compounds": ["CCO"], **fields})


def test_nothing_to_read_is_an_error(curated, written):
    with pytest.raises(TableError, match="holds no compounds"):
        curated(written("smiles,y\n\n", "header.csv"))
    with pytest.raises(TableError, match="holds no compounds"):
        curated([])


def test_a_wrong_column_is_suspected(curated):
    rows = [{"smiles": "CCO", "y": "5", "u": "rat"}, {"smiles": "CN", "y": "7", "u": "rat"}]
    found = curated(rows, activity="y", unit_column="u")
    assert "no line has a unit that can be used: is u the right column?" in found.result["notes"]
    found = curated([{"smiles": "CCO", "y": "oral"}], activity="y")
    assert "no line has a measurement that can be used: is y the right column?" in found.result["notes"]


POOL = ["CCO", "OCC", "CC(=O)[O-].[Na+]", "CC(=O)O", "c1ccccc1O", "Oc1ccccc1.Cl", "C[C@H](N)O", "C[C@@H](N)O",
        "", "aspirin", "C1CC", "[Na+].[Cl-]", "CCN", "*C"]  # fmt: skip
ROWS = st.lists(
    st.tuples(st.sampled_from(POOL), st.sampled_from(["5", "5.5", ">4", "<7", "8", "", "text"])),
    min_size=1,
    max_size=12,
)
QUICK = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def rows(made):
    return [{"smiles": smiles, "id": f"c{place % 3}", "y": y} for place, (smiles, y) in enumerate(made)]


@given(ROWS)
@QUICK
def test_every_line_stands_once_in_the_account(curated, made):
    found = curated(rows(made), activity="y", unit="p")
    assert [int(row["line"]) for row in found.lines] == list(range(1, len(made) + 1))
    statuses = [row["status"] for row in found.lines]
    counts = {name: found.result[f"n_{name}"] for name in ("compounds", "merged", "refused", "lines")}
    assert counts == {
        "compounds": statuses.count("kept"), "merged": statuses.count("merged"),
        "refused": statuses.count("refused"), "lines": len(made),
    }  # fmt: skip
    assert all(bool(row["reason"]) for row in found.lines if row["status"] == "refused")
    assert len(found.compounds) == counts["compounds"] == len({row["inchikey"] for row in found.compounds})


@given(ROWS, st.randoms(use_true_random=False), st.sampled_from(["keep", "refuse"]))
@QUICK
def test_the_order_of_lines_does_not_change_what_is_merged(curated, made, random, conflicts):
    def merged(order):
        found = curated(order, activity="y", unit="p", conflicts=conflicts)
        return {row["inchikey"]: {**row, "first_line": ""} for row in found.compounds}

    original = rows(made)
    assert merged(original) == merged(random.sample(original, len(original)))


@given(ROWS)
@QUICK
def test_curating_what_was_curated_changes_nothing(curated, made):
    once = curated(rows(made), activity="y", unit="p")
    if not once.compounds:
        return
    usable = [row for row in once.compounds if row["relation"] != "between"]
    if not usable:
        return
    again = curated(usable, activity="measurement", relation="relation", unit="p")
    assert {row["status"] for row in again.lines} == {"kept"}
    assert not any(row["changes"] for row in again.lines)
    same = ("smiles", "inchikey", "name", "measurement", "relation", "flags", "rules_broken")
    assert [[r[k] for k in same] for r in again.compounds] == [[r[k] for k in same] for r in usable]


class Watching(SerialEngine):
    """Counts how many lines are handed out at a time."""

    def __init__(self):
        self.most = 0

    def map(self, function, items, shared, **means):
        self.most = max(self.most, sum(map(len, items)))
        return super().map(function, items, shared, **means)


def test_lines_are_read_in_bounded_portions(curated, monkeypatch):
    monkeypatch.setattr(batching, "BATCH_LINES", 7)
    monkeypatch.setattr(batching, "BATCHES_PER_WORKER", 3)
    engine = Watching()
    found = curated(["CCO", "CN"] * 100, context=Context(engine=engine))
    assert engine.most == 21
    assert (found.result["n_lines"], found.result["n_merged"]) == (200, 198)


def test_processes_give_what_a_plain_loop_gives(tmp_path, shared_data, monkeypatch):
    monkeypatch.setattr(batching, "BATCH_LINES", 40)
    lines = (shared_data / "moleculenet" / "SAMPL.csv").read_text().splitlines()[:120]
    path = tmp_path / "some.csv"
    path.write_text("\n".join(lines))
    request = CurateRequest(compounds=path, activity="expt", identifier="iupac", alerts="brenk")
    written = []
    for engine in ("serial", "processes"):
        execute("molecules", "curate", request, out=tmp_path / engine, engine=engine)
        written.append([(tmp_path / engine / name).read_bytes() for name in ("compounds.csv", "lines.csv")])
    assert written[0] == written[1]


def test_nothing_is_left_beside_the_output(tmp_path):
    (tmp_path / "out").mkdir()
    execute(
        "molecules", "curate", CurateRequest(compounds=["CCO"], alerts="none"), out=tmp_path / "out" / "a"
    )
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a"]
    assert sorted(path.name for path in (tmp_path / "out" / "a").iterdir()) == [
        "compounds.csv", "lines.csv", "result.json",
    ]  # fmt: skip


def test_a_failed_run_leaves_nothing(tmp_path):
    with pytest.raises(TableError):
        execute("molecules", "curate", CurateRequest(compounds=[]), out=tmp_path / "a")
    assert [path for path in tmp_path.iterdir() if "iatros-" not in path.name] == []


def test_the_run_log_holds_no_structure(tmp_path, monkeypatch):
    execute(
        "molecules", "curate", CurateRequest(compounds=["CCO", "C1CC"], alerts="none"), out=tmp_path / "a"
    )
    (log,) = (tmp_path / "iatros-home").rglob("runs.jsonl")
    assert "CCO" not in log.read_text()
    assert json.loads(log.read_text())["request"]["compounds"] == {"rows": 2}


def test_python_and_the_command_line_say_the_same(written, tmp_path):
    path = written(MIXED, "mixed.csv")
    python = workbench("molecules").curate(path, **FIELDS, alerts=("brenk",))
    arguments = [
        "molecules", "curate", str(path), "--activity", "IC50", "--relation", "rel", "--unit-column", "u",
        "--alerts", "brenk", "--out", str(tmp_path / "out"), "--json",
    ]  # fmt: skip
    run = subprocess.run(
        [sys.executable, "-m", "iatros", *arguments], capture_output=True, text=True, check=True
    )
    command = json.loads(run.stdout)
    assert run.stderr.count("CC") == 0
    assert command.pop("documents") == [
        str(tmp_path / "out" / name) for name in ("compounds.csv", "lines.csv")
    ]
    left_out = {"run_id", "seconds"}
    assert {k: v for k, v in command.items() if k not in left_out} == {
        k: v for k, v in python.items() if k not in left_out
    }


def test_spreadsheets_run_nothing(curated):
    found = curated([{"smiles": "CCO", "id": "=cmd()"}, {"smiles": "=1+1", "id": "b"}])
    assert found.compounds[0]["name"] == "'=cmd()"
    assert found.lines[1]["given"] == "'=1+1"


class TestRealData:
    def test_egfr(self, curated, shared_data):
        found = curated(
            shared_data / "chembl_egfr" / "EGFR_compounds.csv", activity="IC50", unit_column="units"
        )
        result = found.result
        assert [result[name] for name in ("n_lines", "n_refused")] == [5568, 1]
        assert found.reason(4069) == "no organic fragment"  # zinc chloride
        assert 5500 < result["n_compounds"] < 5568
        # The file's own pIC50 is that of its IC50: ours must agree to its last digit.
        with (shared_data / "chembl_egfr" / "EGFR_compounds.csv").open() as file:
            published = [float(row["pIC50"]) for row in csv.DictReader(file)]
        ours = [row["measurement"] for row in found.lines]
        assert all(
            abs(float(mine) - theirs) < 1e-6 for mine, theirs in zip(ours, published, strict=True) if mine
        )

    def test_bbbp(self, curated, shared_data):
        found = curated(shared_data / "moleculenet" / "BBBP.csv", activity="BBBP", unit="class")
        # 11 of 2050 SMILES have nitrogen with four bonds and no charge; the twelfth refused one is N2O.
        assert found.result["reasons"] == {"valence": 11, "no organic fragment": 1}
        assert found.result["measurement"]["n_conflicts"] == 12

    def test_clintox(self, curated, shared_data):
        found = curated(shared_data / "moleculenet" / "clintox.csv")
        reasons = found.result["reasons"]
        assert reasons["aromaticity"] == 3
        assert reasons["not one definite compound"] == 1
        assert found.result["n_lines"] == 1484
        assert {row["given"] for row in found.lines if row["reason"].startswith("metal complex")} >= {
            "C1CC2(C1)C(=O)O[Pt]OC2=O"
        }
