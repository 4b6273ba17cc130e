"""What counts as the event, and what is refused."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from iatros.core.errors import OutcomeError, RequestError, UnknownNameError
from iatros.learners.tabular.reading import read_table
from iatros.risk.outcome import label, relabel
from iatros.risk.requests import TrainRequest


def labelled(values: list, **fields):
    frame = pl.DataFrame({"age": np.arange(len(values), dtype=float), "outcome": values})
    request = TrainRequest(table=frame, outcome="outcome", **fields)
    return label(read_table(frame), request)


def test_a_comparison_makes_the_event_and_names_both_classes() -> None:
    found = labelled([0, 1, 2, 4, 0, 3], positive=">0")
    assert found.target.task == "binary"
    assert found.target.classes == ("not >0", ">0")
    assert found.y.tolist() == [0, 1, 1, 1, 0, 1]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (">=2", [0, 0, 1, 1]),
        ("<1", [1, 0, 0, 0]),
        ("<=1", [1, 1, 0, 0]),
        ("2|4", [0, 0, 1, 1]),
        ("!=0", [0, 1, 1, 1]),
        ("=1", [0, 1, 0, 0]),
    ],
)
def test_every_form_of_the_rule(rule: str, expected: list[int]) -> None:
    assert labelled([0, 1, 2, 4], positive=rule).y.tolist() == expected


def test_a_level_that_looks_like_a_comparison_is_a_level() -> None:
    found = labelled(["NO", ">30", "<30", "NO"], positive="<30")
    assert found.y.tolist() == [0, 0, 1, 0]


def test_text_levels_that_plainly_say_yes_need_no_rule() -> None:
    found = labelled(["yes", "no", "no", "yes", "no"])
    assert found.target.classes == ("no", "yes")
    assert found.y.tolist() == [1, 0, 0, 1, 0]


def test_unclear_text_levels_are_asked_about() -> None:
    with pytest.raises(OutcomeError, match="which of 'blue' and 'red' is the event"):
        labelled(["red", "blue", "red", "blue"])


def test_rows_without_an_outcome_are_refused_by_line() -> None:
    found = labelled([0, None, 1, 1, None])
    assert found.y.tolist() == [0, 1, 1]
    assert [(refusal.row, refusal.column) for refusal in found.refused] == [(1, "outcome"), (4, "outcome")]


@pytest.mark.parametrize("values", [[1, 1, 1, 1], ["yes"] * 4])
def test_one_class_only_is_refused(values: list) -> None:
    with pytest.raises(OutcomeError, match="one class only"):
        labelled(values)


def test_a_rule_that_nobody_meets_is_refused_and_shows_values() -> None:
    with pytest.raises(OutcomeError, match=r"no patient an event.*values seen: 0, 1"):
        labelled([0, 1, 0, 1], positive=">7")


def test_a_missing_outcome_column_suggests_the_near_name() -> None:
    frame = pl.DataFrame({"age": [1.0, 2.0], "outcome": [0, 1]})
    with pytest.raises(UnknownNameError, match="did you mean outcome"):
        label(read_table(frame), TrainRequest(table=frame, outcome="outcom"))


def test_comparing_text_with_a_number_is_refused() -> None:
    with pytest.raises(RequestError, match="the outcome is text"):
        labelled(["a", "b", "a", "c"], positive=">0")


def test_task_is_guessed_from_the_values() -> None:
    assert labelled([0, 1, 2, 2, 1, 0]).target.task == "multiclass"
    assert labelled(list(np.linspace(3.0, 9.0, 30))).target.task == "continuous"
    assert labelled([0, 1, 2, 2, 1, 0], task="continuous").target.task == "continuous"


def test_a_log_target_refuses_zero() -> None:
    with pytest.raises(OutcomeError, match="above 0"):
        labelled(list(np.linspace(0.0, 9.0, 30)), target_transform="log")


def test_relabel_gives_another_table_the_same_classes() -> None:
    target = labelled([0, 1, 2, 4], positive=">0").target
    again = relabel(pl.Series([3.0, 0.0, None]), target, ">0", where="new.csv")
    assert again[:2].tolist() == [1.0, 0.0]
    assert np.isnan(again[2])


def test_relabel_refuses_a_class_that_the_model_does_not_know() -> None:
    target = labelled([0, 1, 2, 2, 1, 0]).target
    with pytest.raises(OutcomeError, match="none of the classes"):
        relabel(pl.Series([0.0, 7.0]), target, None, where="new.csv")
