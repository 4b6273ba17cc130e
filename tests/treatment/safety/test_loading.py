import gzip

import pandas as pd
import polars as pl
import pytest

from iatros.core.errors import RequestError, SchemaError, TableError, UnknownNameError
from iatros.treatment.safety.gate import Policy, check
from iatros.treatment.safety.knowledge import not_among
from iatros.treatment.safety.loading import EXAMPLE, load_knowledge
from iatros.treatment.safety.patients import Patient
from iatros.treatment.safety.thresholds import Measurement

CSV = "drug_a,drug_b,severity,mechanism\nwarfarin,amiodarone,major,\nwarfarin,ATC:M01A,Moderate,bleeding\n"
ROWS = [
    {"drug_a": "warfarin", "drug_b": "amiodarone", "severity": "major"},
    {"drug_a": "warfarin", "drug_b": "ATC:M01A", "severity": "Moderate", "mechanism": "bleeding"},
]
MANIFEST = 'version: "1.10"\nsource: us\nlicence: CC0\ntables:\n  interactions: pairs.csv\n'


def folder(tmp_path, files):
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    return tmp_path


def test_one_content_has_one_fingerprint_however_it_comes(tmp_path):
    here = folder(tmp_path, {"interactions.csv": CSV})
    (tmp_path / "pairs.csv.gz").write_bytes(gzip.compress(CSV.encode()))
    frame = pl.DataFrame(ROWS, strict=False)
    frame.write_parquet(tmp_path / "pairs.parquet")
    turned = [{"drug_a": "Amiodarone ", "drug_b": "WARFARIN", "severity": "major"}, ROWS[1], ROWS[1]]
    given = [
        here / "interactions.csv",
        tmp_path / "pairs.csv.gz",
        tmp_path / "pairs.parquet",
        frame,
        pd.DataFrame(ROWS),
        ROWS,
        turned,
        {"tables": {"interactions": ROWS}},
        {"version": "3", "tables": {"interactions": here / "interactions.csv"}},
        [{"table": "knowledge", "version": "3"}, *({"table": "interactions", **row} for row in ROWS)],
    ]
    assert len({load_knowledge(one).fingerprint for one in given}) == 1
    other = load_knowledge([ROWS[0], {**ROWS[1], "severity": "major"}])
    assert other.fingerprint != load_knowledge(ROWS).fingerprint
    named = load_knowledge({"tables": {"interactions": ROWS, "synonyms": [{"name": "a", "canonical": "b"}]}})
    assert named.fingerprint != load_knowledge(ROWS).fingerprint


def test_a_manifest_tells_version_source_and_licence(tmp_path):
    here = folder(tmp_path, {"pairs.csv": CSV, "more.csv": CSV, "knowledge.yaml": MANIFEST})
    for given in (here, here / "knowledge.yaml"):
        knowledge = load_knowledge(given)
        document = knowledge.document()
        assert (document["version"], document["source"], document["licence"]) == ("1.10", "us", "CC0")
        assert document["rules"] == {
            "interactions": 2,
            "contraindications": 0,
            "allergies": 0,
            "duplicates": 0,
        }
        assert knowledge.interactions[0].source == "us"
        assert (knowledge.interactions[1].table, knowledge.interactions[1].line) == ("pairs.csv", 3)
        assert any("more.csv" in note for note in knowledge.notes)
        assert any("no table of allergies" in note for note in knowledge.notes)


@pytest.mark.parametrize(
    ("manifest", "said"),
    [
        ("version: 1.10\n", "put it in quotes"),
        ("version: '1'\nversion: '2'\n", "line 2: version is given twice"),
        ("tables:\n  interactions: a.csv\n  interactions: b.csv\n", "interactions is given twice"),
        ("tables:\n  interaction: pairs.csv\n", "did you mean interactions"),
        ("verison: '1'\n", "did you mean version"),
        ("tables:\n  interactions: ../pairs.csv\n", "leads out of the folder"),
        ("tables:\n  interactions: /etc/passwd\n", "leads out of the folder"),
        ("tables:\n  interactions: [1]\n", "not the name of a file"),
        ("tables: pairs.csv\n", "one `table: file` on each line"),
        ("severities: major\n", "a list of names"),
        ("severities: [a, A]\n", "different names"),
        ("- 1\n", "one `field: value` on each line"),
        ("a: [\n", "this is not YAML"),
        ("!!python/object/apply:os.system ['true']\n", "this is not YAML"),
    ],
)
def test_a_wrong_manifest_says_what_is_wrong(manifest, said, tmp_path):
    here = folder(tmp_path / "inner", {"pairs.csv": CSV, "knowledge.yaml": manifest})
    with pytest.raises((RequestError, UnknownNameError)) as raised:
        load_knowledge(here)
    assert said in str(raised.value)


def test_files_of_a_folder_are_never_passed_over(tmp_path):
    here = folder(tmp_path, {"interactions.csv": CSV, "allergy.csv": "allergy,drug,severity\nx,y,major\n"})
    with pytest.raises(RequestError, match=r"allergy\.csv is called after no table.*is it allergies"):
        load_knowledge(here)
    with pytest.raises(RequestError, match="holds no knowledge"):
        load_knowledge(folder(tmp_path / "empty", {"readme.md": "-"}))
    folder(tmp_path, {"interactions.tsv": CSV})
    (tmp_path / "allergy.csv").unlink()
    with pytest.raises(RequestError, match="interactions is there twice"):
        load_knowledge(tmp_path)


def test_an_empty_knowledge_is_no_error_and_no_safety(tmp_path):
    header = folder(tmp_path / "a", {"interactions.csv": "drug_a,drug_b,severity\n\n"})
    pl.DataFrame(schema={"drug_a": pl.String}).write_parquet(tmp_path / "none.parquet")
    for given in (header, tmp_path / "none.parquet", [], {}, pl.DataFrame()):
        knowledge = load_knowledge(given)
        assert knowledge.empty
        patient = Patient(current=("warfarin",), conditions=(), allergies=())
        assert check(["amiodarone"], patient, knowledge).verdicts[0].status == "unchecked"


@pytest.mark.parametrize(
    ("table", "rows", "said"),
    [
        ("interactions", "drug_a,drug_b,severity\na,b,grave\n", "line 2, column severity: is not a.*'grave'.*minor"),
        ("interactions", "drug_a,drug_b,severity\na,b,major\na,,major\n", "line 3, column drug_b: the cell is empty"),
        ("interactions", "drug_a,drug_b\na,b\n", "no column 'severity'"),
        ("interactions", "drug_a,drug_b,Severity\na,b,major\n", "is it called 'Severity' here"),
        ("interactions", "drug_a,drug_b,severity\na,b,major,x\n", "line 2: the line has 4 cell"),
        ("interactions", "drug_a,drug_b,severity\na,ATC:B1,major\n", "line 2, column drug_b: is no ATC code"),
        ("interactions", "drug_a,drug_b,severity\na,J01C,major\n", "drug or an ATC class.*write a class as ATC:J01C"),
        ("interactions", "drug_a,drug_b,severity,mechanisme\na,b,major,x\n", "'mechanisme' is not known.*is it mech"),
        ("contraindications", "drug,severity,condition\na,major,\n", "line 2: has neither a condition nor a threshold"),
        ("contraindications", "drug,severity,condition,threshold\na,major,x,pregnant\n", "has both"),
        ("contraindications", "drug,severity,threshold\na,major,egfr under 30\n", "threshold: a limit is written"),
        ("contraindications", "drug,severity,condition\na,major,K*\n", "almost every condition"),
        ("duplicates", "class,severity,level\nATC:C10AA,major,2\n", "a whole number from 4 to 5"),
        ("duplicates", "class,severity\n*,major\n", "a whole number from 1 to 5"),
        ("duplicates", "class,severity\nstatins,major\n", "is no ATC class"),
        ("drugs", "drug,atc\na,X\n", None),
        ("drugs", "drug,atc\na,B01AA3\n", "column atc: is no ATC code"),
        ("synonyms", "name,canonical\na,b\nb,a\n", "synonyms go in a circle: a -> b -> a|b -> a -> b"),
        ("synonyms", "name,canonical\na,b\nA ,c\n", "stands for"),
        ("synonyms", "name,canonical\nnsaid,ATC:M01A\n", "not for a class"),
        ("synonyms", "name,canonical,system\nB1,b,atc\n", "is no ATC code"),
        ("ingredients", "product,ingredient\na,b\nb,a\n", "ingredients go in a circle"),
        ("terms", "name,canonical\nx,y\ny,x\n", "terms go in a circle"),
    ],
)  # fmt: skip
def test_every_wrong_row_is_named_with_file_and_line(table, rows, said, tmp_path):
    here = folder(tmp_path, {f"{table}.csv": rows})
    if said is None:
        load_knowledge(here)
        return
    with pytest.raises((TableError, SchemaError), match=said) as raised:
        load_knowledge(here)
    assert f"{table}.csv" in str(raised.value)


def test_rows_are_named_by_their_position():
    rows = [
        {"table": "knowledge", "version": "1"},
        {"table": "allergies", "allergy": "x", "drug": "y", "severity": "no"},
    ]
    with pytest.raises(TableError, match=r"knowledge, row 1 \(counted from 0\), column severity"):
        load_knowledge(rows)
    with pytest.raises(UnknownNameError, match=r"row 0.*did you mean allergies"):
        load_knowledge([{"table": "allergie"}])
    with pytest.raises(TableError, match="give one"):
        load_knowledge([{"table": "knowledge"}, {"table": "knowledge"}])


def test_rows_lead_to_no_file(tmp_path):
    secret = folder(tmp_path, {"interactions.csv": CSV}) / "interactions.csv"
    for given in (
        [{"table": "knowledge", "tables": {"interactions": str(secret)}}],
        [{"table": "interactions", "drug_a": str(secret), "drug_b": "b", "severity": {"a": 1}}],
    ):
        with pytest.raises((UnknownNameError, TableError)):
            load_knowledge(given)
    scale = load_knowledge([{"table": "knowledge", "severities": ["low", "high"], "version": "5"}])
    assert (scale.scale.names, scale.about.version, scale.empty) == (("low", "high"), "5", True)


def test_a_drug_that_stands_in_no_table_of_names_is_listed_and_its_rule_holds(tmp_path):
    tables = {
        "interactions.csv": "drug_a,drug_b,severity\nwarfrin,amiodarone,major\nwarfarin,ATC:M01A,major\n",
        "drugs.csv": "drug\nwarfarin\namiodarone\n",
    }
    knowledge = load_knowledge(folder(tmp_path, tables))
    assert [(one.name, one.place) for one in knowledge.unlisted] == [("warfrin", "interactions.csv, line 2")]
    assert check(["amiodarone"], Patient(current=("warfrin",)), knowledge).verdicts[0].stopped
    # Without a table of names there is nothing to be missing from.
    assert load_knowledge(ROWS).unlisted == ()
    found = not_among(knowledge, ["Warfarin", "ibuprofen"])
    assert [one.name for one in found] == ["warfrin", "amiodarone", "ATC:M01A"]


def test_a_scale_of_ones_own(tmp_path):
    manifest = "severities: [C, D, X]\ntables: {interactions: pairs.csv}\n"
    here = folder(
        tmp_path, {"pairs.csv": "drug_a,drug_b,severity\na,b,d\na,c,X\n", "knowledge.yaml": manifest}
    )
    knowledge = load_knowledge(here)
    patient = Patient(current=("a",), conditions=(), allergies=())
    with pytest.raises(RequestError, match="one of c, d, x"):
        check(["b"], patient, knowledge)
    assert [one.status for one in check(["b", "c"], patient, knowledge, Policy("x")).verdicts] == [
        "warning",
        "stopped",
    ]


def test_columns_that_are_not_used_are_told():
    knowledge = load_knowledge([{**ROWS[0], "reviewer": "x"}])
    assert any("not used: reviewer" in note for note in knowledge.notes)


@pytest.fixture(scope="module")
def example():
    return load_knowledge(EXAMPLE)


# From the labels that the tables name.
@pytest.mark.parametrize(
    ("candidate", "patient", "status"),
    [
        ("amiodarone", {"current": ("Coumadin",)}, "stopped"),
        ("clarithromycin", {"current": ("Zocor",)}, "stopped"),
        ("Bactrim", {"current": ("methotrexate",)}, "stopped"),
        ("Entresto", {"current": ("ramipril",)}, "stopped"),
        ("Viagra", {"current": ("nitroglycerin",)}, "stopped"),
        ("omeprazole", {"current": ("clopidogrel",)}, "stopped"),
        ("lisinopril", {"current": ("spironolactone",)}, "warning"),
        ("Augmentin", {"allergies": ("penicillins",)}, "stopped"),
        ("cephalexin", {"allergies": ("penicillin",)}, "warning"),
        ("Glucophage", {"laboratory": {"eGFR": (Measurement(29.0, "mL/min/1.73m2"),)}}, "stopped"),
        ("metformin", {"laboratory": {"eGFR": (Measurement(40.0, "mL/min/1.73m2"),)}}, "warning"),
        ("metformin", {"laboratory": {"eGFR": (Measurement(90.0, "mL/min/1.73m2"),)}}, "nothing found"),
        ("eplerenone", {"laboratory": {"K": (Measurement(5.6, "mEq/L"),)}}, "stopped"),
        ("propranolol", {"conditions": ("J45.40",)}, "stopped"),
        ("lisinopril", {"sex": "female", "pregnant": True}, "stopped"),
        ("codeine", {"age_years": 8.0}, "stopped"),
        ("pravastatin", {"current": ("simvastatin",)}, "warning"),
        ("azithromycin", {"current": ("simvastatin",)}, "nothing found"),
    ],
)
def test_the_example_says_what_the_labels_say(candidate, patient, status, example):
    told = {"current": (), "conditions": (), "allergies": (), "sex": "male", "age_years": 50.0} | patient
    assert check([candidate], Patient(**told), example).verdicts[0].status == status


def test_the_example_says_that_it_is_one(example):
    assert (example.unlisted, example.notes) == ((), ())
    assert "illustrative" in example.about.notice
