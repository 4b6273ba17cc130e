"""The models of responses that can be trained: one line each, imported when asked for."""

from iatros.core.registry import Registry

MODELS = Registry("model", group="iatros.treatment.models")

_HERE = "iatros.treatment.models"
_EXTRA = "treatment"

MODELS.add("baseline", f"{_HERE}.baseline:Baseline", "means of treatments and subjects, shrunk", extra=_EXTRA)
MODELS.add("knn", f"{_HERE}.knn:Knn", "similar subjects or treatments", extra=_EXTRA)
MODELS.add("svd", f"{_HERE}.factors:Svd", "offsets and factors of subjects and treatments", extra=_EXTRA)
MODELS.add(
    "svd++", f"{_HERE}.factors:SvdPlusPlus", "svd, with factors of what a subject was given", extra=_EXTRA
)
MODELS.add("nmf", f"{_HERE}.factors:Nmf", "factors that are not negative", extra=_EXTRA)
MODELS.add("als", f"{_HERE}.implicit:Als", "factors of exposures, by alternating least squares", extra=_EXTRA)
MODELS.add("bpr", f"{_HERE}.implicit:Bpr", "factors of exposures, by ranking pairs", extra=_EXTRA)
MODELS.add("kernel", f"{_HERE}.kernel:Kernel", "kernel regression on subjects times treatments", extra=_EXTRA)
MODELS.add("neural", f"{_HERE}.neural:Neural", "two towers: subjects and treatments, from features and history",
           extra=_EXTRA)  # fmt: skip
MODELS.add("ensemble", f"{_HERE}.ensemble:Ensemble", "the weighted mean that predicts unseen folds best",
           extra=_EXTRA)  # fmt: skip


class _Every(Registry):
    """The models of all questions, for lists; each question trains from its own registry."""

    def _discover(self) -> None:
        if self._discovered:
            return
        self._discovered = True
        from iatros.treatment.dosing.models import MODELS as OF_DOSES
        from iatros.treatment.sequences.estimator import MODELS as OF_VISITS

        for entry in (*MODELS, *OF_DOSES, *OF_VISITS):
            self.add(entry.name, entry.target, entry.summary, extra=entry.extra)


EVERY_MODEL = _Every("model", group="")
