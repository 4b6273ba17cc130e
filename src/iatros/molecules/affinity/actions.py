"""Train, evaluate and predict affinities: from a table of pairs to a bundle with its evidence, and back to answers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from iatros.core.arrays import plain
from iatros.core.bundle import Bundle, BundleDraft, open_bundle
from iatros.core.context import Context, Produced
from iatros.core.errors import NotABundleError
from iatros.core.report import render
from iatros.core.runs import versions
from iatros.core.splits import task_seed
from iatros.molecules.affinity.estimator import AffinityPredictor, load_predictor
from iatros.molecules.affinity.evaluation import Judged, censored, difference, evaluate
from iatros.molecules.affinity.report import build
from iatros.molecules.affinity.schema import Pairs
from iatros.molecules.affinity.settings import BASELINE, AffinitySettings, make_estimator
from iatros.molecules.affinity.similarity import nearness
from iatros.molecules.affinity.sources import Account, Columns, ReadPairs, read_pairs
from iatros.molecules.affinity.splits import target_groups
from iatros.molecules.affinity.validation import judge
from iatros.version import __version__

COVERAGE = 0.9
"""Share of new pairs whose affinity should lie within the interval of their prediction."""
MAX_LISTED = 100
_LIBRARIES = ("numpy", "scipy", "rdkit", "numba", "lightgbm", "torch", "onnxruntime")
_IN_MANIFEST = (
    "domain", "question", "model", "task", "target", "validation", "seed", "metrics", "n_drugs", "n_targets",
    "share_censored", "half_width", "coverage", "data", "request", "versions", "parent", "notes",
)  # fmt: skip


def train_affinity(
    table: Any,
    columns: Columns,
    settings: AffinitySettings,
    context: Context,
    *,
    request: dict[str, Any] | None = None,
) -> Produced:
    """Judge the model on pairs that it had not learned from, beside KronRLS on the same folds, then fit it on all.

    `table` and `columns` are as in `read_pairs`; `request` is what the manifest names as the request. The result has
    the metrics over all pairs and, where some are censored, over the others; the bundle holds the model.
    """
    estimator = make_estimator(settings.model, settings.params)
    with context.progress.step("reading the pairs"):
        read = read_pairs(table, columns, engine=context.engine)
    pairs = read.pairs
    with context.progress.step("similarity of the targets"):
        groups = target_groups(pairs, settings.same_group)
    judged = {name: judge(pairs, groups, name, settings, context) for name in _compared(settings)}
    with context.progress.step("metrics and intervals"):
        result = _result(read, groups, judged, settings, request or {})
    with context.progress.step(f"{settings.model}: all pairs"):
        predictor, notes = estimator.fit(
            pairs,
            newness=settings.validation,
            groups=groups,
            seed=task_seed(settings.seed, settings.model),
        )
    result["fit"] = notes
    return _produced(plain(result), predictor)


def evaluate_affinity(
    model: Any, table: Any, columns: Columns, context: Context, *, n_bootstrap: int = 500, seed: int = 0
) -> Produced:
    """The metrics of a bundle on other measured pairs; how many of their drugs and targets it knows is said."""
    bundle, predictor = _open(model)
    read = read_pairs(table, columns, engine=context.engine)
    pairs = read.pairs
    with context.progress.step("predictions"):
        judged = Judged(np.arange(len(pairs)), predictor.predict(pairs), np.zeros(len(pairs), dtype=np.int64))
    level = float(bundle.manifest["request"].get("confidence_level", 0.95))
    metrics = evaluate(pairs, judged, n_bootstrap=n_bootstrap, confidence_level=level, seed=seed)
    found = nearness(pairs, bundle.manifest["predictor"]["known"])
    result = {
        **_naming(bundle),
        **_account(read.account, pairs),
        "share_censored": float(censored(pairs).mean()),
        "metrics": _documents(metrics),
        "n_known_drugs": int((found.drug >= 1.0).sum()),
        "n_known_targets": int((found.target >= 1.0).sum()),
    }
    return Produced(plain(result))


def predict_affinity(model: Any, table: Any, columns: Columns, context: Context) -> Produced:
    """One answer for each pair: the affinity, its interval, and how near the drug and the target are to known ones.

    The interval holds `coverage` of pairs that are new in the way in which the bundle was validated.
    """
    bundle, predictor = _open(model)
    read = read_pairs(table, columns, engine=context.engine)
    pairs = read.pairs
    with context.progress.step("predictions"):
        prediction = predictor.predict(pairs)
        found = nearness(pairs, bundle.manifest["predictor"]["known"])
    half = float(bundle.manifest["half_width"])
    answers: dict[str, list[Any]] = {
        "line": read.lines.tolist(),
        "drug": [pairs.drugs[k] for k in pairs.drug],
        "target": [pairs.targets[k] for k in pairs.target],
        "affinity": prediction.tolist(),
        "low": (prediction - half).tolist(),
        "high": (prediction + half).tolist(),
        "nearest_drug": found.drug[pairs.drug].tolist(),
        "nearest_target": found.target[pairs.target].tolist(),
    }
    result = {
        **_naming(bundle),
        **_account(read.account, pairs),
        "coverage": bundle.manifest["coverage"],
        "predictions": [
            dict(zip(answers, values, strict=True)) for values in zip(*answers.values(), strict=True)
        ],
    }
    return Produced(plain(result), table=answers)


def _compared(settings: AffinitySettings) -> Sequence[str]:
    return tuple(dict.fromkeys((settings.model, BASELINE)))


def _result(
    read: ReadPairs,
    groups: np.ndarray,
    judged: dict[str, Judged],
    settings: AffinitySettings,
    request: dict[str, Any],
) -> dict[str, Any]:
    pairs, own = read.pairs, judged[settings.model]
    how = {
        "n_bootstrap": settings.n_bootstrap,
        "confidence_level": settings.confidence_level,
        "seed": settings.seed,
    }
    models = []
    for name, one in judged.items():
        entry: dict[str, Any] = {
            "name": name,
            "metrics": _documents(evaluate(pairs, one, **how)),  # type: ignore[arg-type]
        }
        if name != BASELINE and settings.n_bootstrap:
            entry["difference_to_baseline"] = difference(pairs, own, judged[BASELINE], **how)  # type: ignore[arg-type]
        models.append(entry)
    share = float(censored(pairs).mean())
    return {
        "domain": "molecules",
        "question": "affinity",
        "model": settings.model,
        "task": "continuous",
        "target": {"name": settings.outcome, "task": "continuous", "classes": [], "unit": settings.unit},
        "validation": settings.validation,
        "n_folds": settings.n_folds,
        "same_group": settings.same_group,
        "n_groups": int(groups.max()) + 1,
        "largest_group": int(np.bincount(groups).max()),
        "seed": settings.seed,
        "metrics": models[0]["metrics"],
        "models": models,
        **_account(read.account, pairs),
        "share_censored": share,
        "half_width": _half_width(pairs, own),
        "coverage": COVERAGE,
        "scatter": _scatter(pairs, own, settings.seed),
        "data": {"fingerprint": _fingerprint(pairs), "n": len(pairs)},
        "request": request
        | {"confidence_level": settings.confidence_level, "validation": settings.validation},
        "versions": versions(_LIBRARIES),
        "parent": None,
        "notes": [*read.account.notes, *_censoring_note(share)],
    }


def _half_width(pairs: Pairs, judged: Judged) -> float:
    """What lies between a prediction and the ends of its interval: a quantile of the errors on unseen pairs.

    Split conformal prediction (Lei and others 2018), the pairs taken as exchangeable.
    """
    errors = np.sort(np.abs(pairs.y[judged.rows] - judged.prediction))
    place = int(np.ceil((len(errors) + 1) * COVERAGE)) - 1
    return float(errors[min(place, len(errors) - 1)])


def _scatter(pairs: Pairs, judged: Judged, seed: int, most: int = 1000) -> dict[str, list[float]]:
    """Predicted and measured affinities of pairs drawn at random, for the report."""
    rng = np.random.default_rng(seed)
    chosen = np.sort(rng.permutation(len(judged.rows))[:most])
    return {
        "predicted": judged.prediction[chosen].round(4).tolist(),
        "measured": pairs.y[judged.rows[chosen]].round(4).tolist(),
    }


def _censoring_note(share: float) -> list[str]:
    if share == 0.0:
        return []
    return [
        f"{100 * share:.1f} % of the pairs are censored: the assay says only that they bind no stronger (or no weaker) "
        "than their value. The metrics over all pairs reward saying so; those without these pairs are given beside them"
    ]


def _account(account: Account, pairs: Pairs) -> dict[str, Any]:
    return {
        "n": len(pairs),
        "n_drugs": len(pairs.drugs),
        "n_targets": len(pairs.targets),
        "n_sequences": len(set(pairs.sequences)),
        "n_lines": account.n_lines,
        "n_blank": account.n_blank,
        "n_unmeasured": account.n_unmeasured,
        "n_merged": account.n_merged,
        "n_conflicts": account.n_conflicts,
        "n_refused": len(account.refused),
        "reasons": account.reasons,
        "refused": [{"line": line, "reason": reason} for line, reason in account.refused[:MAX_LISTED]],
    }


def _documents(metrics: dict[str, Any]) -> dict[str, Any]:
    return {which: {name: one.document() for name, one in found.items()} for which, found in metrics.items()}


def _fingerprint(pairs: Pairs) -> str:
    """SHA-256 over the pairs, whatever the order of the lines that they were read from."""
    lines = sorted(
        f"{pairs.smiles[d]}\t{pairs.targets[t]}\t{pairs.sequences[t]}\t{y!r}\t{b}"
        for d, t, y, b in zip(
            pairs.drug.tolist(), pairs.target.tolist(), pairs.y.tolist(), pairs.bound.tolist(), strict=True
        )
    )
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _produced(result: dict[str, Any], predictor: AffinityPredictor) -> Produced:
    document, files = predictor.save()
    evidence = {key: value for key, value in result.items() if key not in _IN_MANIFEST}
    files = {**files, "evidence.json": json.dumps(evidence, sort_keys=True).encode()}
    manifest = {"iatros": __version__} | {key: result[key] for key in _IN_MANIFEST} | {"predictor": document}
    return Produced(
        result, bundle=BundleDraft(manifest, files, {"report.html": render(build(result)).encode()})
    )


def _open(model: Any) -> tuple[Bundle, AffinityPredictor]:
    bundle = open_bundle(model)
    if bundle.manifest.get("question") != "affinity":
        raise NotABundleError(
            "the bundle does not answer for pairs of compounds and proteins",
            where=bundle.name,
            hint="name one that was trained with a protein column",
        )
    return bundle, load_predictor(bundle.manifest["predictor"], bundle.read)


def _naming(bundle: Bundle) -> dict[str, Any]:
    manifest = bundle.manifest
    return {
        "domain": manifest["domain"],
        "question": "affinity",
        "model": manifest["model"],
        "bundle_sha256": bundle.manifest_sha256,
        "target": manifest["target"],
        "validation": manifest["validation"],
    }
