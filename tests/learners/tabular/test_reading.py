"""Files as hospitals send them: kinds are found, and whatever is wrong is named by file, line and column."""

from __future__ import annotations

import datetime
import gzip
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from iatros.core.errors import LimitError, TableError
from iatros.learners.tabular.reading import read_table
from iatros.learners.tabular.table import Table


def write(folder: Path, text: str, name: str = "heart.csv", encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


def kinds(table: Table) -> dict[str, str]:
    return {column.name: column.kind for column in table.schema.columns}


def test_support2_with_padded_cells(shared_data: Path) -> None:
    table = read_table(shared_data / "support2" / "support2.csv")
    assert table.frame.shape == (9105, 48)
    assert (table.n_read, table.refused, table.notes) == (9105, (), ())
    assert table.frame["hospdead"].mean() == pytest.approx(0.259, abs=5e-4)
    assert table.frame["d.time"].dtype == pl.Float64
    assert table.frame["slos"].min() == 3
    assert table.frame["totmcst"].min() == pytest.approx(-102.71997)
    assert table.schema["dzgroup"].levels[0] == "ARF/MOSF w/Sepsis"
    assert [c.name for c in table.schema.columns if c.identifier] == ["sno"]
    assert table.rows[[0, -1]].tolist() == [2, 9106]


@pytest.mark.parametrize("site", ["cleveland", "hungarian", "switzerland", "va"])
def test_uci_heart_without_header_is_refused(shared_data: Path, site: str) -> None:
    path = shared_data / "uci_heart_disease" / f"processed.{site}.data"
    with pytest.raises(TableError, match=r"line 1: the first line holds values.*put a header line"):
        read_table(path)


def test_uci_heart_with_header(shared_data: Path, tmp_path: Path) -> None:
    names = "age,sex,cp,trestbps,chol,fbs,restecg,thalach,exang,oldpeak,slope,ca,thal,num"
    body = (shared_data / "uci_heart_disease" / "processed.switzerland.data").read_text()
    table = read_table(write(tmp_path, f"{names}\n{body}"))
    assert table.frame.shape == (123, 14)
    assert set(kinds(table).values()) == {"numeric"}
    assert (table.frame["num"] > 0).mean() == pytest.approx(0.935, abs=5e-4)
    assert table.frame["ca"].null_count() == 118


def test_warfarin_with_bom_and_unnamed_columns(shared_data: Path) -> None:
    table = read_table(shared_data / "warfarin_iwpc" / "warfarin.csv")
    assert table.frame.shape == (5700, 63)
    assert table.schema.names[0] == "PharmGKB Subject ID"
    assert table.schema["PharmGKB Subject ID"].identifier
    assert table.schema["PharmGKB Subject ID"].levels == ()
    assert table.frame["Therapeutic Dose of Warfarin"].mean() == pytest.approx(31.0, abs=0.3)
    assert table.frame["Therapeutic Dose of Warfarin"].count() == 5528
    assert any("3 column(s) without a name" in note for note in table.notes)
    mixed = "Indication for Warfarin Treatment"
    assert table.schema[mixed].kind == "categorical"
    assert any(mixed in note and "4250 of 5002 cells are numbers" in note for note in table.notes)


def test_diabetes_is_read_in_under_four_seconds(shared_data: Path, tmp_path: Path) -> None:
    archive = shared_data / "diabetes130" / "dataset_diabetes.zip"
    with zipfile.ZipFile(archive) as opened:
        path = Path(opened.extract("dataset_diabetes/diabetic_data.csv", tmp_path))
    begin = time.process_time()
    table = read_table(path)
    assert time.process_time() - begin < 4
    assert table.frame.shape == (101_766, 50)
    assert table.frame["readmitted"].value_counts(sort=True)["count"].to_list() == [54864, 35545, 11357]
    assert table.frame["patient_nbr"].n_unique() == 71_518
    assert [c.name for c in table.schema.columns if c.identifier] == ["encounter_id", "patient_nbr"]
    assert table.schema["diag_1"].kind == "categorical"
    assert table.schema["discharge_disposition_id"].kind == "numeric"
    with pytest.raises(TableError, match="not delimited text; unpack it"):
        read_table(archive)


TEXT = "name;weight;seen\nÄnne;71,5;2020-01-31\nBjörn;80;2021-12-01\n"


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252", "latin-1"]
)
def test_encodings_and_decimal_comma(tmp_path: Path, encoding: str) -> None:
    table = read_table(write(tmp_path, TEXT, encoding=encoding))
    assert table.frame["name"].to_list() == ["Änne", "Björn"]
    assert table.frame["weight"].to_list() == [71.5, 80.0]
    assert table.frame["seen"].to_list()[0] == datetime.datetime(2020, 1, 31)
    assert "numbers are written with a decimal comma" in table.notes


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_delimiters_and_line_ends(tmp_path: Path, delimiter: str, newline: str) -> None:
    lines = ["age|sex|note", '61|f|"a, b; c"', "70|m|", '|f|"says ""no"""']
    text = newline.join(line.replace("|", delimiter) for line in lines)
    table = read_table(write(tmp_path, text))
    assert table.frame["age"].to_list() == [61, 70, None]
    assert table.frame["note"].to_list() == ["a, b; c", None, 'says "no"']


def test_sep_line_of_spreadsheets_and_gzip(tmp_path: Path) -> None:
    path = tmp_path / "heart.csv.gz"
    path.write_bytes(gzip.compress(b"sep=;\nage;sex\n61;f\n70;m\n"))
    table = read_table(path)
    assert kinds(table) == {"age": "numeric", "sex": "categorical"}
    assert table.rows.tolist() == [3, 4]


def test_one_column(tmp_path: Path) -> None:
    assert read_table(write(tmp_path, "age\n61\n\n70\n")).rows.tolist() == [2, 4]


def test_missing_codes(tmp_path: Path) -> None:
    text = "a,b,c,d\n1,?,NA,-9\n-9.0,x,,3\nunknown,None,null,4\n"
    table = read_table(write(tmp_path, text), missing_codes=("-9", "unknown"))
    assert table.frame["a"].to_list() == [1, None, None]
    assert table.frame["b"].to_list() == [None, "x", None]
    assert table.frame["d"].to_list() == [None, 3, 4]
    assert table.schema["c"].kind == "numeric"
    assert table.schema["c"].low is None
    assert table.notes == ("column c has no value in any row",)
    assert table.schema["a"].missing_codes == ("-9", "unknown")


def test_dates(tmp_path: Path) -> None:
    text = (
        "iso,slash,dot,us,named,zoned\n"
        "2020-01-31,2020/1/31,31.01.2020,01/31/2020,31-Jan-2020,2020-01-31T10:00:00+02:00\n"
        "2019-02-01 10:30,2019/2/1,01.02.2019,02/01/2019,01-Feb-2019,2019-02-01 08:00Z\n"
    )
    table = read_table(write(tmp_path, text))
    assert set(kinds(table).values()) == {"date"}
    assert table.frame["iso"].to_list()[1] == datetime.datetime(2019, 2, 1, 10, 30)
    for name in ("slash", "dot", "us", "named"):
        assert table.frame[name].dt.date().to_list() == [
            datetime.date(2020, 1, 31),
            datetime.date(2019, 2, 1),
        ]
    assert table.frame["zoned"].to_list()[0] == datetime.datetime(2020, 1, 31, 8)
    assert table.column("dot").tolist() == [18292.0, 17928.0]


def test_dates_that_fit_both_ways_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="whether the day or the month comes first"):
        read_table(write(tmp_path, "seen,x\n01/02/2020,a\n03/04/2020,b\n"))


def test_labels_that_look_like_numbers_stay_labels(tmp_path: Path) -> None:
    text = "zip,mrn,flag\n01234,12345678901234567,True\n99999,12345678901234568,false\n"
    table = read_table(write(tmp_path, text))
    assert table.frame["zip"].to_list() == ["01234", "99999"]
    assert table.frame["mrn"].to_list() == ["12345678901234567", "12345678901234568"]
    assert table.schema["mrn"].identifier
    assert table.schema["flag"].levels == ("false", "true")
    assert any("column zip is read as categorical" in note for note in table.notes)
    one_slip = "\n".join(["05,x", *(f"{age},x" for age in range(10, 110))])
    assert kinds(read_table(write(tmp_path, f"age,k\n{one_slip}\n"))) == {
        "age": "numeric",
        "k": "categorical",
    }


def test_text_in_a_numeric_column(tmp_path: Path) -> None:
    rows = "\n".join(f"{30 + i},f" for i in range(60))
    path = write(tmp_path, f"age,sex\n{rows}\nninety,m\n")
    with pytest.raises(TableError) as caught:
        read_table(path)
    assert caught.value.where == "heart.csv, line 62, column age"
    assert caught.value.cell == "ninety"
    assert "ninety" not in str(caught.value.document())
    assert "missing code" in str(caught.value)
    assert read_table(path, missing_codes=("ninety",)).schema["age"].kind == "numeric"


def test_detection_limits_in_a_numeric_column(tmp_path: Path) -> None:
    cells = "\n".join("<0.1,x" if i % 3 == 0 else f"{i / 7:.2f},x" for i in range(60))
    with pytest.raises(TableError, match=r"line 2, column crp: text in a column of numbers \(40 of 60"):
        read_table(write(tmp_path, f"crp,k\n{cells}\n"))


@pytest.mark.parametrize(
    "text", ['n,x\n"1,250",a\n900,b\n', "n;x;y\n1,250;a;0.5\n900;b;1.5\n", 'n,x\n"12,345,678.5",a\n']
)
def test_commas_that_may_be_thousands_are_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(TableError, match="line 2, column n: it cannot be told what the comma"):
        read_table(write(tmp_path, text))


@pytest.mark.parametrize("cell", ["inf", "-Infinity", "1e999"])
def test_infinite_values(tmp_path: Path, cell: str) -> None:
    with pytest.raises(TableError, match=r"heart\.csv, line 3, column age: the value is infinite"):
        read_table(write(tmp_path, f"age,sex\n61,f\n{cell},m\n"))


def test_few_broken_lines_are_refused_one_by_one(tmp_path: Path) -> None:
    lines = [f"{i},a" for i in range(150)]
    lines[40] = "40,a,b"
    table = read_table(write(tmp_path, "x,y\n" + "\n".join(lines) + "\n"))
    assert (table.n_rows, table.n_read) == (149, 150)
    assert [(r.row, r.reason) for r in table.refused] == [
        (42, "the line has 3 cell(s) where the header has 2")
    ]
    assert table.rows[39:42].tolist() == [41, 43, 44]
    with pytest.raises(TableError, match="line 42: the line has 3 cell"):
        read_table(tmp_path / "heart.csv", schema=table.schema)


def test_many_broken_lines_refuse_the_file(tmp_path: Path) -> None:
    with pytest.raises(
        TableError, match=r"heart.csv, line 3: the line has 1 cell\(s\) where the header has 2"
    ):
        read_table(write(tmp_path, "x,y\n1,2\n3\n4,5\n"))


def test_trailing_delimiters_and_empty_last_lines(tmp_path: Path) -> None:
    table = read_table(write(tmp_path, "x,y\n1,a,\n2,b,\n,,\n , ,\n"))
    assert table.frame.rows() == [(1.0, "a"), (2.0, "b")]
    assert table.notes == ("2 empty line(s) at the end of the file were left out",)


BAD = {
    "empty": ("", "the file is empty"),
    "blank": ("\n  \n", "the file is empty"),
    "header only": ("age,sex\n", "has a header but no rows"),
    "headerless": ("61.0,f,1\n70.0,m,0\n", "holds values, not the names of columns"),
    "twice": ("age,sex,age\n1,f,2\n", "names the column 'age' 2 times"),
    "unnamed": (",age\n0,61\n1,70\n", "column 1 has values but no name.*pandas"),
    "open quote": ('age,sex\n61,"f\n70,m\n', "line 2: the line cannot be cut into cells"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_files(tmp_path: Path, case: str) -> None:
    text, message = BAD[case]
    with pytest.raises(TableError, match=message) as caught:
        read_table(write(tmp_path, text))
    assert caught.value.exit_code == 3
    assert "heart.csv" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_that_are_no_text(tmp_path: Path) -> None:
    import pickle

    path = tmp_path / "table.csv"
    path.write_bytes(pickle.dumps({"age": [61]}))
    with pytest.raises(TableError, match="a Python pickle, which is never opened"):
        read_table(path)
    path.write_bytes(b"PAR1....")
    with pytest.raises(TableError, match="is a Parquet file"):
        read_table(path)
    path.write_bytes(b"ag\0e,sex\n1,2")
    with pytest.raises(TableError, match="is not text"):
        read_table(path)
    with pytest.raises(TableError, match="there is no such file"):
        read_table(tmp_path / "none.csv")
    with pytest.raises(TableError, match="is a folder"):
        read_table(tmp_path)
    with pytest.raises(TableError, match="is not a whole gzip file"):
        read_table(write(tmp_path, "age\n1\n", "a.csv.gz"))


def test_unknown_kinds_of_reference() -> None:
    with pytest.raises(TableError, match="a dict is not a table"):
        read_table({"age": [1]})


def test_size_limit_holds_after_unpacking(tmp_path: Path) -> None:
    path = tmp_path / "bomb.csv.gz"
    path.write_bytes(gzip.compress(b"age\n" + b"61\n" * 100_000))
    with pytest.raises(LimitError, match="limit of 1,000 bytes"):
        read_table(path, max_bytes=1000)


def test_reading_loads_polars_and_nothing_heavier(tmp_path: Path) -> None:
    path = write(tmp_path, "age,sex\n61,f\n70,m\n")
    code = (
        "import sys; from iatros.learners.tabular.reading import read_table\n"
        f"table = read_table({str(path)!r}); read_table({str(path)!r}, schema=table.schema)\n"
        "heavy = {'pandas', 'pyarrow', 'sklearn', 'scipy', 'torch', 'yaml'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run(
        [sys.executable, "-c", code], check=True, env={"PYTHONPATH": ":".join(filter(None, sys.path))}
    )


def test_take_select_and_fingerprint(tmp_path: Path) -> None:
    table = read_table(write(tmp_path, "age,sex\n61,f\n70,m\n,f\n"))
    taken = table.take(np.array([2, 0, 2]))
    assert taken.frame["age"].to_list() == [None, 61, None]
    assert taken.rows.tolist() == [4, 2, 4]
    assert table.take(np.array([True, False, True])).rows.tolist() == [2, 4]
    assert table.select(["sex"]).schema.names == ["sex"]
    again = read_table([{"age": 61, "sex": "f"}, {"age": 70.0, "sex": "m"}, {"age": None, "sex": "f"}])
    assert again.fingerprint() == table.fingerprint()
    prints = {table.fingerprint(), taken.fingerprint(), table.select(["sex"]).fingerprint()}
    prints.add(read_table(write(tmp_path, "age,sex\n61,f\n70,f\n,m\n")).fingerprint())
    assert len(prints) == 4
