import numpy as np
import pytest

from iatros.core.errors import InputError
from iatros.treatment.effects.schema import EffectCohort, outcome_at_horizon

X = np.array([[1.0], [2.0], [3.0]])
ARM = np.array([0, 1, 1])
Y = np.array([0.5, 1.5, 2.5])


def made(**changes):
    fields = {"X": X, "names": ("x",), "arm": ARM, "arms": ("no", "yes"), "y": Y, "groups": np.arange(3)}
    return EffectCohort(**{**fields, **changes})


def test_an_outcome_at_the_horizon_is_known_only_to_those_observed_until_then():
    time = np.array([2.0, 5.0, 5.0, 3.0, 9.0])
    event = np.array([1, 1, 0, 0, 1])
    # event before, event at the horizon, censored at it, censored before, event after
    assert outcome_at_horizon(time, event, 5.0, "survival").tolist()[:3] == [0.0, 0.0, 1.0]
    assert np.isnan(outcome_at_horizon(time, event, 5.0, "survival")[3])
    assert outcome_at_horizon(time, event, 5.0, "survival")[4] == 1.0
    restricted = outcome_at_horizon(time, event, 5.0, "restricted-mean")
    assert restricted.tolist()[:3] == [2.0, 5.0, 5.0]
    assert np.isnan(restricted[3])
    assert restricted[4] == 5.0


@pytest.mark.parametrize(
    "changes",
    [
        {"X": np.array([[1.0], [np.nan], [3.0]])},
        {"names": ("x", "z")},
        {"arm": np.array([0, 1, 2])},
        {"arms": ("no",)},
        {"y": np.array([0.5, np.nan, 1.0])},
        {"groups": np.arange(2)},
        {"assignment": np.ones((3, 3))},
        {"kind": "time-to-event"},
        {"horizon": 3.0, "time": Y, "event": ARM},
    ],
)
def test_a_cohort_that_does_not_fit_together_is_refused(changes):
    with pytest.raises(InputError):
        made(**changes)


def test_rows_are_taken_with_everything_that_belongs_to_them():
    timed = made(
        kind="time-to-event", time=Y, event=np.array([1, 0, 1]), horizon=2.0, y=np.array([0.0, np.nan, 1.0])
    )
    part = timed.take(np.array([2, 0]))
    assert part.y.tolist() == [1.0, 0.0]
    assert part.time.tolist() == [2.5, 0.5]
    assert part.event.tolist() == [1, 1]
    assert part.groups.tolist() == [2, 0]
    assert timed.known.tolist() == [True, False, True]
    assert timed.bounds == (0.0, 1.0)
    assert timed.is_probability
    assert made().bounds == (-np.inf, np.inf)
