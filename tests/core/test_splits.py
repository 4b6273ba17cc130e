"""Splits: no patient on two sides, every class on every side, the same answer for the same seed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from iatros.core.errors import SplitError
from iatros.core.splits import (
    MIN_OF_CLASS,
    bootstrap_rows,
    check_disjoint,
    folds,
    site_folds,
    split_development,
    split_held_out,
    strata_of,
    time_split,
)
from iatros.core.task import Target


def cohort(
    n: int = 3000, n_patients: int = 1100, prevalence: float = 0.13, seed: int = 3
) -> tuple[np.ndarray, np.ndarray]:
    """Visits of patients, lopsided: few patients have many visits, and events cluster in patients."""
    rng = np.random.default_rng(seed)
    groups = (n_patients * rng.random(n) ** 2).astype(int)
    frail = rng.random(n_patients) < prevalence
    return groups, (frail[groups] & (rng.random(n) < 0.8)).astype(int)


# held out


def test_held_out_is_grouped_stratified_and_reproducible() -> None:
    groups, y = cohort()
    development, held_out = split_held_out(len(y), groups=groups, strata=y, fraction=0.2, seed=7)
    assert not set(groups[development]) & set(groups[held_out])
    assert np.array_equal(np.sort(np.concatenate([development, held_out])), np.arange(len(y)))
    assert len(held_out) / len(y) == pytest.approx(0.2, abs=0.01)
    assert y[held_out].mean() == pytest.approx(y.mean(), abs=0.005)
    again = split_held_out(len(y), groups=groups, strata=y, fraction=0.2, seed=7)
    assert np.array_equal(again[1], held_out)
    other = split_held_out(len(y), groups=groups, strata=y, fraction=0.2, seed=8)
    assert not np.array_equal(other[1], held_out)


def test_names_of_patients_do_not_matter_only_who_is_who() -> None:
    """Text identifiers in the same order give the same sides as integers."""
    groups, y = cohort(600, 200)
    text = np.array([f"p{patient:06d}" for patient in groups])
    assert np.array_equal(
        split_held_out(600, groups=groups, strata=y, seed=1)[1],
        split_held_out(600, groups=text, strata=y, seed=1)[1],
    )
    assert np.array_equal(
        split_held_out(600, groups=text.astype(object), strata=y, seed=1)[1],
        split_held_out(600, groups=text, strata=y, seed=1)[1],
    )


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 25), st.sampled_from("abc")), min_size=2, max_size=120),
    st.floats(0.05, 0.6),
    st.integers(0, 10**6),
)
def test_any_table_is_split_soundly_or_refused(
    rows: list[tuple[int, str]], fraction: float, seed: int
) -> None:
    groups = np.array([patient for patient, _ in rows])
    labels = np.array([label for _, label in rows])
    try:
        development, held_out = split_held_out(
            len(rows), groups=groups, strata=labels, fraction=fraction, seed=seed
        )
    except SplitError:
        # refused only where some class is rare among patients
        rarest = min(len(set(groups[labels == label])) for label in set(labels))
        assume(rarest * min(fraction, 1 - fraction) < 3)
        return
    assert not set(groups[development]) & set(groups[held_out])
    assert set(labels[development]) == set(labels[held_out]) == set(labels)
    assert len(development) + len(held_out) == len(rows)


def test_one_patient_of_a_class_cannot_stand_on_both_sides() -> None:
    y = np.zeros(50, dtype=int)
    y[[3, 4]] = 1
    groups = np.arange(50)
    groups[4] = 3
    with pytest.raises(SplitError, match="no patient of class 1"):
        split_held_out(50, groups=groups, strata=y)


def test_empty_sides_are_refused() -> None:
    with pytest.raises(SplitError, match="no patients"):
        split_held_out(0)
    with pytest.raises(SplitError, match="side is empty"):
        split_held_out(3, groups=np.zeros(3))
    with pytest.raises(SplitError, match="held-out side is empty"):
        split_held_out(10, fraction=0.01)


@pytest.mark.parametrize(
    "groups",
    [
        np.array(["a", None, "b"], dtype=object),
        np.array([1.0, np.nan, 2.0]),
        np.array([1.5, float("nan"), "x"], dtype=object),
    ],
)
def test_a_row_without_a_patient_is_refused(groups: np.ndarray) -> None:
    with pytest.raises(SplitError, match=r"patient column is empty in 1 rows, the first of them data row 2"):
        split_held_out(3, groups=groups)


def test_lengths_must_agree() -> None:
    with pytest.raises(ValueError, match="entries for"):
        split_held_out(3, groups=np.arange(4))
    with pytest.raises(ValueError, match="one length"):
        folds(groups=np.arange(9), strata=np.arange(8), n_folds=2)


# sides of a development set


def test_three_sides() -> None:
    groups, y = cohort(8000, 4000)
    sides = split_development(len(y), groups=groups, strata=y, at_least=200, seed=2)
    check_disjoint(groups, sides.named())
    assert sum(map(len, sides.named().values())) == len(y)
    for rows, share in ((sides.train, 0.8), (sides.tuning, 0.1), (sides.calibration, 0.1)):
        assert len(rows) / len(y) == pytest.approx(share, abs=0.01)
        assert y[rows].mean() == pytest.approx(y.mean(), abs=0.01)


def test_small_sides_are_left_empty_and_learned_from() -> None:
    sides = split_development(1000, strata=np.arange(1000) % 2)
    assert len(sides.tuning) == len(sides.calibration) == 0
    assert sides.train.tolist() == list(range(1000))
    rare = np.zeros(6000, dtype=int)
    rare[: 10 * MIN_OF_CLASS - 10] = 1  # enough patients, too few events
    assert len(split_development(6000, strata=rare).calibration) == 0
    assert len(split_development(6000, strata=np.arange(6000) % 2).calibration) == 600


def test_large_sides_stop_growing_and_tuning_is_optional() -> None:
    sides = split_development(90_000, strata=np.arange(90_000) % 2)
    assert len(sides.tuning) == len(sides.calibration) == 4000
    alone = split_development(90_000, strata=np.arange(90_000) % 2, tuning=False)
    assert len(alone.tuning) == 0
    assert len(alone.train) == 86_000


# folds


@pytest.mark.parametrize("n_folds", [2, 5, 10])
def test_folds_are_grouped_and_even(n_folds: int) -> None:
    groups, y = cohort()
    fold = folds(groups=groups, strata=y, n_folds=n_folds, seed=4)
    assert sorted(set(fold)) == list(range(n_folds))
    for patient in range(0, 1100, 13):
        assert len(set(fold[groups == patient])) <= 1
    events = np.bincount(fold, weights=y)
    rows = np.bincount(fold)
    assert rows.max() - rows.min() <= 0.07 * rows.mean()  # one patient alone has 30 visits
    assert events.max() - events.min() <= 0.05 * events.mean() + 2


def test_folds_are_as_even_as_scikit_learns() -> None:
    """On the same lumpy cohort the spread of the classes is no worse than StratifiedGroupKFold's."""
    from sklearn.model_selection import StratifiedGroupKFold

    groups, y = cohort(900, 250)
    ours = folds(groups=groups, strata=y, n_folds=5, seed=0)
    theirs = np.empty(len(y), dtype=int)
    for k, (_, test) in enumerate(StratifiedGroupKFold(5, shuffle=True, random_state=0).split(y, y, groups)):
        theirs[test] = k

    def spread(fold: np.ndarray) -> float:
        counts = np.array([[np.sum((fold == k) & (y == label)) for label in (0, 1)] for k in range(5)])
        return float((counts / counts.sum(axis=0)).std(axis=0).sum())

    assert spread(ours) <= spread(theirs) + 0.002


def test_a_hundred_thousand_visits_are_split_in_a_moment() -> None:
    import time

    groups, y = cohort(100_000, 70_000)
    started = time.perf_counter()
    folds(groups=groups, strata=y, n_folds=5)
    assert time.perf_counter() - started < 5


def test_a_class_with_fewer_patients_than_folds_is_refused_with_the_numbers() -> None:
    y = np.array(["benign"] * 40 + ["malignant"] * 6)
    groups = np.arange(46)
    groups[40:44] = 40  # six rows, three patients
    with pytest.raises(
        SplitError, match=r"class malignant has 3 patients, 5 folds need at least 5; use at most 3 folds"
    ):
        folds(groups=groups, strata=y, n_folds=5)
    with pytest.raises(SplitError, match="3 patients cannot fill 5 folds"):
        folds(groups=np.array([0, 1, 2]), n_folds=5)


def test_exactly_enough_patients_of_a_class_fill_every_fold() -> None:
    for seed in range(20):
        y = np.zeros(63, dtype=int)
        y[:5] = 1
        fold = folds(strata=y, n_folds=5, seed=seed)
        assert sorted(fold[:5]) == [0, 1, 2, 3, 4]


def test_folds_of_rows_without_groups_or_strata() -> None:
    fold = folds(n=11, n_folds=4, seed=0)
    assert sorted(np.bincount(fold)) == [2, 3, 3, 3]


def test_strata_of_outcomes() -> None:
    binary = Target("death", "binary", ("no", "yes"))
    assert strata_of(binary, np.array([0, 1, 1])).tolist() == ["no", "yes", "yes"]
    skewed = np.concatenate([np.zeros(50), np.arange(50.0)])
    bins = strata_of(Target("days", "continuous"), skewed)
    assert 2 <= len(np.unique(bins)) <= 5
    fold = folds(strata=strata_of(Target("x", "continuous"), np.arange(100.0) ** 2), n_folds=5)
    means = [np.mean(np.arange(100)[fold == k]) for k in range(5)]
    assert max(means) - min(means) < 6


# time


def test_late_patients_are_held_out_whole() -> None:
    #               first seen: a 1, b 2, c 5, d 9, e 9
    patients = np.array(["a", "b", "c", "a", "d", "e", "b", "c"])
    times = np.array([1.0, 2.0, 5.0, 9.5, 9.0, 9.0, 3.0, 5.5])
    early, late = time_split(times, groups=patients, fraction=0.4)
    assert sorted(set(patients[late])) == ["d", "e"]
    assert sorted(early) == [0, 1, 2, 6, 7]  # row 3 is a's visit after the cut: on neither side
    assert times[early].max() < times[late].min()


def test_time_split_of_dates_and_of_ties() -> None:
    dates = np.array(["2020-01-01", "2020-03-01", "2021-05-01", "2021-05-01", "2019-01-01"], dtype="M8[us]")
    early, late = time_split(dates, fraction=0.2)
    assert late.tolist() == [2, 3]  # the tie stays together, though one patient would have been enough
    assert early.tolist() == [0, 1, 4]
    with pytest.raises(SplitError, match="same time"):
        time_split(np.zeros(10))
    _, late = time_split(np.array([0.0] * 9 + [1.0]), fraction=0.5)
    assert late.tolist() == [9]


@pytest.mark.parametrize("times", [np.array([1.0, np.nan]), np.array(["2020-01-01", "NaT"], dtype="M8[D]")])
def test_a_missing_time_is_refused(times: np.ndarray) -> None:
    with pytest.raises(SplitError, match="1 of 2 rows have no time"):
        time_split(times)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 20)), min_size=2, max_size=60), st.floats(0.05, 0.9)
)
def test_time_split_never_looks_ahead(rows: list[tuple[int, int]], fraction: float) -> None:
    groups = np.array([row[0] for row in rows])
    times = np.array([float(row[1]) for row in rows])
    firsts = {patient: times[groups == patient].min() for patient in set(groups)}
    assume(len(set(firsts.values())) > 1)
    early, late = time_split(times, groups=groups, fraction=fraction)
    assert len(early)
    assert len(late)
    assert not set(groups[early]) & set(groups[late])
    assert times[early].max() < times[late].min()


# sites


def test_every_site_is_held_out_once() -> None:
    sites = np.array(["va", "cleveland", "va", "hungary", "cleveland"])
    found = site_folds(sites)
    assert [fold.site for fold in found] == ["cleveland", "hungary", "va"]
    assert [fold.test.tolist() for fold in found] == [[1, 4], [3], [0, 2]]
    assert found[0].train.tolist() == [0, 2, 3]


def test_a_patient_of_two_sites_teaches_neither_about_the_other() -> None:
    sites = np.array(["a", "a", "b", "b", "c"])
    patients = np.array([1, 2, 2, 3, 4])
    by_name = {fold.site: fold for fold in site_folds(sites, patients)}
    assert by_name["a"].train.tolist() == [3, 4]  # row 2 is patient 2, who is tested at a
    assert by_name["b"].train.tolist() == [0, 4]
    assert by_name["c"].train.tolist() == [0, 1, 2, 3]


def test_sites_that_cannot_be_held_out() -> None:
    with pytest.raises(SplitError, match="at least two sites, the data have 1"):
        site_folds(np.array(["a", "a"]))
    with pytest.raises(SplitError, match="site column is empty"):
        site_folds(np.array(["a", None], dtype=object))
    with pytest.raises(SplitError, match="nobody is left"):
        site_folds(np.array(["a", "b"]), np.array([1, 1]))


def test_heart_disease_sites(shared_data: Path) -> None:
    from iatros.risk.dataset_tables import load_heart_disease

    table = load_heart_disease(shared_data / "uci_heart_disease")
    found = site_folds(table["site"].to_numpy())
    assert {fold.site: len(fold.test) for fold in found} == {
        "cleveland": 303, "hungarian": 294, "switzerland": 123, "va": 200,
    }  # fmt: skip
    assert all(len(fold.train) + len(fold.test) == 920 for fold in found)


# bootstrap


def test_bootstrap_draws_patients_with_all_their_rows() -> None:
    groups = np.array(["b", "a", "b", "c", "b", "a"])
    rows, out = bootstrap_rows(groups, seed=11)
    drawn, counts = np.unique(groups[rows], return_counts=True)
    for name, count in zip(drawn, counts, strict=True):
        assert count % np.sum(groups == name) == 0
    assert sum(counts // [np.sum(groups == name) for name in drawn]) == 3
    assert set(groups[out]) == {"a", "b", "c"} - set(drawn)
    assert np.array_equal(rows, bootstrap_rows(groups, seed=11)[0])


def test_bootstrap_leaves_out_a_third() -> None:
    """The expected share of patients never drawn is (1 - 1/n)^n, near 1/e."""
    shares = [len(bootstrap_rows(None, seed, n=500)[1]) / 500 for seed in range(200)]
    assert np.mean(shares) == pytest.approx((1 - 1 / 500) ** 500, abs=0.003)
    rows, _ = bootstrap_rows(None, 0, n=500)
    assert len(rows) == 500


# check


def test_overlaps_are_named_without_the_patients() -> None:
    groups = np.array(["anna", "ben", "anna", "cara"])
    with pytest.raises(SplitError, match="1 patients stand on both train and held_out") as caught:
        check_disjoint(groups, {"train": np.array([0, 1]), "held_out": np.array([2, 3])})
    assert "anna" not in str(caught.value)
    with pytest.raises(SplitError, match="1 rows stand on both"):
        check_disjoint(None, {"train": np.array([0, 1]), "held_out": np.array([1, 2])})
    check_disjoint(
        groups, {"train": np.array([0, 2]), "tuning": np.array([], dtype=int), "held_out": np.array([3])}
    )
