"""The part that asks a trained model: a calibrated value, its interval, and whether the compound lies in its domain."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import Field, PrivateAttr, StrictStr

from iatros.core.bundle import Bundle, open_bundle
from iatros.core.errors import BundleError, InputError, unknown_name
from iatros.molecules.objectives.molecule import Molecule
from iatros.molecules.objectives.part import Measured, Part
from iatros.molecules.objectives.references import path_of

if TYPE_CHECKING:
    from iatros.core.task import Target
    from iatros.molecules.scoring import ActivityModel, Answers

_KEPT_MODELS = 8


class ActivityPart(Part):
    """What the bundle of a trained model says of an endpoint: a value in its unit, or the probability of its class.

    Of values, `use` takes the lower or upper end of the conformal interval instead. What lies outside the domain of
    applicability scores 0 (`require`), or its part is multiplied by `outside` (`weigh`), or is taken as it is
    (`ignore`). Compounds are standardised as those were that the model learned from. With `bundle_sha256`, another
    bundle at the same place is refused.
    """

    key: ClassVar[str] = "activity"
    activity: StrictStr
    endpoint: StrictStr | None = None
    use: Literal["value", "low", "high"] = "value"
    domain: Literal["require", "weigh", "ignore"] = "require"
    outside: float = Field(0.5, ge=0.0, le=1.0)
    bundle_sha256: StrictStr | None = None

    _path: str = PrivateAttr("")
    _sha256: str = PrivateAttr("")
    _column: int = PrivateAttr(0)
    _target: Target = PrivateAttr()

    def model_post_init(self, context: Any) -> None:
        """Open the bundle once, so that what is wrong with it is said before anything is scored."""
        if "outside" in self.model_fields_set and self.domain != "weigh":
            raise ValueError("outside is the factor of domain: weigh, and has no meaning here")
        bundle = open_bundle(path_of(self.activity))
        if self.bundle_sha256 not in (None, bundle.manifest_sha256):
            raise InputError("the bundle is another one than bundle_sha256 says", where=bundle.name)
        targets = _targets(bundle)
        names = [target.name for target in targets]
        if self.endpoint is None and len(names) > 1:
            raise InputError(
                f"the model has several endpoints: {', '.join(names)}",
                where=bundle.name,
                hint="name one with endpoint",
            )
        if self.endpoint is not None and self.endpoint not in names:
            raise unknown_name("endpoint", self.endpoint, names, where=bundle.name)
        self._column = 0 if self.endpoint is None else names.index(self.endpoint)
        self._target = targets[self._column]
        self._path, self._sha256 = str(bundle.path), bundle.manifest_sha256
        if self._target.task == "binary":
            if self.use != "value":
                raise ValueError("an endpoint of classes has a probability and no interval; leave use out")
        elif "transform" not in self.model_fields_set:
            unit = f" in {self._target.unit}" if self._target.unit else ""
            raise ValueError(
                f"{self._target.name} is a number{unit}, so a transform is needed to say which values are wanted, "
                "for example {kind: sigmoid, low: 5, high: 8}"
            )

    def measure(self, molecules: Sequence[Molecule]) -> Measured:  # noqa: D102
        said = answered(self._path, self._sha256, molecules)
        refused = dict(said.refused)
        k, n = self._column, len(molecules)
        ends = {"value": said.answers.value, "low": said.answers.low, "high": said.answers.high}
        values = _placed(ends[self.use][:, k], said.places, n)
        inside = _placed(said.answers.inside.astype(float), said.places, n)
        if self.domain == "require":
            refused |= {
                place: f"outside the domain of {self.label()}: {reason}"
                for place, reason in zip(said.places.tolist(), said.answers.reasons, strict=True)
                if inside[place] == 0.0
            }
        factor = np.where(inside == 0.0, self.outside, 1.0) if self.domain == "weigh" else None
        beside = {"in domain": inside, "similarity": _placed(said.answers.similarity, said.places, n)}
        if self._target.task == "continuous":
            beside |= {end: _placed(ends[end][:, k], said.places, n) for end in ("low", "high")}
        return Measured(values, refused, factor, beside)

    def label(self) -> str:  # noqa: D102
        return self._target.name

    def unit(self) -> str:  # noqa: D102
        return (self._target.unit or "") if self._target.task == "continuous" else ""

    def document(self) -> dict[str, Any]:  # noqa: D102
        return {**super().document(), "bundle_sha256": self._sha256}


class Said:
    """The answers for those of a list of compounds that have a standard form: `places` (m,) says which."""

    def __init__(self, answers: Answers, places: np.ndarray, refused: dict[int, str]) -> None:
        self.answers, self.places, self.refused = answers, places, refused


def answered(path: str, sha256: str, molecules: Sequence[Molecule]) -> Said:
    """What the model in the bundle at `path` says of all `molecules`, asked once however many parts ask."""
    from iatros.learners.compounds.compounds import Compounds

    if not molecules:
        return Said(_model(path, sha256).answer(Compounds([])), np.empty(0, np.int64), {})
    key = ("activity", sha256, tuple(one.smiles for one in molecules))
    return molecules[0].once(key, lambda: _asked(path, sha256, molecules))


def _asked(path: str, sha256: str, molecules: Sequence[Molecule]) -> Said:
    from iatros.learners.compounds.compounds import Compounds

    rules = _rules(path, sha256)
    standard: list[str] = []
    places: list[int] = []
    refused: dict[int, str] = {}
    for place, one in enumerate(molecules):
        smiles, reason = one.once(("standard", rules), lambda one=one: _standard(one, rules))  # type: ignore[misc]
        if reason:
            refused[place] = f"the model cannot read it: {reason}"
        else:
            standard.append(smiles)
            places.append(place)
    answers = _model(path, sha256).answer(Compounds(standard))
    return Said(answers, np.array(places, dtype=np.int64), refused)


def _standard(molecule: Molecule, rules: Any) -> tuple[str, str]:
    """The standard form of a compound, or why it has none."""
    from rdkit import rdBase

    from iatros.molecules.curation.parsing import StructureError
    from iatros.molecules.curation.standardising import standardise

    try:
        with rdBase.BlockLogs():
            return standardise(molecule.mol, rules).smiles, ""
    except StructureError as error:
        return "", str(error)
    except (RuntimeError, ValueError):  # what RDKit raises where its own checks fail
        return "", "the structure cannot be processed"


def _targets(bundle: Bundle) -> tuple[Target, ...]:
    """The endpoints of a bundle of activity; BundleError that says what another one holds."""
    from iatros.core.task import Target
    from iatros.molecules.questions import refuse_pairs

    manifest = bundle.manifest
    hint = "an objective takes a bundle that was trained on the activity of compounds"
    refuse_pairs(bundle, "an objective has compounds, and no protein to ask for")
    if manifest.get("question") == "generation":
        raise BundleError(
            "the bundle holds a generator, which gives no activity", where=bundle.name, hint=hint
        )
    if manifest["domain"] != "molecules" or "endpoints" not in manifest:
        raise BundleError(
            f"the bundle answers questions of {manifest['domain']}", where=bundle.name, hint=hint
        )
    targets = tuple(Target(**{**one, "classes": tuple(one["classes"])}) for one in manifest["endpoints"])
    for target in targets:
        if target.task not in ("binary", "continuous"):
            raise BundleError(
                f"the endpoint {target.name} is of {len(target.classes)} classes, which are no number to optimise",
                where=bundle.name,
                hint=hint,
            )
    return targets


def _placed(values: np.ndarray, places: np.ndarray, n: int) -> np.ndarray:
    """`values` (m,) at their places among n, nan elsewhere."""
    placed = np.full(n, np.nan)
    placed[places] = values
    return placed


def _opened(path: str, sha256: str) -> Bundle:
    bundle = open_bundle(Path(path))
    if bundle.manifest_sha256 != sha256:
        raise InputError("the bundle was replaced while it was in use", where=bundle.name)
    return bundle


@lru_cache(maxsize=_KEPT_MODELS)
def _model(path: str, sha256: str) -> ActivityModel:
    """The model in a bundle, opened once in each process."""
    from iatros.molecules.scoring import ActivityModel

    return ActivityModel.from_bundle(_opened(path, sha256))


@lru_cache(maxsize=_KEPT_MODELS)
def _rules(path: str, sha256: str) -> Any:
    from iatros.molecules.curation.standardising import Rules

    return Rules(**_opened(path, sha256).manifest["standardisation"])
