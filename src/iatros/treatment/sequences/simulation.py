"""Simulated visits whose next medications follow known rules: for demonstrations, and for tests of what is learned.

Nothing here comes from patients. Each condition has three medications, its lines. A visit tells by its codes whether a
condition is controlled (its line is kept), is not (the next line is tried), or whether the line was not tolerated (the
next one is tried, and that one never again). So the next set hangs on the last line and the codes of the visit
together, and on which line was being taken when it was not tolerated: no sum over codes can follow it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

N_CONDITIONS = 5
N_LINES = 3
N_SYMPTOMS = 4
_DEVIATES = 0.05
"""Share of decisions that follow no rule."""


@dataclass(frozen=True)
class Simulated:
    """`rows` is a long table of codes, `subjects` a table of ages, `interactions` one of pairs.

    `ideal` is, for each subject and visit, what the rules ask for: nothing that is learned from the rows can be better
    on average than choosing it.
    """

    rows: list[dict[str, Any]]
    subjects: list[dict[str, Any]]
    interactions: list[dict[str, str]]
    ideal: dict[tuple[str, int], frozenset[str]]


def simulate_visits(n_subjects: int = 500, *, seed: int = 0, longest: int = 8) -> Simulated:
    """Visits of `n_subjects` simulated subjects, three to `longest` each."""
    rng = np.random.default_rng(seed)
    rows: list[dict[str, Any]] = []
    subjects: list[dict[str, Any]] = []
    ideal: dict[tuple[str, int], frozenset[str]] = {}
    for number in range(n_subjects):
        name, age = f"s{number:05d}", int(rng.integers(30, 90))
        subjects.append({"subject_id": name, "age_years": age})
        _simulate_one(name, age, int(rng.integers(3, longest + 1)), rng, rows, ideal)
    interactions = [
        {"drug_a": line_name(0, 0), "drug_b": support_name(0)},
        {"drug_a": support_name(1), "drug_b": line_name(1, 1)},
        {"drug_a": support_name(2), "drug_b": support_name(3)},
    ]
    return Simulated(rows, subjects, interactions, ideal)


def line_name(condition: int, line: int) -> str:
    """The medication that is line `line` of a condition."""
    return f"medication-{condition}{'abc'[line]}"


def support_name(symptom: int) -> str:
    """The medication against a symptom."""
    return f"support-{symptom}"


@dataclass
class _Course:
    """Where the treatment of one condition stands."""

    condition: int
    line: int | None
    refused: set[int]

    def after(self, told: str) -> int | None:
        """The line that the rules ask for after what a visit tells; None where every line was refused."""
        if told == "adverse" and self.line is not None:
            self.refused.add(self.line)
        if told == "controlled" or self.line is None:
            return self.line
        later = [(self.line + step) % N_LINES for step in range(1, N_LINES + 1)]
        return next((line for line in later if line not in self.refused), None)


def _simulate_one(
    name: str,
    age: int,
    n_visits: int,
    rng: np.random.Generator,
    rows: list[dict[str, Any]],
    ideal: dict[tuple[str, int], frozenset[str]],
) -> None:
    chosen = rng.permutation(N_CONDITIONS)[: int(rng.integers(1, 3))]
    first = int(age >= 60)
    courses = [_Course(int(c), None, set()) for c in chosen]
    day = float(rng.integers(0, 2000))
    for visit in range(n_visits):
        asked: set[str] = set()
        given: set[str] = set()
        codes: list[tuple[str, str]] = []
        for course in courses:
            codes.append(("diagnosis", f"condition-{course.condition}"))
            if course.line is None and not visit:
                line: int | None = first
            else:
                told = str(rng.choice(["controlled", "failed", "adverse"], p=[0.5, 0.3, 0.2]))
                codes.append(("diagnosis", f"{told}-{course.condition}"))
                line = course.after(told)
            asked |= {line_name(course.condition, line)} if line is not None else set()
            if rng.random() < _DEVIATES:
                line = int(rng.integers(N_LINES))
            given |= {line_name(course.condition, line)} if line is not None else set()
            course.line = line
        for symptom in range(N_SYMPTOMS):
            there = rng.random() < 0.3
            codes += [("diagnosis", f"symptom-{symptom}")] if there else []
            asked |= {support_name(symptom)} if there else set()
            given |= {support_name(symptom)} if rng.random() < (0.8 if there else 0.03) else set()
        if rng.random() < 0.5:
            codes.append(("procedure", f"procedure-{int(rng.integers(12))}"))
        codes += [("medication", one) for one in sorted(given)]
        rows += [
            {"subject_id": name, "visit": visit, "day": day, "kind": kind, "code": code}
            for kind, code in codes
        ]
        ideal[name, visit] = frozenset(asked)
        day += float(rng.integers(20, 200))
