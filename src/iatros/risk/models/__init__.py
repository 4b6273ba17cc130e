"""The models that can be trained on a table of patients: one line each, imported when asked for."""

from collections.abc import Sequence

from iatros.core.registry import Registry

MODELS = Registry("model", group="iatros.risk.models")

_ESTIMATORS = "iatros.learners.tabular.estimators"

MODELS.add(
    "logistic",
    f"{_ESTIMATORS}.logistic:Logistic",
    "logistic or linear regression with an elastic-net penalty",
)
MODELS.add(
    "svm", f"{_ESTIMATORS}.svm:Svm", "support vector machine: linear, RBF, polynomial or sigmoid kernel"
)
MODELS.add("forest", f"{_ESTIMATORS}.forest:Forest", "random forest, with feature selection where asked for")
MODELS.add("boosting", f"{_ESTIMATORS}.boosting:Boosting", "gradient-boosted trees (LightGBM)", extra="risk")
MODELS.add(
    "mlp",
    f"{_ESTIMATORS}.mlp:Mlp",
    "residual network with embeddings of categories and numbers",
    extra="risk",
)
MODELS.add("ensemble", f"{_ESTIMATORS}.stack:Ensemble", "the other models combined", extra="risk")


def resolve(names: Sequence[str]) -> tuple[str, ...]:
    """`names` checked against the registry, each once; `all` stands for every model."""
    wanted = [
        known for name in names for known in (MODELS.names() if name == "all" else (MODELS.entry(name).name,))
    ]
    return tuple(dict.fromkeys(wanted))
