"""The models of a dose that can be trained: one line each, imported when asked for."""

from __future__ import annotations

from iatros.core.registry import Registry

MODELS = Registry("model of a dose", group="iatros.treatment.dosing.models")

_HERE = "iatros.treatment.dosing"
_ESTIMATORS = "iatros.learners.tabular.estimators"
_EXTRA = "treatment"

MODELS.add("linear", f"{_HERE}.learned:Linear", "linear regression with an elastic-net penalty")
MODELS.add("boosting", f"{_HERE}.learned:SmallTrees", "gradient-boosted small trees (LightGBM)", extra=_EXTRA)
MODELS.add(
    "svm", f"{_ESTIMATORS}.svm:Svm", "support vector machine: linear, RBF, polynomial or sigmoid kernel"
)
MODELS.add("forest", f"{_ESTIMATORS}.forest:Forest", "random forest")
MODELS.add("mlp", f"{_ESTIMATORS}.mlp:Mlp", "residual network with embeddings", extra=_EXTRA)
MODELS.add(
    "iwpc-pharmacogenetic", f"{_HERE}.equations:Pharmacogenetic",
    "the published equation of warfarin with CYP2C9 and VKORC1 (N Engl J Med 2009)",
)  # fmt: skip
MODELS.add(
    "iwpc-clinical", f"{_HERE}.equations:Clinical", "the published equation of warfarin without genotypes"
)

EQUATIONS = ("iwpc-pharmacogenetic", "iwpc-clinical")
"""Published equations: they learn nothing, and every model is compared with those whose columns are there."""
