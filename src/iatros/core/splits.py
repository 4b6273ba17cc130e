"""Which patients a model learns from and is judged on: grouped, stratified, by time, by site.

`groups` is the patient of each row (integers or strings, shape (n,)), or None where each row is a patient
of its own. `strata` is what should be spread evenly: labels of shape (n,), such as the outcome's class.
Rows come back as sorted integer indices. No function here puts a patient on two sides.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from iatros.core.errors import SplitError
from iatros.core.task import Target

Rows = np.ndarray
"""Sorted row indices, int64."""

AT_LEAST = 500
"""Fewest patients that tuning or calibration may have as a side of its own; below, it is cross-fitted."""

AT_MOST = 4000
"""Most patients that either needs; the others are worth more to the model."""

MIN_OF_CLASS = 10
"""Fewest patients of each stratum on a tuning or calibration side of its own."""


@dataclass(frozen=True)
class Sides:
    """Rows of a development set. An empty tuning or calibration side means: cross-fit it on train."""

    train: Rows
    tuning: Rows
    calibration: Rows

    def named(self) -> dict[str, Rows]:
        """All three by name, the empty ones too."""
        return {"train": self.train, "tuning": self.tuning, "calibration": self.calibration}


class SiteFold(NamedTuple):
    """One hospital held out."""

    site: str
    train: Rows
    """Rows at other hospitals, but for those of patients who were also seen at this one."""
    test: Rows


def task_seed(seed: int, key: str) -> int:
    """A seed that depends on the run's seed and the task's name alone, not on the order of the tasks."""
    return int(np.random.SeedSequence([seed, zlib.crc32(key.encode())]).generate_state(1)[0] % 2**31)


def strata_of(target: Target, y: np.ndarray, *, n_bins: int = 5) -> np.ndarray:
    """What to stratify by: the class's name, or for a continuous outcome which fifth its value lies in."""
    if target.task == "continuous":
        cuts = np.unique(np.quantile(y, np.arange(1, n_bins) / n_bins))
        labels: np.ndarray = np.searchsorted(cuts, y, side="right")
        return labels
    return np.asarray(target.classes)[np.asarray(y, dtype=np.int64)]


def split_held_out(
    n: int,
    *,
    groups: np.ndarray | None = None,
    strata: np.ndarray | None = None,
    fraction: float = 0.2,
    seed: int = 0,
) -> tuple[Rows, Rows]:
    """Rows to develop on and rows held out, about `fraction` of the patients of each stratum held out."""
    sides = _split(n, groups, strata, [1.0 - fraction, fraction], seed)
    _check_sides(sides, ("development", "held-out"), strata)
    return sides[0], sides[1]


def split_development(
    n: int,
    *,
    groups: np.ndarray | None = None,
    strata: np.ndarray | None = None,
    tuning: bool = True,
    fraction: float = 0.1,
    at_least: int = AT_LEAST,
    at_most: int = AT_MOST,
    seed: int = 0,
) -> Sides:
    """Train, tuning and calibration sides of a development set of `n` rows.

    Tuning and calibration take `fraction` of the patients each, `at_most` that many. Where that would be
    fewer than `at_least` patients, or fewer than MIN_OF_CLASS of a stratum, both are left empty: their
    patients learn, and they are cross-fitted. Without `tuning`, nothing is chosen on a side of its own.
    """
    n_patients, rarest = _patients(n, groups, strata)
    share = min(fraction, at_most / max(n_patients, 1))
    every, none = np.arange(n), np.arange(0)
    if share * n_patients < at_least or share * rarest < MIN_OF_CLASS:
        return Sides(every, none, none)
    shares = [share, share] if tuning else [0.0, share]
    train, tuned, calibration = _split(n, groups, strata, [1.0 - sum(shares), *shares], seed)
    sides = Sides(train, tuned, calibration)
    check_disjoint(groups, sides.named())
    return sides


def folds(
    *,
    groups: np.ndarray | None = None,
    strata: np.ndarray | None = None,
    n_folds: int = 5,
    seed: int = 0,
    n: int | None = None,
) -> np.ndarray:
    """The fold of each row, 0 to `n_folds` - 1, shape (n,): grouped and stratified.

    A stratum with fewer patients than folds raises SplitError, because some fold would lack it.
    """
    n = _length(n, groups, strata)
    codes, n_groups = _codes(groups, n)
    if n_groups < n_folds:
        raise SplitError(
            f"{n_groups} patients cannot fill {n_folds} folds", hint=f"use at most {n_groups} folds"
        )
    _check_strata(codes, strata, n_folds, f"{n_folds} folds")
    parts = _deal(_counts(codes, n_groups, strata), np.full(n_folds, 1.0 / n_folds), seed)
    fold: np.ndarray = parts[codes]
    for k in range(n_folds):
        inside = fold == k
        if strata is not None and len(np.unique(strata[inside])) < len(np.unique(strata)):
            raise SplitError(f"fold {k + 1} of {n_folds} lacks a class", hint="use fewer folds")
    return fold


def time_split(
    times: np.ndarray, *, groups: np.ndarray | None = None, fraction: float = 0.2
) -> tuple[Rows, Rows]:
    """Rows of early patients, and rows of the `fraction` of patients first seen last.

    `times` are numbers or datetime64. A patient belongs to the side of the first visit; later visits of
    early patients are on neither side, because at the cut they had not happened. Patients first seen at
    the same time stay together.
    """
    times = np.asarray(times)
    missing = np.isnat(times) if times.dtype.kind in "mM" else np.isnan(times.astype(np.float64))
    if missing.any():
        raise SplitError(
            f"{int(missing.sum())} of {len(times)} rows have no time",
            hint="fill the time column or leave those rows out",
        )
    codes, n_groups = _codes(groups, len(times))
    order = np.argsort(times, kind="stable")
    patients, first_row = np.unique(codes[order], return_index=True)
    first = np.empty(n_groups, dtype=times.dtype)
    first[patients] = times[order][first_row]
    ranked = np.sort(first)
    place = min(max(int(np.ceil(n_groups * (1.0 - fraction) - 1e-9)), 1), n_groups - 1) if n_groups > 1 else 0
    cut = ranked[place]
    if cut == ranked[0]:
        later = ranked[ranked > cut]
        if not len(later):
            raise SplitError("all patients are first seen at the same time", hint="choose another validation")
        cut = later[0]
    late = first[codes] >= cut
    return np.flatnonzero(~late & (times < cut)), np.flatnonzero(late)


def site_folds(sites: np.ndarray, groups: np.ndarray | None = None) -> list[SiteFold]:
    """Each hospital held out in turn, in the order of their names; at least two are needed."""
    names, where = np.unique(_labels(sites, "the site column"), return_inverse=True)
    if len(names) < 2:
        raise SplitError(
            f"validation by site needs at least two sites, the data have {len(names)}",
            hint="choose another validation",
        )
    codes, n_groups = _codes(groups, len(where))
    result = []
    for k, name in enumerate(names):
        inside = where == k
        seen = np.zeros(n_groups, dtype=bool)
        seen[codes[inside]] = True
        train = ~inside & ~seen[codes]
        if not train.any():
            raise SplitError(
                "without the patients of one site nobody is left to learn from",
                where=f"site {name}",
                hint="check that the subject column does not name the same patient at every site",
            )
        result.append(SiteFold(str(name), np.flatnonzero(train), np.flatnonzero(inside)))
    return result


def bootstrap_rows(groups: np.ndarray | None, seed: int, *, n: int | None = None) -> tuple[np.ndarray, Rows]:
    """Rows of as many patients as there are, drawn with replacement, and the rows of those never drawn.

    The first array repeats rows of a patient drawn twice, patient after patient; it is not sorted.
    """
    n = _length(n, groups)
    codes, n_groups = _codes(groups, n)
    drawn = np.random.default_rng(seed).integers(n_groups, size=n_groups)
    order = np.argsort(codes, kind="stable")
    size = np.bincount(codes, minlength=n_groups)
    start = np.concatenate([[0], np.cumsum(size)[:-1]])
    lengths = size[drawn]
    within = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    rows = order[np.repeat(start[drawn], lengths) + within]
    out = np.ones(n_groups, dtype=bool)
    out[drawn] = False
    return rows, np.flatnonzero(out[codes])


def check_disjoint(groups: np.ndarray | None, sides: Mapping[str, Rows]) -> None:
    """Raise SplitError where a row or a patient stands on two sides."""
    named = list(sides.items())
    for i, (one, rows) in enumerate(named):
        for other, others in named[i + 1 :]:
            _check_pair(groups, one, rows, other, others)


def _check_pair(groups: np.ndarray | None, one: str, rows: Rows, other: str, others: Rows) -> None:
    shared = len(np.intersect1d(rows, others))
    if shared:
        raise SplitError(f"{shared} rows stand on both {one} and {other}")
    if groups is None:
        return
    shared = len(np.intersect1d(np.asarray(groups)[rows], np.asarray(groups)[others]))
    if shared:
        raise SplitError(
            f"{shared} patients stand on both {one} and {other}",
            hint="split by the patient column, or remove their rows from one side",
        )


def _length(n: int | None, *arrays: np.ndarray | None) -> int:
    lengths = {len(array) for array in arrays if array is not None} | ({n} if n is not None else set())
    if len(lengths) != 1:
        raise ValueError("give n, groups or strata, all of one length")
    return int(lengths.pop())


def _labels(values: Any, what: str) -> np.ndarray:
    """`values` as an array that can be sorted; a missing one is an error, because it belongs to nobody."""
    array = np.asarray(values)
    if array.dtype.kind == "O":
        missing = np.array([value is None or value != value for value in array], dtype=bool)
    else:
        missing = np.isnan(array) if array.dtype.kind == "f" else np.zeros(len(array), dtype=bool)
    if missing.any():
        row = int(np.flatnonzero(missing)[0])
        raise SplitError(
            f"{what} is empty in {int(missing.sum())} rows, the first of them data row {row + 1}",
            hint="fill it or leave those rows out",
        )
    return array.astype(str) if array.dtype.kind == "O" else array


def _codes(groups: np.ndarray | None, n: int) -> tuple[np.ndarray, int]:
    """The patient of each row as 0 to n_groups - 1, and n_groups."""
    if groups is None:
        return np.arange(n), n
    names, codes = np.unique(_labels(groups, "the patient column"), return_inverse=True)
    if len(codes) != n:
        raise ValueError(f"groups has {len(codes)} entries for {n} rows")
    return codes, len(names)


def _counts(codes: np.ndarray, n_groups: int, strata: np.ndarray | None) -> np.ndarray:
    """Rows of each patient in each stratum, shape (n_groups, n_strata)."""
    if strata is None:
        return np.bincount(codes, minlength=n_groups)[:, None]
    names, stratum = np.unique(_labels(strata, "the outcome"), return_inverse=True)
    flat = np.bincount(codes * len(names) + stratum, minlength=n_groups * len(names))
    return flat.reshape(n_groups, len(names))


def _check_strata(codes: np.ndarray, strata: np.ndarray | None, needed: int, what: str) -> None:
    if strata is None:
        return
    strata = _labels(strata, "the outcome")
    for name in np.unique(strata):
        have = len(np.unique(codes[strata == name]))
        if have < needed:
            raise SplitError(
                f"class {name} has {have} patients, {what} need at least {needed}",
                hint=f"use at most {have} folds, or join or leave out the class"
                if have > 1
                else "join or leave out the class",
            )


def _patients(n: int, groups: np.ndarray | None, strata: np.ndarray | None) -> tuple[int, int]:
    """The number of patients, and the number in the rarest stratum."""
    codes, n_groups = _codes(groups, n)
    if strata is None:
        return n_groups, n_groups
    return n_groups, int(np.count_nonzero(_counts(codes, n_groups, strata), axis=0).min(initial=n_groups))


def _split(
    n: int, groups: np.ndarray | None, strata: np.ndarray | None, shares: Sequence[float], seed: int
) -> list[Rows]:
    codes, n_groups = _codes(groups, n)
    if not n_groups:
        raise SplitError("there are no patients to split", hint="check the cohort rule")
    parts = _deal(_counts(codes, n_groups, strata), np.asarray(shares), seed)[codes]
    return [np.flatnonzero(parts == k) for k in range(len(shares))]


def _check_sides(sides: list[Rows], names: tuple[str, str], strata: np.ndarray | None) -> None:
    for rows, name in zip(sides, names, strict=True):
        if not len(rows):
            raise SplitError(f"the {name} side is empty", hint="use more patients or another fraction")
        if strata is not None:
            missing = np.setdiff1d(np.unique(strata), np.unique(np.asarray(strata)[rows]))
            if len(missing):
                raise SplitError(
                    f"no patient of class {missing[0]} is on the {name} side",
                    hint="use more patients, a larger side, or join or leave out the class",
                )


def _deal(counts: np.ndarray, shares: np.ndarray, seed: int) -> np.ndarray:
    """The part of each group, so that every column of `counts` is spread over the parts by `shares`.

    Groups that look alike are dealt in one go, floor(share x number) to each part; what remains goes one
    by one to the part where it lowers the chi-square distance from the shares most. The groups that
    weigh most (large, or of a rare class) come first. Linear in the number of groups, unlike a greedy
    pass over all of them.
    """
    rng = np.random.default_rng(seed)
    kinds, kind_of = np.unique(counts, axis=0, return_inverse=True)
    kind_of = kind_of.reshape(-1)
    total = counts.sum(axis=0).astype(np.float64)
    open_parts = np.flatnonzero(shares > 0)
    goal = np.outer(shares[open_parts], total)
    load = np.zeros_like(goal)
    part = np.empty(len(counts), dtype=np.int64)
    for kind in np.argsort(-(kinds**2 / total).sum(axis=1), kind="stable"):
        members = rng.permutation(np.flatnonzero(kind_of == kind))
        whole = np.floor(shares[open_parts] * len(members) + 1e-9).astype(np.int64)
        chosen = np.repeat(np.arange(len(open_parts)), whole)
        load += np.outer(whole, kinds[kind])
        rest = []
        for _ in range(len(members) - len(chosen)):
            cost = ((kinds[kind] ** 2 - 2 * kinds[kind] * (goal - load)) / goal).sum(axis=1)
            best = int(rng.choice(np.flatnonzero(cost <= cost.min() + 1e-12)))
            load[best] += kinds[kind]
            rest.append(best)
        part[members] = open_parts[np.concatenate([chosen, np.asarray(rest, dtype=np.int64)])]
    return part
