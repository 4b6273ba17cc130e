"""Models beside each other on the same judged compounds, and what each gains over the baseline."""

from __future__ import annotations

from typing import Any

from iatros.molecules.evaluation import Evaluator, documents, primary
from iatros.molecules.recipe import BASELINE
from iatros.molecules.validation import Validated


def beside_each_other(evaluator: Evaluator, validated: Validated) -> list[dict[str, Any]]:
    """One entry for each judged model, the kept one first.

    `tuning_score` is of the predictions for unseen development compounds that chose between the models;
    `difference_to_baseline` is paired over the same resamples of the judged compounds.
    """
    final = validated.final
    order = sorted(validated.judged.values, key=lambda name: (name != final.selected, name == BASELINE, name))
    judged = {name: evaluator.judge(validated.judged.values[name]) for name in order}
    metric = primary(evaluator.assay.endpoints)
    entries = []
    for name in order:
        difference = None
        if name != BASELINE:
            found = evaluator.difference(judged[name], judged[BASELINE])
            difference = {"metric": metric, "baseline": BASELINE, **found.document()}
        entries.append(
            {
                "name": name,
                "selected": name == final.selected,
                "candidate": name != BASELINE or name == final.selected,
                "tuning_score": {
                    "metric": "relative_rmse" if evaluator.assay.task == "continuous" else "auroc",
                    "value": abs(final.selection[name]),
                },
                "metrics": {validated.split: documents(evaluator.overall(judged[name]))},
                "difference_to_baseline": difference,
                "notes": final.notes[name],
                "seconds": round(final.seconds[name], 3),
            }
        )
    return entries
