"""The explanation that comes with every training: SHAP over a cohort, permutation importance, partial dependence."""

from __future__ import annotations

from typing import Any

import numpy as np

from iatros.learners.attribution import explain_rows
from iatros.learners.importance import partial_dependence, permutation_importance
from iatros.risk.explain import mean_absolute, unit
from iatros.risk.study import Study
from iatros.risk.validation import Judged, Validated

_SHAP_ROWS = 100
_IMPORTANCE_ROWS = 1000
_IMPORTANCE_COLUMNS = 15
_DEPENDENCE_COLUMNS = 6
_DEPENDENCE_ROWS = 200


def explanation(study: Study, validated: Validated, judged: Judged, seed: int) -> dict[str, Any]:
    """Computed on judged patients; the strongest columns by SHAP are the ones permuted and drawn."""
    model = validated.final.model
    names = model.schema.names
    rng = np.random.default_rng(seed)
    rows = np.unique(judged.rows)
    sample = np.sort(rng.choice(rows, min(_SHAP_ROWS, len(rows)), replace=False))
    explained = explain_rows(
        model.predictor,
        study.features.take(sample).frame,
        validated.background(study, seed),
        columns=names,
        target=study.target,
        seed=seed,
    )
    shap = mean_absolute(explained.values, names)
    strongest = [entry["column"] for entry in shap[:_IMPORTANCE_COLUMNS]]
    wide = np.sort(rng.choice(rows, min(_IMPORTANCE_ROWS, len(rows)), replace=False))
    frame = study.features.take(wide).frame
    importance = permutation_importance(
        model.predict,
        frame,
        study.y[wide],
        study.target,
        columns=strongest,
        groups=study.groups[wide],
        seed=seed,
    )
    narrow = frame.head(_DEPENDENCE_ROWS)
    return {
        "method": explained.method,
        "unit": unit(study.target),
        "n": len(sample),
        "shap": shap,
        "importance": importance,
        "partial_dependence": [
            partial_dependence(model.predict, narrow, study.features.schema[name], study.target)
            for name in strongest[:_DEPENDENCE_COLUMNS]
        ],
    }
