"""Rules as text: what is read, what is refused and where, and what a missing value does."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iatros.core.errors import RequestError, TableError, UnknownNameError
from iatros.treatment.policies.grammar import (
    All,
    Clause,
    Comparison,
    Either,
    Missing,
    Not,
    Parsed,
    parse,
    quoted,
)
from iatros.treatment.policies.rules import assign, recommended

ARMS = ("zidovudine", "didanosine", "both")
COLUMNS = {
    "cd4": np.array([150.0, 199.9, 200.0, np.nan, 480.0, 90.0]),
    "age": np.array([31.0, 52.0, 18.0, 44.0, np.nan, 70.0]),
    "sex": np.array(["f", "m", "m", "f", None, "x y"], dtype=object),
}


def given_by(text: str, columns: dict[str, np.ndarray] = COLUMNS) -> list[str]:
    return [ARMS[arm] for arm in assign(parse(text), columns, ARMS, n=len(next(iter(columns.values()))))]


def test_the_parts_of_a_rule() -> None:
    rule = parse(
        "cd4 < 200 and not (age>=40 or sex in (m, 'x y')) -> both; missing(cd4) -> didanosine\nelse zidovudine"
    )
    assert rule == Parsed(
        (
            Clause(
                All(
                    (
                        Comparison("cd4", "<", (200.0,)),
                        Not(Either((Comparison("age", ">=", (40.0,)), Comparison("sex", "=", ("m", "x y"))))),
                    )
                ),
                "both",
            ),
            Clause(Missing("cd4"), "didanosine"),
        ),
        "zidovudine",
    )
    assert rule.columns == ("cd4", "age", "sex")
    assert rule.arms == ("both", "didanosine", "zidovudine")


def test_and_binds_more_than_or() -> None:
    condition = parse("a = 1 or b = 2 and c = 3 -> x, else y").clauses[0].condition
    assert isinstance(condition, Either)
    assert isinstance(condition.parts[1], All)


@pytest.mark.parametrize(
    "text",
    [
        "cd4<200->didanosine,else zidovudine",
        "cd4 < 2e2 => didanosine ; ELSE -> zidovudine ;",
        "cd4 ≤ 199.95 → `didanosine`, else 'zidovudine'",
        '"cd4" <= +199.95 -> didanosine\n\nelse zidovudine\n',
    ],
)
def test_ways_of_writing_one_rule(text: str) -> None:
    complete = {"cd4": np.array([150.0, 200.0])}
    assert given_by(text, complete) == ["didanosine", "zidovudine"]


def test_the_first_clause_that_holds_counts() -> None:
    text = "missing(cd4) -> both, cd4 < 100 -> both, cd4 < 200 -> didanosine, else zidovudine"
    assert given_by(text) == ["didanosine", "didanosine", "zidovudine", "both", "zidovudine", "both"]


def test_texts_and_names_with_spaces() -> None:
    text = "missing(sex) -> both, sex = 'x y' -> didanosine, sex != f -> zidovudine, else both"
    assert given_by(text) == ["both", "zidovudine", "zidovudine", "both", "both", "didanosine"]
    odd = {"cd4 (cells/mm3)": np.array([1.0, 9.0]), "else": np.array([0.0, 0.0])}
    assert given_by('"cd4 (cells/mm3)" > 5 and `else` = 0 -> both, else didanosine', odd) == [
        "didanosine",
        "both",
    ]


def test_a_missing_value_that_decides_nothing_is_no_hindrance() -> None:
    """The patient without cd4 is 44, the one without age has 480: each is decided by the other column."""
    assert given_by("cd4 < 300 and age < 40 -> both, else zidovudine")[3:5] == ["zidovudine"] * 2
    assert given_by("cd4 > 300 or age > 40 -> both, else zidovudine")[3:5] == ["both"] * 2


def test_a_missing_value_that_decides_is_refused_with_its_count_and_no_value() -> None:
    with pytest.raises(TableError, match=r"1 of 6 patients: values are missing in cd4 \(1\)") as caught:
        given_by("cd4 < 300 and age > 40 -> both, else zidovudine")
    assert "missing(column)" in str(caught.value)
    assert "44" not in str(caught.value)
    with pytest.raises(TableError, match=r"age \(1\)"):
        given_by("not age > 40 -> both, else zidovudine")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "expected 'else'"),
        ("cd4 < 200 -> didanosine", "expected a comma"),
        ("cd4 < 200 -> didanosine,", "expected 'else'"),
        ("cd4 < 200 didanosine, else x", "expected '->' and an arm, got 'didanosine' at character 11"),
        ("cd4 200 -> a, else b", "expected a comparison"),
        ("cd4 < -> a, else b", "expected a value, got '->' at character 7"),
        ("(cd4 < 200 -> a, else b", r"expected '\)'"),
        ("cd4 in (1, 2 -> a, else b", r"expected '\)'"),
        ("cd4 < 200 -> a, else b, c", "expected the end"),
        ("else", "expected an arm, got the end"),
        ("and < 2 -> a, else b", "expected a column"),
        ("__import__('os').system('x') -> a, else b", "expected a comparison"),
        ("cd4 < 200; -> a, else b", "expected '->'"),
        ("cd4 < 200 -> 'a, else b", "no meaning here at character 14"),
        ("cd4 < 200 ! -> a, else b", "'!' has no meaning"),
        ("(" * 60 + "cd4 < 1" + ")" * 60 + " -> a, else b", "at most 50 parentheses"),
        ("x" * 20_001, "at most 20,000 characters"),
    ],
)
def test_what_is_no_rule_is_refused_at_its_place(text: str, said: str) -> None:
    with pytest.raises(RequestError, match=said):
        parse(text)


def test_unknown_names_are_told_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="didanosine"):
        given_by("cd4 < 200 -> didanosin, else zidovudine")
    with pytest.raises(UnknownNameError, match="cd4"):
        given_by("cd40 < 200 -> didanosine, else zidovudine")


def test_numbers_and_texts_are_not_mixed() -> None:
    with pytest.raises(RequestError, match="sex by <"):
        given_by("sex < 3 -> both, else zidovudine")
    with pytest.raises(RequestError, match="numbers of cd4 with the text 'low'"):
        given_by("cd4 = low -> both, else zidovudine")


def test_an_arm_may_be_a_number() -> None:
    rule = parse("age > 40 -> 1, else 0")
    assert assign(rule, {"age": np.array([30.0, 50.0])}, ("0", "1"), n=2).tolist() == [0, 1]
    assert assign(parse("else 1"), {}, ("0", "1"), n=3).tolist() == [1, 1, 1]


def test_a_column_of_recommended_arms() -> None:
    received = np.array([0, 0, 1])
    texts = np.array(["didanosine", "both", "zidovudine"], dtype=object)
    assert recommended(texts, ARMS, name="advice", received=received).tolist() == [1, 2, 0]
    assert recommended(np.array([1.0, 0.0, 0.0]), ("0", "1"), name="advice", received=received).tolist() == [
        1,
        0,
        0,
    ]
    with pytest.raises(TableError, match="1 of 3 patients have no recommended arm"):
        recommended(np.array(["both", None, "both"], dtype=object), ARMS, name="advice", received=received)
    with pytest.raises(TableError, match="column advice: a recommended arm is none of those compared"):
        recommended(np.array(["aspirin"] * 3, dtype=object), ARMS, name="advice", received=received)
    with pytest.raises(TableError, match="is the arm received"):
        recommended(
            np.array([ARMS[k] for k in received], dtype=object), ARMS, name="advice", received=received
        )


@settings(max_examples=100, deadline=None)
@given(st.text(min_size=1, max_size=12))
def test_a_quoted_name_is_read_back(name: str) -> None:
    try:
        text = quoted(name)
    except RequestError:
        return
    assert parse(f"{text} < 3 -> {text}, else b").columns == (name,)


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="ab1 <>=!()->,;'\"`\nandornotinelse", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        rule = parse(text)
    except RequestError:
        return
    assert rule.otherwise is not None
