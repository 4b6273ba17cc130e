"""A long table of responses: every line ends as a response, as merged, or as refused with a reason."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from iatros.core.errors import OutcomeError, RequestError, TableError, UnknownNameError
from iatros.treatment.responses.sources import Columns, read_responses

COLUMNS = Columns("who", "what", "score")


def _rows(*rows: tuple[Any, ...]) -> list[dict[str, Any]]:
    return [dict(zip(("who", "what", "score", "day", "dose"), row, strict=False)) for row in rows]


def _accounts_for_all(read: Any) -> bool:
    account = read.account
    return bool(account.n_lines == len(read.responses) + account.n_merged + len(account.refused))


def test_names_are_sorted_and_outcomes_stand_at_their_pairs() -> None:
    read = read_responses(_rows(("b", "y", 1.5), ("a", "x", 2.5), ("a", "y", 3.5)), COLUMNS)
    r = read.responses
    assert (r.subjects, r.treatments) == (("a", "b"), ("x", "y"))
    found = {(r.subjects[s], r.treatments[t]): y for s, t, y in zip(r.subject, r.treatment, r.y, strict=True)}
    assert found == {("a", "x"): 2.5, ("a", "y"): 3.5, ("b", "y"): 1.5}
    assert r.outcome == "continuous"


def test_numbers_as_names_have_one_spelling() -> None:
    read = read_responses([{"who": 1001.0, "what": "x", "score": 1.0}, {"who": 1002, "what": "y", "score": 2.5},
                           {"who": 1001, "what": "y", "score": 3.0}], COLUMNS)  # fmt: skip
    assert read.responses.subjects == ("1001", "1002")


def test_lines_without_subject_treatment_or_outcome_are_refused_with_their_reason() -> None:
    read = read_responses(
        _rows(("a", "x", 1.0), (None, "x", 2.0), ("b", None, 3.0), ("b", "y", None), ("b", "x", 2.5)), COLUMNS
    )
    assert read.account.reasons == {"no subject": 1, "no treatment": 1, "no outcome": 1}
    assert [line for line, _ in read.account.refused] == [1, 2, 3]
    assert _accounts_for_all(read)


def test_two_outcomes_of_one_subject_treatment_and_time_refuse_both_lines() -> None:
    read = read_responses(
        _rows(("a", "x", 1.0), ("a", "x", 4.0), ("a", "y", 2.0), ("b", "x", 3.0), ("b", "x", 3.0)), COLUMNS
    )
    assert len(read.account.refused) == 2
    assert read.account.n_merged == 1
    assert sorted(read.responses.y) == [2.0, 3.0]
    assert _accounts_for_all(read)


def test_of_several_times_the_latest_counts_or_the_mean() -> None:
    rows = _rows(("a", "x", 1.0, 30), ("a", "x", 5.0, 10), ("b", "x", 3.0, 1), ("b", "y", 2.0, 1))
    latest = read_responses(rows, Columns("who", "what", "score", time="day")).responses
    assert sorted(latest.y) == [1.0, 2.0, 3.0]
    assert latest.time is not None
    assert sorted(latest.time) == [1.0, 1.0, 30.0]
    mean = read_responses(rows, Columns("who", "what", "score", time="day", repeats="mean")).responses
    assert sorted(mean.y) == [2.0, 3.0, 3.0]


def test_dates_are_times() -> None:
    rows = _rows(("a", "x", 1.0, "2024-02-01"), ("a", "x", 5.0, "2024-03-01"), ("b", "y", 2.0, "2024-01-01"))
    read = read_responses(rows, Columns("who", "what", "score", time="day"))
    assert sorted(read.responses.y) == [2.0, 5.0]


def test_an_outcome_off_the_scale_is_refused() -> None:
    columns = Columns("who", "what", "score", scale=(1.0, 5.0))
    read = read_responses(_rows(("a", "x", 1.0), ("a", "y", 5.0), ("b", "x", 7.0), ("b", "y", 0.0)), columns)
    assert read.account.reasons == {"the outcome lies off the scale 1 to 5": 2}


def test_a_dose_makes_a_treatment_of_its_own_and_must_be_above_zero() -> None:
    columns = Columns("who", "what", "score", dose="dose")
    read = read_responses(
        _rows(("a", "x", 1.0, 0, 10), ("a", "x", 2.0, 0, 20), ("b", "x", 3.0, 0, -5), ("b", "y", 4.0, 0, 0)),
        columns,
    )
    assert read.responses.treatments == ("x 10", "x 20")
    assert read.account.reasons == {"the dose is not above 0": 2}


def test_two_values_are_a_binary_outcome_and_the_named_one_counts() -> None:
    rows = _rows(("a", "x", "yes"), ("a", "y", "no"), ("b", "x", "no"))
    read = read_responses(rows, COLUMNS)
    assert (read.responses.outcome, read.classes) == ("binary", ("no", "yes"))
    turned = read_responses(rows, Columns("who", "what", "score", positive="no"))
    assert turned.classes == ("yes", "no")
    assert turned.responses.y.sum() == 2.0


def test_without_an_outcome_lines_are_exposures_and_repeats_weigh_more() -> None:
    read = read_responses(_rows(("a", "x", 1), ("a", "x", 1), ("b", "y", 1)), Columns("who", "what"))
    assert read.responses.outcome == "implicit"
    assert sorted(read.responses.y) == [1.0, 2.0]


def test_text_in_a_numeric_outcome_is_refused_with_its_line() -> None:
    rows = _rows(*[(f"s{k}", "x" if k % 2 else "y", k / 10) for k in range(200)], ("t", "x", "high"))
    with pytest.raises(TableError, match="row 200"):
        read_responses(rows, COLUMNS)


@pytest.mark.parametrize(
    ("columns", "error"),
    [
        (Columns("nobody", "what", "score"), UnknownNameError),
        (Columns("who", "who", "score"), RequestError),
        (Columns("who", "what", "score", positive="maybe"), OutcomeError),
        (Columns("who", "what", "score", scale=(5.0, 1.0)), RequestError),
        (Columns("who", "what", kind="continuous"), RequestError),
    ],
)
def test_wrong_columns_are_errors(columns: Columns, error: type[Exception]) -> None:
    with pytest.raises(error):
        read_responses(_rows(("a", "x", 1.0), ("b", "y", 2.0), ("c", "y", 3.0)), columns)


def test_nothing_left_is_an_error_that_tells_why() -> None:
    with pytest.raises(TableError) as caught:
        read_responses(_rows(("a", "x", 1.0), ("a", "x", 2.0)), COLUMNS)
    assert "0 responses" in str(caught.value)
    assert "another outcome" in str(caught.value.hint)


def test_text_with_many_values_asks_for_the_positive_one() -> None:
    with pytest.raises(OutcomeError) as caught:
        read_responses(_rows(("a", "x", "good"), ("b", "x", "bad"), ("c", "y", "middling")), COLUMNS)
    assert "positive" in str(caught.value.hint)


def test_messages_never_hold_the_values_of_cells() -> None:
    secret = "ZZ-SECRET"
    with pytest.raises(TableError) as caught:
        read_responses(_rows((secret, "x", 1.0), (secret, "x", 2.0)), COLUMNS)
    assert secret not in f"{caught.value} {caught.value.hint}"


def test_a_subject_whose_rows_are_held_out_keeps_its_place() -> None:
    r = read_responses(_rows(("a", "x", 1.0), ("b", "y", 2.5), ("c", "x", 3.5)), COLUMNS).responses
    part = r.take([0])
    assert part.subjects == r.subjects
    assert np.array_equal(part.pairs([0]).subject, [0])
