"""The models that can be trained on compounds: one line each, imported when asked for.

`MODELS` are those of activity, which see one compound; `AFFINITY` those of pairs of a compound and a protein;
`GENERATORS` write compounds.
"""

from iatros.core.registry import Registry
from iatros.molecules.affinity.models import MODELS as AFFINITY
from iatros.molecules.generators import GENERATORS

__all__ = ["AFFINITY", "EVERY_MODEL", "GENERATORS", "MODELS"]

MODELS = Registry("model", group="iatros.molecules.models")

_HERE = "iatros.molecules.models"

MODELS.add("forest", f"{_HERE}.forest:Forest", "random forest over circular fingerprints", extra="molecules")
MODELS.add(
    "svm",
    f"{_HERE}.svm:Svm",
    "support vector machine: Tanimoto, linear, RBF, polynomial or sigmoid kernel",
    extra="molecules",
)
MODELS.add(
    "boosting",
    f"{_HERE}.boosting:Boosting",
    "gradient-boosted trees over count fingerprints and descriptors",
    extra="molecules",
)
MODELS.add(
    "mlp", f"{_HERE}.mlp:Mlp", "dense network over count fingerprints and descriptors", extra="molecules"
)
MODELS.add("cnn", f"{_HERE}.cnn:Cnn", "convolutions over the letters of SMILES or SELFIES", extra="molecules")
MODELS.add(
    "gru", f"{_HERE}.gru:Gru", "recurrent network over the letters of SMILES or SELFIES", extra="molecules"
)
MODELS.add(
    "dmpnn", f"{_HERE}.dmpnn:Dmpnn", "directed message passing over the bonds (chemprop)", extra="molecules"
)
MODELS.add("ensemble", f"{_HERE}.combined:Ensemble", "other models combined, weighed by compounds they had not seen",
           extra="molecules")  # fmt: skip


class _Every(Registry):
    """The models of all questions, for lists; each question trains from its own registry."""

    def _discover(self) -> None:
        if not self._discovered:
            self._discovered = True
            for entry in (*MODELS, *AFFINITY, *GENERATORS):
                self.add(entry.name, entry.target, entry.summary, extra=entry.extra)


EVERY_MODEL = _Every("model", group="")
