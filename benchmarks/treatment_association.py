"""Drug-disease association: which drugs are indicated for which diseases, on Fdataset and Cdataset.

`python -m benchmarks.treatment_association fdataset|cdataset pairs|diseases` prints one JSON document. `pairs`: ten
folds over the known links, each fold ranked among all pairs that are no known link. `diseases`: ten folds over the
diseases, whose links are all unknown to the model, ranked within the fold. Both are means over folds, with the
standard error of the mean. Diseases are the subjects, drugs the treatments.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import data
from benchmarks.results import Line
from iatros.treatment.models import MODELS
from iatros.treatment.models.kernel_exposures import auroc, average_precision
from iatros.treatment.responses.estimator import Newness
from iatros.treatment.responses.schema import Ask, Block, Features, Responses, Subjects, Treatments

SEED, N_FOLDS = 1, 10
"""Forms of the model were compared on the folds of seed 0, so it is judged on others."""
PUBLISHED = {
    ("fdataset", "pairs"): "BNNR .934 / .307, GF-BNNR .940 / .320",
    ("cdataset", "pairs"): "BNNR .952 / .297, KronRLS AUPR .441",
    ("fdataset", "diseases"): "BNNR .782 / .140",
    ("cdataset", "diseases"): "BNNR .794 / .133",
}
ASKED: dict[tuple[str, str], tuple[float, float | None]] = {
    ("fdataset", "pairs"): (0.94, 0.33),
    ("cdataset", "pairs"): (0.955, 0.45),
    ("fdataset", "diseases"): (0.80, None),
    ("cdataset", "diseases"): (0.80, None),
}


def load(name: str) -> Responses:
    """`fdataset` (313 diseases, 593 drugs, 1,933 links) or `cdataset` (409, 663, 2,532), with their similarities."""
    from scipy.io import loadmat

    found = loadmat(data.SHARED / "drug_disease" / f"{name.capitalize()}.mat")
    disease, drug = np.nonzero(found["didr"])
    names = [tuple(str(one[0][0]) for one in found[key]) for key in ("Wdname", "Wrname")]
    alike = [
        Features(found[key].astype(float), (Block("similarity", "similarity", 0, len(found[key])),))
        for key in ("disease", "drug")
    ]
    return Responses(
        names[0], names[1], disease.astype(np.int64), drug.astype(np.int64), np.ones(len(drug)), "implicit",
        of_subjects=alike[0], of_treatments=alike[1],
    )  # fmt: skip


def judge(name: str, split: str, model: str = "kernel") -> dict[str, Any]:
    """AUROC and AUPR of each fold, and their means with standard errors."""
    responses = load(name)
    s, t = responses.shape
    every = Ask.every(_all(s, responses), Treatments(np.arange(t), responses.of_treatments))
    linked = np.zeros((s, t), dtype=bool)
    linked[responses.subject, responses.treatment] = True
    newness: Newness = "pairs" if split == "pairs" else "subjects"
    rng = np.random.default_rng(SEED)
    dealt = rng.permutation(len(responses) if split == "pairs" else s) % N_FOLDS
    started, folds = time.perf_counter(), []
    for fold in range(N_FOLDS):
        hidden = (dealt if split == "pairs" else dealt[responses.subject]) == fold
        train = responses.take(np.flatnonzero(~hidden))
        predictor, notes = MODELS.load(model)().fit(train, newness=newness, seed=SEED)
        told = predictor.predict(every).reshape(s, t)
        free = ~linked if split == "pairs" else ~linked & (dealt == fold)[:, None]
        events, others = told[responses.subject[hidden], responses.treatment[hidden]], told[free]
        folds.append(
            {"auroc": auroc(events, others), "auprc": average_precision(events, others),
             "prevalence": len(events) / (len(events) + len(others)), "ridge": notes.get("ridge")}
        )  # fmt: skip
    document: dict[str, Any] = {
        "folds": folds,
        "seconds": time.perf_counter() - started,
        "n_links": len(responses),
    }
    for key in ("auroc", "auprc", "prevalence"):
        values = np.array([one[key] for one in folds])
        document[key] = {"mean": float(values.mean()), "se": float(values.std(ddof=1) / np.sqrt(len(values)))}
    return document


def _all(s: int, responses: Responses) -> Subjects:
    none = np.empty(0, dtype=np.int64)
    return Subjects(np.arange(s), np.zeros(s + 1, dtype=np.int64), none, np.empty(0), responses.of_subjects)


def lines(folder: Path) -> tuple[list[Line], dict[str, Any]]:
    """Both datasets, links and diseases hidden, beside what was asked and published."""
    found, detail = [], {}
    for (name, split), limits in ASKED.items():
        told = detail[f"{name}, {split}"] = judge(name, split)
        data_said = f"{name.capitalize()}, ten folds over {'known links' if split == 'pairs' else 'diseases'}"
        said = f"{data_said}, prevalence {told['prevalence']['mean']:.2%}"
        command = "python -m benchmarks.run treatment association"
        for key, limit in zip(("auroc", "auprc"), limits, strict=True):
            value = told[key]
            published = f"published (AUROC / AUPR): {PUBLISHED[name, split]}" if key == "auroc" else ""
            found.append(
                Line(f"{key.upper()}, kernel, new {split}", said, "shown" if limit is None else f"at least {limit:g}",
                     f"{value['mean']:.3f} (standard error {value['se']:.3f})",
                     limit is None or value["mean"] >= limit, command, published)
            )  # fmt: skip
    return found, detail


def main() -> None:
    """Judge one split and print the document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", choices=("fdataset", "cdataset"))
    parser.add_argument("split", choices=("pairs", "diseases"))
    parser.add_argument("--model", default="kernel")
    chosen = parser.parse_args()
    print(json.dumps(judge(chosen.data, chosen.split, chosen.model), indent=1))


if __name__ == "__main__":
    main()
