"""Train on affinities: from a table of pairs to a bundle with its evidence."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from iatros.core.arrays import plain
from iatros.core.bundle import BundleDraft
from iatros.core.context import Context, Produced
from iatros.core.errors import OutcomeError
from iatros.core.report import render
from iatros.core.runs import versions
from iatros.core.splits import task_seed
from iatros.molecules.affinity.accounting import account_of, censoring_note, documents, fingerprint
from iatros.molecules.affinity.domain import PairDomain
from iatros.molecules.affinity.estimator import AffinityPredictor
from iatros.molecules.affinity.evaluation import Judged, censored, difference, evaluate, point_metrics
from iatros.molecules.affinity.model_card import model_card
from iatros.molecules.affinity.report import build
from iatros.molecules.affinity.schema import Pairs
from iatros.molecules.affinity.settings import BASELINE, AffinitySettings, make_estimator
from iatros.molecules.affinity.similarity import KNOWN, Nearness, known_file, nearness_to_others
from iatros.molecules.affinity.sources import Columns, ReadPairs, read_pairs
from iatros.molecules.affinity.splits import cut, target_groups
from iatros.molecules.affinity.validation import judge
from iatros.version import __version__

_LIBRARIES = ("numpy", "scipy", "rdkit", "numba", "lightgbm", "torch", "onnxruntime")
_IN_MANIFEST = (
    "domain", "question", "model", "task", "target", "validation", "seed", "metrics", "n_drugs", "n_targets",
    "share_censored", "half_width", "coverage", "applicability", "data", "request", "versions", "parent", "notes",
    "standardisation",
)  # fmt: skip


def train_affinity(
    table: Any,
    columns: Columns,
    settings: AffinitySettings,
    context: Context,
    *,
    request: dict[str, Any] | None = None,
) -> Produced:
    """Judge the models on pairs that they had not learned from, beside KronRLS on the same folds, and fit the best.

    `table` and `columns` are as in `read_pairs`; `request` is what the manifest names as the request. The result has
    the metrics over all pairs and, where some are censored, over the others; the bundle holds the model, fitted on all
    pairs. Of several models the one with the highest concordance over all judged pairs is kept.
    """
    estimators = {name: make_estimator(name, params) for name, params in settings.candidates.items()}
    with context.progress.step("reading the pairs"):
        read = read_pairs(table, columns, engine=context.engine)
    pairs = read.pairs
    _check(pairs)
    for note in read.account.notes:
        context.progress.note(note)
    with context.progress.step("similarity of the targets"):
        groups = target_groups(pairs, settings.same_group)
    compared = dict.fromkeys((*estimators, BASELINE))
    judged = {name: judge(pairs, groups, name, settings, context) for name in compared}
    kept = _best(pairs, {name: judged[name] for name in estimators})
    with context.progress.step("metrics and intervals"):
        result = _result(read, groups, judged, kept, settings, request or {})
    result["standardisation"] = {"tautomer": columns.tautomer}
    with context.progress.step(f"{kept}: all pairs"):
        predictor, notes = estimators[kept].fit(
            pairs, newness=settings.validation, groups=groups, seed=task_seed(settings.seed, kept)
        )
    result["fit"] = notes
    return _produced(plain(result), predictor, pairs)


def _check(pairs: Pairs) -> None:
    """OutcomeError where there is nothing to tell drugs, targets or affinities apart by."""
    if len(set(pairs.smiles)) < 2:
        raise OutcomeError(
            "all pairs are of one compound, so nothing can be learned about compounds",
            hint="give pairs of several compounds",
        )
    if len(set(pairs.sequences)) < 2:
        raise OutcomeError(
            "all pairs are of one protein, so nothing can be learned about proteins",
            hint="leave out protein to train a model of activity",
        )
    if np.ptp(pairs.y) == 0.0:
        raise OutcomeError(f"all pairs have the same affinity, {pairs.y[0]:g}")


def _best(pairs: Pairs, judged: Mapping[str, Judged]) -> str:
    """The model with the highest concordance; of equals the first that was named."""
    scores = {
        name: point_metrics(pairs.y[one.rows], one.prediction)["concordance_index"]
        for name, one in judged.items()
    }
    return max(scores, key=lambda name: scores[name])


def _result(
    read: ReadPairs,
    groups: np.ndarray,
    judged: dict[str, Judged],
    kept: str,
    settings: AffinitySettings,
    request: dict[str, Any],
) -> dict[str, Any]:
    pairs, own = read.pairs, judged[kept]
    models = _beside_each_other(pairs, judged, kept, settings)
    share = float(censored(pairs).mean())
    held = (
        f"the bundle holds the structures of all {len(pairs.drugs):,} drugs and the sequences of all "
        f"{len(pairs.targets):,} targets that were learned from: who has the bundle has them"
    )
    return {
        "domain": "molecules",
        "question": "affinity",
        "model": kept,
        "task": "continuous",
        "target": {
            "name": settings.outcome,
            "task": "continuous",
            "classes": [],
            "unit": settings.unit or None,
        },
        "validation": settings.validation,
        "headline_split": "all",
        "n_candidates": len(settings.candidates),
        "n_folds": settings.n_folds,
        "same_group": settings.same_group,
        "n_groups": int(groups.max()) + 1,
        "largest_group": int(np.bincount(groups).max()),
        "seed": settings.seed,
        "metrics": next(one["metrics"] for one in models if one["name"] == kept),
        "models": models,
        **account_of(read.account, pairs),
        "share_censored": share,
        "half_width": _half_width(pairs, own, settings.coverage),
        "coverage": settings.coverage,
        "applicability": _domain(pairs, groups, own, settings).document(),
        "scatter": own.drawn(pairs, settings.seed),
        "data": {
            "source": read.source,
            "fingerprint": fingerprint(pairs),
            "n": len(pairs),
            "n_read": read.account.n_lines,
            "n_used": len(pairs),
            "n_refused": len(read.account.refused),
        },
        "request": request
        | {"confidence_level": settings.confidence_level, "validation": settings.validation},
        "versions": versions(_LIBRARIES),
        "parent": None,
        "notes": [*read.account.notes, *censoring_note(share), held],
    }


def _beside_each_other(
    pairs: Pairs, judged: dict[str, Judged], kept: str, settings: AffinitySettings
) -> list[dict[str, Any]]:
    """Every model with its metrics and what it differs by from the baseline on the same pairs, the kept one first."""
    n, level, seed = settings.n_bootstrap, settings.confidence_level, settings.seed
    models = []
    for name in sorted(judged, key=lambda name: name != kept):
        one = judged[name]
        found = evaluate(pairs, one, n_bootstrap=n, confidence_level=level, seed=seed)
        entry: dict[str, Any] = {"name": name, "selected": name == kept, "metrics": documents(found)}
        if name != BASELINE and n:
            entry["difference_to_baseline"] = difference(
                pairs, one, judged[BASELINE], n_bootstrap=n, confidence_level=level, seed=seed
            )
        models.append(entry)
    return models


def _domain(pairs: Pairs, groups: np.ndarray, judged: Judged, settings: AffinitySettings) -> PairDomain:
    sides = cut(pairs, settings.validation, groups, settings.n_folds, settings.seed)
    near = nearness_to_others(pairs, sides)
    errors = np.abs(pairs.y[judged.rows] - judged.prediction)
    return PairDomain.fit(Nearness(near.drug[judged.rows], near.target[judged.rows]), errors)


def _half_width(pairs: Pairs, judged: Judged, coverage: float) -> float:
    """What lies between a prediction and the ends of its interval: a quantile of the errors on unseen pairs.

    Split conformal prediction (Lei and others 2018), the pairs taken as exchangeable.
    """
    errors = np.sort(np.abs(pairs.y[judged.rows] - judged.prediction))
    place = int(np.ceil((len(errors) + 1) * coverage)) - 1
    return float(errors[min(place, len(errors) - 1)])


def _produced(result: dict[str, Any], predictor: AffinityPredictor, pairs: Pairs) -> Produced:
    document, files = predictor.save()
    evidence = {key: value for key, value in result.items() if key not in _IN_MANIFEST}
    files = {
        KNOWN: known_file(pairs),
        **files,
        "evidence.json": json.dumps(evidence, sort_keys=True).encode(),
    }
    manifest = {"iatros": __version__} | {key: result[key] for key in _IN_MANIFEST} | {"predictor": document}
    documents_for_people = {
        "report.html": render(build(result)).encode(),
        "model_card.md": model_card(result).encode(),
    }
    return Produced(result, bundle=BundleDraft(manifest, files, documents_for_people))
