"""The quick reader of regular files and the record-by-record one give the same cells."""

from __future__ import annotations

import csv
import io
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from iatros.learners.tabular.cells import MISSING_CODES
from iatros.learners.tabular.csv_file import _Lines, _record_by_record, _regular, read_csv
from iatros.learners.tabular.reading import read_table

CELL = st.text(
    st.characters(codec="utf-8", exclude_characters="\0\r\ufeff", exclude_categories=["Cs"]), max_size=8
)
PLAIN = st.text("abcß 0123.-é", max_size=6)


def _rows(cell: st.SearchStrategy[str]) -> st.SearchStrategy[list[list[str]]]:
    return st.integers(2, 5).flatmap(
        lambda width: st.lists(st.lists(cell, min_size=width, max_size=width), min_size=1, max_size=8)
    )


@settings(max_examples=150, deadline=None)
@given(rows=_rows(CELL), delimiter=st.sampled_from([",", ";", "\t", "|"]))
def test_what_csv_writes_is_read_back(rows: list[list[str]], delimiter: str) -> None:
    names = [f"name {chr(97 + index)}" for index in range(len(rows[0]))]
    rows.append(["end"] * len(names))
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerows([names, *rows])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.csv"
        path.write_bytes(text.getvalue().encode())
        raw = read_csv(path, max_bytes=10**6)
    assert list(raw.columns) == names
    got = [
        [cell or "" for cell in row] for row in zip(*(s.to_list() for s in raw.columns.values()), strict=True)
    ]
    assert got == [[_stripped(cell) for cell in row] for row in rows]


def _stripped(cell: str) -> str:
    # Unicode's White_Space, which leaves out the control characters that Python's strip() takes
    return cell.strip(
        "\t\n\x0b\x0c\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000"
        + "".join(map(chr, range(0x2000, 0x200B)))
    )


@settings(max_examples=150, deadline=None)
@given(rows=_rows(PLAIN))
def test_quick_and_careful_reading_agree(rows: list[list[str]]) -> None:
    text = "\n".join(",".join(row) for row in rows)
    quick = _regular(text, ",", len(rows[0]))
    careful, lines, refused = _record_by_record(_Lines(text, 0), ",", len(rows[0]), "t.csv")
    assert not refused
    assert quick is not None
    assert quick.fill_null("").rows() == careful.fill_null("").rows()
    assert lines.tolist() == list(range(1, len(rows) + 1))


@settings(max_examples=100, deadline=None)
@given(
    values=st.lists(st.none() | st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=20),
    labels=st.lists(st.sampled_from(["a", "b c", "d,e", 'f"g', "7 up"]), min_size=20, max_size=20),
)
def test_numbers_and_labels_survive_the_file(values: list[float | None], labels: list[str]) -> None:
    text = io.StringIO()
    rows = [["" if v is None else repr(v), label] for v, label in zip(values, labels, strict=False)]
    csv.writer(text).writerows([["value", "label"], *rows])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.csv"
        path.write_text(text.getvalue())
        table = read_table(path)
    assert table.frame["value"].to_list() == values
    assert table.frame["label"].to_list() == labels[: len(values)]
    assert not set(labels) & set(MISSING_CODES)


def test_lines_inside_quotes_count(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text('\n"age\nin years",note\n61,"two\nlines"\n\n70,one\n')
    raw = read_csv(path, max_bytes=1000)
    assert list(raw.columns) == ["age\nin years", "note"]
    assert raw.rows.tolist() == [4, 7]
