"""From a file of compounds to what is learned: values, bounds, classes, and what becomes of every line."""

from __future__ import annotations

import gzip
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iatros.core.context import Context
from iatros.core.errors import OutcomeError, RequestError, TableError, UnknownNameError
from iatros.core.task import Target
from iatros.engines.processes import ProcessEngine
from iatros.molecules.cohort import Reading, open_cohort

CHAINS = ["C" * k + "O" for k in range(2, 32)]
"""30 compounds, one a line, all different."""


def table(header: str, rows: list[str]) -> str:
    return "\n".join([header, *rows]) + "\n"


def numbered(*more: str, header: str = "smiles,y") -> str:
    """30 chains with the values 0, 1, 2, ..., and more lines."""
    return table(header, [f"{chain},{k}.5" for k, chain in enumerate(CHAINS)] + list(more))


@pytest.fixture
def opened(written):
    def run(text, name="assay.csv", **fields):
        return open_cohort(written(text, name), Reading(**{"outcomes": ("y",), **fields}))

    return run


def test_lines_of_one_compound_are_merged_and_the_median_is_taken(opened):
    cohort = opened(numbered("OCC,2.5", "C(C)O,10.5", "[Na+].[O-]CC,0.7"))
    assert len(cohort) == 30
    assert cohort.smiles[:2] == ("CCO", "CCCO")
    assert cohort.y[:2, 0].tolist() == [1.6, 1.5]
    assert cohort.spread[0, 0] == 10.0
    assert np.isnan(cohort.spread[1:]).all()
    assert cohort.lines.tolist() == list(range(2, 32))
    assert (cohort.counts["n_lines"], cohort.counts["n_merged"]) == (33, 3)
    assert cohort.endpoints == (Target("y", "continuous"),)


def test_what_cannot_be_read_is_refused_with_line_and_reason(opened):
    cohort = opened(
        numbered("aspirin,1", "C(C)(C)(C)(C)C,1", "[Na+].[Cl-],1", "CCN,active", "CCN,", "", "CCF,1,5")
    )
    reasons = {one["line"]: one["reason"] for one in cohort.refused}
    assert set(reasons) == {32, 33, 34, 35, 38}
    assert "name" in reasons[32]
    assert reasons[33].startswith("valence")
    assert reasons[34] == "no organic fragment"
    assert reasons[35] == "measurement: 'active' is not a number"
    assert reasons[38].startswith("the line has 3 cell")
    assert cohort.counts["n_refused"] == 5
    assert cohort.counts["n_without_value"] == 1
    assert [step["n_rows"] for step in cohort.flow] == [36, 31, 30]


LINES = [
    "OCC,2.5",
    "none,1",
    "CCN,",
    "CCN,text",
    "NCC,>3",
    "CCN,<2",
    "",
    "CC,1,2",
    "[Na+].[Cl-],3",
    'CCS,"1',
    "CCS,nan",
]


@settings(max_examples=15, deadline=None)
@given(lines=st.lists(st.sampled_from(LINES), max_size=12), order=st.randoms(use_true_random=False))
def test_whatever_the_lines_each_is_a_compound_a_merged_one_refused_or_without_value(lines, order):
    rows = [f"{chain},{k}.5" for k, chain in enumerate(CHAINS)] + lines
    order.shuffle(rows)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "assay.csv")
        path.write_text(table("smiles,y", rows))
        cohort = open_cohort(path, Reading(("y",)))
    counts = cohort.counts
    accounted = ("n_compounds", "n_merged", "n_refused", "n_lines_without_value")
    assert sum(counts[name] for name in accounted) == counts["n_lines"] == len(rows) - rows.count("")
    assert len(cohort.refused) == counts["n_refused"]
    assert all(one["reason"] for one in cohort.refused)
    assert np.isfinite(cohort.y).all()
    assert len(set(cohort.inchikeys)) == len(cohort)


def test_concentrations_become_minus_log_molar_and_bounds_turn_round(opened):
    rows = [f"{chain},{10 ** (k % 5)},=,nM" for k, chain in enumerate(CHAINS)]
    text = table("smiles,y,rel,u", [*rows, "CCN,10000,>,nM", "CCCN,1,'<',uM"])
    cohort = opened(text, relation="rel", unit_column="u")
    assert cohort.y[:5, 0].tolist() == [9.0, 8.0, 7.0, 6.0, 5.0]
    assert (cohort.y[30:, 0].tolist(), cohort.bound[30:, 0].tolist()) == ([5.0, 6.0], [-1, 1])
    assert not cohort.bound[:30].any()
    counted = cohort.counts["endpoints"][0]
    assert (counted["n_above"], counted["n_below"]) == (1, 1)
    assert cohort.endpoints[0].unit == "minus log10 of mol/L"


def test_a_class_is_decided_by_a_comparison_where_the_bounds_allow_it(opened):
    """By hand, with 6.5 as the limit: above 7 is active, below 6 and below 6.5 are not, above 6 can be either."""
    rows = [
        "CCN,>7",
        "CCCN,<6",
        "CCCCN,>6",
        "CCCCCN,<7",
        "CCCCCCN,<6.5",
        "CCCCCCCN,6.5",
        "CCF,>6",
        "CCF,<6.4",
    ]
    cohort = opened(numbered(*rows), positive=">=6.5")
    found = dict(zip(cohort.smiles, cohort.y[:, 0].tolist(), strict=True))
    assert {
        name: found.get(name) for name in ("CCN", "CCCN", "CCCCN", "CCCCCN", "CCCCCCN", "CCCCCCCN", "CCF")
    } == {
        "CCN": 1.0,
        "CCCN": 0.0,
        "CCCCN": None,
        "CCCCCN": None,
        "CCCCCCN": 0.0,
        "CCCCCCCN": 1.0,
        "CCF": 0.0,
    }
    assert cohort.endpoints[0].classes == ("<6.5", ">=6.5")
    assert cohort.counts["endpoints"][0]["n_undecided"] == 2
    assert any("leave the class" in note for note in cohort.notes)
    assert not cohort.bound.any()


@pytest.mark.parametrize(("sign", "at_limit"), [(">=", 1.0), (">", 0.0), ("<=", 1.0), ("<", 0.0)])
def test_a_value_on_the_limit_belongs_where_the_sign_says(opened, sign, at_limit):
    cohort = opened(numbered(), positive=f"{sign}6.5")
    assert cohort.y[6, 0] == at_limit
    assert cohort.y[0, 0] == float(sign.startswith("<"))


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (("0", "1"), ("0", "1")),
        (("1.0", "0.0"), ("0", "1")),
        (("1.0", "0"), ("0", "1")),
        (("True", "false"), ("false", "True")),
        (("Active", "Inactive"), ("Inactive", "Active")),
        (("permeable", "non-permeable"), ("non-permeable", "permeable")),
        (("2", "1"), ("1", "2")),
    ],
)
def test_two_labels_are_classes_and_the_active_one_is_the_second(opened, labels, classes):
    rows = [f"{chain},{labels[k % 3 == 0]}" for k, chain in enumerate(CHAINS)]
    cohort = opened(table("smiles,y", rows))
    assert cohort.endpoints == (Target("y", "binary", classes),)
    one = float(classes[1].casefold() in (labels[1].casefold(), labels[1].removesuffix(".0")))
    assert cohort.y[:3, 0].tolist() == [one, 1 - one, 1 - one]


def test_two_labels_of_which_neither_is_plainly_active_need_positive(opened):
    text = table("smiles,y", [f"{chain},{'red' if k % 2 else 'blue'}" for k, chain in enumerate(CHAINS)])
    with pytest.raises(OutcomeError, match="which of 'blue' and 'red' is the active one"):
        opened(text)
    assert opened(text, positive="blue").y[:2, 0].tolist() == [1.0, 0.0]


def test_three_classes_need_positive_and_the_rest_is_then_one_class(opened):
    text = table("smiles,y", [f"{chain},{'abc'[k % 3]}" for k, chain in enumerate(CHAINS)])
    with pytest.raises(OutcomeError, match=r"there are 'a' \(10\), 'b' \(10\), 'c' \(10\); give positive"):
        opened(text)
    cohort = opened(text, positive="B")
    assert cohort.endpoints[0].classes == ("not b", "b")
    assert cohort.y[:3, 0].tolist() == [0.0, 1.0, 0.0]


def test_lines_that_name_different_classes_for_one_compound_follow_the_majority_and_a_tie_is_missing(opened):
    rows = [f"{chain},{k % 2}" for k, chain in enumerate(CHAINS)]
    cohort = opened(table("smiles,y", [*rows, "OCC,1", "OCCC,0", "OCCC,0"]))
    assert "CCO" not in cohort.smiles
    assert cohort.y[cohort.smiles.index("CCCO"), 0] == 0.0
    assert cohort.counts["n_conflicts"] == 2


def test_several_endpoints_keep_their_gaps_and_a_bad_cell_costs_itself_alone(opened):
    rows = [f"{chain},{k % 2},{'' if k < 5 else (k // 2) % 2}" for k, chain in enumerate(CHAINS)]
    cohort = opened(table("smiles,y,z", [*rows, "CCN,1,text", "CCCN,?,"]), outcomes=("y", "z"))
    assert cohort.y.shape == (31, 2)
    assert np.isnan(cohort.y[:5, 1]).all()
    assert not np.isnan(cohort.y[5:30]).any()
    assert cohort.y[30, 0] == 1.0
    assert np.isnan(cohort.y[30, 1])
    assert [one["name"] for one in cohort.refused] == ["line 32, z"]
    assert (cohort.counts["n_cells_refused"], cohort.counts["n_refused"]) == (1, 0)
    assert cohort.counts["endpoints"][1]["n_missing"] == 6
    assert len(cohort.assay(np.arange(31))) == 31


def test_classes_and_numbers_are_not_learned_together(opened):
    rows = [f"{chain},{k % 2},{k}.5" for k, chain in enumerate(CHAINS)]
    with pytest.raises(OutcomeError, match="y is of classes and z of numbers"):
        opened(table("smiles,y,z", rows), outcomes=("y", "z"))


def test_values_that_conflict_are_kept_or_given_up(opened):
    text = table("smiles,y", [f"{chain},{5 + k / 10}" for k, chain in enumerate(CHAINS)] + ["OCC,9"])
    kept, refused = opened(text, unit="p"), opened(text, unit="p", conflicts="refuse")
    assert (len(kept), len(refused)) == (30, 29)
    assert kept.counts["conflicts"] == [{"line": 2, "endpoint": "y", "conflict": "measurements differ by 4"}]
    assert opened(text, unit="p", max_spread=5.0).counts["n_conflicts"] == 0


def test_what_was_measured_about_is_taken_as_exact_and_said(opened):
    cohort = opened(numbered("CCN,~4", "CCF,~5"))
    assert cohort.y[30:, 0].tolist() == [4.0, 5.0]
    assert "2 values: measured about, taken as exact" in cohort.notes


def test_bounds_on_both_sides_give_the_middle_and_are_said(opened):
    cohort = opened(numbered("CCN,>4", "NCC,<6"))
    assert (cohort.y[30, 0], cohort.bound[30, 0]) == (5.0, 0)
    assert "y: 1 values are the middle of two bounds" in cohort.notes


def test_what_curate_wrote_trains_to_the_same(curated, written, tmp_path):
    rows = [f"{chain},{10 ** (k % 5)},=,nM" for k, chain in enumerate(CHAINS)]
    odd = ["CCN,10000,>,nM", "CCF,10,>,nM", "FCC,1000,<,nM", "OCC,7,=,nM", "CCCO,1,=,mM", "CCS,,,"]
    path = written(table("smiles,y,rel,u", [*rows, *odd]), "assay.csv")
    raw = open_cohort(path, Reading(("y",), relation="rel", unit_column="u"))
    lines = curated(path, activity="y", relation="rel", unit_column="u").compounds
    again = open_cohort(pd.DataFrame(lines), Reading())
    assert again.smiles == raw.smiles
    assert np.array_equal(again.y, raw.y)
    assert np.array_equal(again.bound, raw.bound)
    assert again.counts["n_conflicts"] == raw.counts["n_conflicts"] == 1
    refused = open_cohort(pd.DataFrame(lines), Reading(("measurement",), conflicts="refuse"))
    assert len(refused) == len(raw) - 1
    with pytest.raises(RequestError, match="no longer in nM"):
        open_cohort(pd.DataFrame(lines), Reading(unit="nM"))


def test_the_time_of_a_compound_is_the_first_and_its_side_is_one(opened):
    rows = [f"{chain},{k}.5,{2000 + k},train" for k, chain in enumerate(CHAINS)]
    more = [
        "OCC,1,1995,train",
        "OCCC,1,,train",
        "CCN,1,,test",
        "CCS,1,2001,train",
        "SCC,1,2001,test",
        "CCF,1,soon,train",
    ]
    cohort = opened(table("smiles,y,year,side", [*rows, *more]), time="year", split="side")
    assert cohort.times[:3].tolist() == [1995.0, 2001.0, 2002.0]
    assert np.isnan(cohort.times[30])
    assert cohort.split[[0, 30]].tolist() == ["train", "test"]
    assert {one["line"]: one["reason"].partition(":")[0] for one in cohort.refused} == {
        35: "split",
        36: "split",
        37: "time",
    }


def test_dates_may_be_incomplete(opened):
    days = ["2019-05-31", "2019-06", "2020"]
    rows = [f"{chain},{k}.5,{days[k % 3]}" for k, chain in enumerate(CHAINS)]
    cohort = opened(table("smiles,y,day", rows), time="day")
    assert cohort.times[:3].astype(str).tolist() == ["2019-05-31", "2019-06-01", "2020-01-01"]


@pytest.mark.parametrize(
    ("text", "fields", "error", "said"),
    [
        (numbered(), {"outcomes": ("z",)}, UnknownNameError, "no column is called 'z'"),
        (numbered(), {"outcomes": ()}, RequestError, "no outcome is named; columns: smiles, y"),
        (numbered(), {"outcomes": ("y", "y")}, RequestError, "named twice"),
        (numbered(), {"unit_column": "u"}, UnknownNameError, "'u'"),
        (numbered(), {"unit": "nM", "unit_column": "y"}, RequestError, "either unit"),
        (numbered(), {"outcomes": ("y", "smiles"), "relation": "y"}, RequestError, "belongs to one outcome"),
        (numbered(), {"positive": ">=99"}, OutcomeError, "all 30 compounds are of one class, '<99'"),
        (numbered(), {"positive": "7"}, OutcomeError, "30 different numbers, so one of them makes no class"),
        (numbered(), {"positive": ">=3", "task": "continuous"}, RequestError, "cannot be continuous"),
        (numbered(), {"positive": "3", "unit": "nM"}, RequestError, "needs a comparison"),
        (numbered(), {"task": "binary"}, OutcomeError, "there must be two classes, and there are 30 different ones"),
        (numbered(), {"unit_column": "smiles"}, OutcomeError, "0 compounds have a value that can be used.*unit"),
        (numbered(), {"outcomes": ("smiles",)}, OutcomeError, "30 different ones; is it the right column"),
        (numbered(), {"outcomes": ("smiles",), "task": "continuous"}, OutcomeError, "most cells are text"),
        (table("smiles,y", [f"{c},1" for c in CHAINS]), {}, OutcomeError, "all 30 compounds with a value are of one"),
        (table("smiles,y", [f"{c}," for c in CHAINS]), {}, OutcomeError, "every cell is empty"),
        (table("smiles,y", [f"{c},>5" for c in CHAINS]), {}, OutcomeError, "beyond a bound"),
        (table("smiles,y", [f"{c},{k}" for k, c in enumerate(CHAINS[:19])]), {}, OutcomeError, "19 compounds have"),
        (table("smiles,y", ["benzene,1", "water,2"]), {}, TableError, "none of 2 lines holds a structure.*line 2"),
        ("smiles,y\n", {}, TableError, "holds no compounds"),
        ("", {}, TableError, "the file is empty"),
        (numbered(header="structures,y"), {}, RequestError, "names no column"),
    ],
)  # fmt: skip
def test_bad_input_ends_as_a_clear_reason(opened, text, fields, error, said):
    with pytest.raises(error, match=said):
        opened(text, **fields)


def test_structures_without_columns_have_no_outcome():
    with pytest.raises(RequestError, match="a list of structures has none"):
        open_cohort(["CCO"], Reading(("y",)))


def test_a_trained_model_reads_other_measurements_in_its_classes(opened):
    target = (Target("active", "binary", ("<6.5", ">=6.5")),)
    cohort = opened(table("smiles,y", ["CCN,7", "CCO,6", "CCF,>6"]), endpoints=target)
    assert cohort.y[:, 0].tolist() == [1.0, 0.0]
    assert cohort.endpoints == target
    labels = (Target("y", "binary", ("Inactive", "Active")),)
    cohort = opened(table("smiles,y", ["CCN,active", "CCO,inactive", "CCF,maybe"]), endpoints=labels)
    assert cohort.y[:, 0].tolist() == [1.0, 0.0]
    assert cohort.refused[0]["reason"] == "class: 'maybe' is neither Inactive nor Active"
    with pytest.raises(RequestError, match="the model has 1 endpoints, 2 columns"):
        opened(numbered(), outcomes=("y", "smiles"), endpoints=labels)


def test_every_source_gives_the_same(written):
    rows = [{"smiles": chain, "y": k / 2} for k, chain in enumerate(CHAINS)]
    text = table("smiles,y", [f"{row['smiles']},{row['y']}" for row in rows])
    path = written(text, "a.csv")
    packed = written(gzip.compress(text.encode()), "b.csv.gz")
    parquet = path.with_name("c.parquet")
    pd.DataFrame(rows).to_parquet(parquet)
    found = [open_cohort(one, Reading(("y",))) for one in (path, packed, parquet, rows, pd.DataFrame(rows))]
    assert len({one.fingerprint for one in found}) == 1
    rows[3]["y"] = 77.0
    assert open_cohort(rows, Reading(("y",))).fingerprint != found[0].fingerprint


def test_data_fields_of_sdf_are_outcomes(written):
    from rdkit import Chem

    records = []
    for k, chain in enumerate(CHAINS):
        block = Chem.MolToMolBlock(Chem.MolFromSmiles(chain))
        records.append(f"c{k}{block.rstrip()}\n> <y>\n{k}.5\n\n> <z>\n{2 * k}.5\n\n$$$$\n")
    records[3] = records[3].replace("M  END", "")
    cohort = open_cohort(written("".join(records), "assay.sdf"), Reading(("z", "y")))
    assert len(cohort) == 29
    assert cohort.y[:4].tolist() == [[0.5, 0.5], [2.5, 1.5], [4.5, 2.5], [8.5, 4.5]]
    assert cohort.names[3] == "c4"
    assert "broken" in cohort.refused[0]["reason"]


def test_workers_change_nothing(written):
    smiles = ["C" * a + "N" + "C" * b + "O" for a in range(1, 33) for b in range(1, 33)]
    path = written(table("smiles,y", [f"{one},{k}" for k, one in enumerate(smiles)]), "many.csv")
    engine = ProcessEngine(2)
    try:
        parallel = open_cohort(path, Reading(("y",)), Context(engine=engine))
    finally:
        engine.close()
    serial = open_cohort(path, Reading(("y",)))
    assert (parallel.fingerprint, parallel.counts) == (serial.fingerprint, serial.counts)


def test_an_export_of_chembl_trains_as_it_is(shared_data):
    path = shared_data / "chembl_egfr" / "CHEMBL25_activities_EGFR.csv"
    raw = open_cohort(path, Reading(("IC50",), unit_column="units"))
    assert raw.counts["reasons"] == {"unit": 47, "no organic fragment": 1}
    assert len(raw) == 3836
    published = pd.read_csv(path).set_index("chembl_id")["pIC50"]
    alone = np.isnan(raw.spread[:, 0])
    own = published.groupby(level=0).first().reindex(list(raw.names)).to_numpy()
    assert np.abs(raw.y[alone, 0] - own[alone]).max() < 2e-6


def test_taking_rows_takes_them_from_everything(opened):
    cohort = opened(numbered(), identifier="smiles").take(np.array([5, 2]))
    assert cohort.smiles == cohort.names == ("CCCCCCCO", "CCCCO")
    assert (cohort.lines.tolist(), cohort.y[:, 0].tolist()) == ([7, 4], [5.5, 2.5])
