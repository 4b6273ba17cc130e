"""How good predictions are: one function per question, every answer with its interval."""

from iatros.core.metrics.evaluate import evaluate, point_metrics
from iatros.core.metrics.multilabel import macro_metrics
from iatros.core.metrics.ordinal import ordinal_metrics
from iatros.core.metrics.result import IDEAL, LOWER_IS_BETTER, Metric, finite, loss

__all__ = [
    "IDEAL",
    "LOWER_IS_BETTER",
    "Metric",
    "evaluate",
    "finite",
    "loss",
    "macro_metrics",
    "ordinal_metrics",
    "point_metrics",
]
