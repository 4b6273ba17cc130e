"""The data dictionary corrects what the cells alone would say, and its own mistakes are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from iatros.core.errors import IatrosError, RequestError, TableError, UnknownNameError
from iatros.learners.tabular.dictionary import read_dictionary
from iatros.learners.tabular.reading import read_table
from iatros.learners.tabular.table import Table

CSV = "age,sex,stage,pain,dead,consent\n61,1.0,II,3,0,Yes\n70,0,I,1,1,No\n-1,1,III,2,0,\n"


def read(folder: Path, yaml: str, text: str = CSV) -> Table:
    (folder / "t.csv").write_text(text)
    (folder / "d.yaml").write_text(yaml)
    return read_table(folder / "t.csv", dictionary=folder / "d.yaml")


def test_everything_it_can_say(tmp_path: Path) -> None:
    table = read(
        tmp_path,
        """
        missing_codes: [-1]
        columns:
          age: {unit: years, description: at admission, recorded: at_prediction}
          sex: {kind: categorical, levels: [0, 1]}
          stage: {kind: ordinal, levels: [I, II, III, IV]}
          pain: {kind: ordinal}
          dead: {recorded: after_prediction}
          consent: {levels: [No, Yes, None], identifier: no}
        """,
    )
    age, sex, stage, pain, dead, consent = table.schema.columns
    assert (age.unit, age.description, age.recorded) == ("years", "at admission", "at_prediction")
    assert (age.low, age.high, age.missing_codes) == (61, 70, ("-1",))
    assert table.frame["sex"].to_list() == ["1", "0", "1"]
    assert sex.levels == ("0", "1")
    assert (stage.kind, stage.levels) == ("ordinal", ("I", "II", "III", "IV"))
    assert pain.levels == ("1", "2", "3")
    assert dead.recorded == "after_prediction"
    assert consent.levels == ("No", "None", "Yes")


def test_a_missing_code_listed_as_level_is_a_level(tmp_path: Path) -> None:
    table = read(
        tmp_path, "columns: {glucose: {levels: [None, Norm, High]}}", "glucose,x\nNone,1\nNorm,2\n,3\n"
    )
    assert table.frame["glucose"].to_list() == ["None", "Norm", None]


def test_codes_of_one_column(tmp_path: Path) -> None:
    table = read(tmp_path, "columns: {a: {missing_codes: [9]}}", "a,b\n9,9\n1,2\n")
    assert table.frame.rows() == [(None, 9.0), (1.0, 2.0)]


@pytest.mark.parametrize(
    ("yaml", "message", "kind"),
    [
        ("columns: {agee: {}}", "no column is called 'agee'; did you mean age", UnknownNameError),
        (
            "columns: {age: {unitt: y}}",
            "column age: the key 'unitt' is not known; did you mean unit",
            RequestError,
        ),
        ("colums: {}", "the key 'colums' is not known; did you mean columns", RequestError),
        ("columns: {age: {kind: number}}", "column age: kind: Input should be 'numeric'", RequestError),
        ("columns: {age: {kind: numeric, levels: [1]}}", "levels do not go with kind numeric", RequestError),
        ("columns: {age: {levels: [1, 1]}}", "a level is given twice", RequestError),
        ("- age", "must be a mapping", TableError),
        ("columns: [", "line .*not valid YAML", TableError),
        (
            "columns: {stage: {kind: ordinal}}",
            "column stage: an ordinal column of texts needs its levels",
            TableError,
        ),
        (
            "columns: {stage: {levels: [I, II]}}",
            "line 4, column stage: the value is not one of the levels",
            TableError,
        ),
        (
            "columns: {stage: {kind: numeric}}",
            "line 2, column stage: text in a column of numbers",
            TableError,
        ),
        ("columns: {stage: {kind: date}}", "line 2, column stage: text in a column of dates", TableError),
    ],
)
def test_mistakes(tmp_path: Path, yaml: str, message: str, kind: type[IatrosError]) -> None:
    with pytest.raises(kind, match=message):
        read(tmp_path, yaml)


def test_no_code_runs(tmp_path: Path) -> None:
    path = tmp_path / "d.yaml"
    path.write_text("columns: !!python/object/apply:os.system ['touch pwned']")
    with pytest.raises(IatrosError):
        read_dictionary(path)
    assert not (tmp_path / "pwned").exists()
    with pytest.raises(TableError, match="cannot be read"):
        read_dictionary(tmp_path / "none.yaml")
