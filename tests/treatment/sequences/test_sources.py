"""Visits read from tables: the order, what is refused, and the other shapes that tables come in."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iatros.core.errors import RequestError, TableError, UnknownNameError
from iatros.treatment.sequences.sources import Columns, read_histories

COLUMNS = Columns(visit="visit", time="day")
NAMES = ("subject_id", "visit", "day", "kind", "code")
LINES = [
    ("ann", 2, 30.0, "medication", "c"), ("ann", 1, 0.0, "diagnosis", "flu"), ("ann", 1, 0.0, "medication", "b"),
    ("ann", 1, 0.0, "medication", "a"), ("bob", 7, 5.0, "diagnosis", "rash"), ("bob", 9, 4.0, "medication", "a"),
]  # fmt: skip


def rows(lines):
    return [dict(zip(NAMES, line, strict=True)) for line in lines]


def told(histories):
    """Everything as plain values: subject, visit, kind, code."""
    found = []
    for k, subject in enumerate(histories.subjects):
        for visit in range(histories.start[k], histories.start[k + 1]):
            for kind, codes in histories.codes.items():
                own = codes.code[codes.start[visit] : codes.start[visit + 1]]
                found += [(subject, histories.visits[visit], kind, codes.names[code]) for code in own]
    return found


def test_visits_stand_in_the_order_of_time():
    histories = read_histories(rows(LINES), COLUMNS).histories
    assert histories.subjects == ("ann", "bob")
    assert histories.visits == ("1", "2", "9", "7")
    assert histories.time.tolist() == [0.0, 30.0, 4.0, 5.0]
    assert histories.start.tolist() == [0, 2, 4]
    assert histories.prescribed.tolist() == [2, 1, 1, 0]
    assert told(histories)[:3] == [("ann", "1", "diagnosis", "flu"), ("ann", "1", "medication", "a"),
                                   ("ann", "1", "medication", "b")]  # fmt: skip


@settings(max_examples=6, deadline=None)
@given(st.permutations(LINES))
def test_the_order_of_the_lines_changes_nothing(shuffled):
    found = told(read_histories(rows(shuffled), COLUMNS).histories)
    assert found[:2] == [("ann", "1", "diagnosis", "flu"), ("ann", "1", "medication", "a")]
    assert found[2:] == [("ann", "1", "medication", "b"), ("ann", "2", "medication", "c"),
                         ("bob", "9", "medication", "a"), ("bob", "7", "diagnosis", "rash")]  # fmt: skip


def test_every_line_is_accounted_for():
    lines = [
        *LINES, ("ann", 1, 0.0, "medication", "a"), ("", 1, 0.0, "medication", "a"), ("ann", 1, 0.0, None, "a"),
        ("ann", 1, 0.0, "medication", None), ("ann", None, 3.0, "diagnosis", "x"),
    ]  # fmt: skip
    account = read_histories(rows(lines), COLUMNS).account
    assert account.n_lines == 11
    assert (account.n_used, account.n_merged) == (6, 1)
    assert account.reasons == {"no subject": 1, "no visit": 1, "no kind": 1, "no code": 1}
    assert account.n_lines == account.n_used + account.n_merged + len(account.refused)
    assert sorted(line for line, _ in account.refused) == [7, 8, 9, 10]


def test_lines_of_a_file_are_told_by_their_number(tmp_path):
    path = tmp_path / "visits.csv"
    path.write_text(
        "subject_id,visit,day,kind,code\nann,1,2024-01-05,medication,a\nann,1,2024-01-05,medication,\n"
    )
    read = read_histories(path, COLUMNS)
    assert read.account.refused == [(3, "no code")]
    assert read.source == "visits.csv"


def test_dates_are_days_and_visits_may_be_known_by_their_time_alone(tmp_path):
    path = tmp_path / "visits.csv"
    path.write_text(
        "subject_id,day,kind,code\nann,2024-02-04,medication,b\nann,2024-01-05,medication,a\nann,2024-01-05,diagnosis,x\n"
    )
    histories = read_histories(path, Columns(time="day")).histories
    assert histories.n_visits == 2
    assert histories.time[1] - histories.time[0] == 30.0
    assert histories.prescribed.tolist() == [1, 1]


def test_one_table_for_each_kind_with_a_table_of_visits():
    tables = {
        "diagnosis": [
            {"subject_id": 1, "stay": 20, "icd": "0389"},
            {"subject_id": 1, "stay": 21, "icd": "4019"},
        ],
        "medication": [
            {"subject_id": 1, "stay": 21, "drug": "a"},
            {"subject_id": 1, "stay": 99, "drug": "a"},
        ],
    }
    visits = [{"subject_id": 1, "stay": 20, "at": 50.0}, {"subject_id": 1, "stay": 21, "at": 3.0}]
    columns = Columns(visit="stay", time="at", code={"diagnosis": "icd", "medication": "drug"})
    read = read_histories(tables, columns, visits=visits)
    assert read.histories.visits == ("21", "20")
    assert told(read.histories) == [
        ("1", "21", "diagnosis", "4019"), ("1", "21", "medication", "a"), ("1", "20", "diagnosis", "0389"),
    ]  # fmt: skip
    assert read.account.reasons == {"the visit is not in the table of visits, or has no time there": 1}


def test_numbered_visits_need_no_time_and_named_ones_do():
    numbered = [{"subject_id": "a", "visit": k, "kind": "medication", "code": "x"} for k in (10, 9)]
    assert read_histories(numbered, Columns(visit="visit")).histories.visits == ("9", "10")
    named = [{"subject_id": "a", "visit": k, "kind": "medication", "code": "x"} for k in ("first", "later")]
    with pytest.raises(TableError, match="named by texts have no order"):
        read_histories(named, Columns(visit="visit"))


def test_what_cannot_be_used_is_an_error():
    with pytest.raises(RequestError, match="visits need a column"):
        Columns()
    with pytest.raises(UnknownNameError, match="'code'"):
        read_histories([{"subject_id": "a", "visit": 1, "kind": "medication"}], Columns(visit="visit"))
    with pytest.raises(TableError, match="no line is of the kind 'medication'") as error:
        read_histories(rows([("ann", 1, 0.0, "drug", "a")]), COLUMNS)
    assert "drug" in error.value.hint
    with pytest.raises(TableError, match="holds no line that can be used"):
        read_histories(rows([("ann", 1, 0.0, "medication", None)]), COLUMNS)
    with pytest.raises(TableError, match="times must be dates or numbers"):
        read_histories(
            rows([("ann", 1, "soon", "medication", "a"), ("ann", 2, "later", "medication", "a")]), COLUMNS
        )
    with pytest.raises(TableError, match="without any time"):
        read_histories(
            rows([("ann", 1, None, "medication", "a"), ("ann", 2, 3.0, "medication", "a")]), COLUMNS
        )
