"""Rules beside each other: their values by three estimators, what each gains, and how they differ, paired."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from iatros.treatment.effects.overlap import LOW
from iatros.treatment.policies.learning import Preference
from iatros.treatment.policies.values import (
    METHODS,
    Method,
    Observed,
    Ratio,
    bootstrapped,
    difference,
    interval,
    value_of,
)

Origin = Literal["fixed", "learned", "given"]


@dataclass(frozen=True)
class Rule:
    """A rule with the arm that it gives to each row (n,). `told` says what it is."""

    name: str
    origin: Origin
    given: np.ndarray
    told: str


@dataclass(frozen=True)
class Terms:
    """What every comparison is told with."""

    preference: Preference
    confidence_level: float
    bootstraps: int
    seed: int


def compare(
    observed: Observed, rules: Sequence[Rule], against: Sequence[str], terms: Terms
) -> list[dict[str, Any]]:
    """One document for each rule; `against` are the names of rules that every other one is set against.

    `gain` is how much better the outcomes are under the rule than if all were given the reference, less the price of
    what is given (`least_benefit` for every arm but the reference): more is better, whichever outcome is.
    """
    values = {
        rule.name: {method: value_of(observed, rule.given, method) for method in METHODS} for rule in rules
    }
    scored = replace(observed, gamma=terms.preference.utility(observed.gamma))
    useful = {rule.name: value_of(scored, rule.given) for rule in rules}
    of_reference = value_of(scored, np.zeros(len(observed), dtype=np.int64))
    found = []
    for rule in rules:
        own = values[rule.name]
        found.append(
            {
                "name": rule.name,
                "origin": rule.origin,
                "told": rule.told,
                **_counts(observed, rule.given, own["doubly-robust"].effective_n),
                "value": {
                    name: interval(value, terms.confidence_level).document() for name, value in own.items()
                },
                "bootstrap": _drawn(own["doubly-robust"], None, terms),
                "gain": difference(useful[rule.name], of_reference, terms.confidence_level).document(),
                "against": {
                    other: _against(own, values[other], useful[rule.name], useful[other], terms)
                    for other in against
                    if other != rule.name
                },
            }
        )
    return found


def _counts(observed: Observed, given: np.ndarray, effective: float) -> dict[str, Any]:
    n = len(given)
    probability = observed.propensity[np.arange(n), given]
    shares = np.bincount(given, minlength=len(observed.arms)) / n
    return {
        "n": n,
        "shares": dict(zip(observed.arms, shares.tolist(), strict=True)),
        "n_followed": int((observed.arm == given).sum()),
        "effective_n": effective,
        "n_unsupported": int((probability < LOW).sum()),
        "least_probability": float(probability.min()),
    }


def _against(
    own: Mapping[Method, Ratio],
    other: Mapping[Method, Ratio],
    useful: Ratio,
    other_useful: Ratio,
    terms: Terms,
) -> dict[str, Any]:
    level = terms.confidence_level
    return {
        "value": {name: difference(own[name], other[name], level).document() for name in METHODS},
        "bootstrap": _drawn(own["doubly-robust"], other["doubly-robust"], terms),
        "gain": difference(useful, other_useful, level).document(),
    }


def _drawn(one: Ratio, other: Ratio | None, terms: Terms) -> dict[str, Any]:
    return bootstrapped(
        one, other, n_bootstrap=terms.bootstraps, seed=terms.seed, confidence_level=terms.confidence_level
    ).document()
