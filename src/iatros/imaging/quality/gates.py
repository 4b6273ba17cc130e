"""All quality gates of a model: learned with it, stored with it, asked before every answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from iatros.core.arrays import pack_arrays, unpack_arrays
from iatros.core.errors import FitError, InputError
from iatros.core.intervals import group_codes, proportion
from iatros.imaging.quality.appearance import Appearance, measure
from iatros.imaging.quality.finding import CODES, Finding, views
from iatros.imaging.quality.greyscale import GreyScale, exchanged_inputs
from iatros.imaging.quality.origin import Origin
from iatros.imaging.quality.outliers import Outliers
from iatros.imaging.quality.text import Letters, count_letters
from iatros.imaging.schema import ImageRecord, InputSpec
from iatros.learners.threads import one_blas_thread

FILE = "quality.safetensors"
_SEARCHED_FOR_TEXT = 400
_FEWEST_HELD = 20

Pixels = Callable[[ImageRecord], np.ndarray]


@dataclass(frozen=True)
class Gates:
    """What one model's images are like, and where an image stops being like them."""

    spec: InputSpec
    origin: Origin
    appearance: Appearance
    grey_scale: GreyScale
    letters: Letters
    picture: Outliers | None
    """By coarse brightness and layout; None where fewer than 20 images could be held back to set the limits."""
    features: Outliers | None
    """By the network's own features; None as `picture`, and where the network gave none."""
    n: int
    """Training images."""

    def check(self, record: ImageRecord, pixels: np.ndarray, features: np.ndarray | None) -> list[Finding]:
        """What is wrong or unusual about one image, refusals first.

        `pixels` as a `Collection` gives them; `features` (f,) are the network's own, None where it could not be
        asked. Of an image that shows nothing (blank, saturated, noise: refused) no more is said than that.
        """
        found = self.origin.check(record)
        if any(finding.code == "channels" for finding in found):
            return found
        planes = views(pixels, self.spec)
        seen = self.appearance.check(measure(planes))
        if not any(finding.severity == "refuse" for finding in seen):
            layout = exchanged_inputs(planes)
            seen += self.grey_scale.check(layout)
            seen += self.letters.check(count_letters(pixels), record.flags)
            if self.picture is not None:
                seen += self.picture.check(layout, "unlike-picture", "looks unlike training images")
            if features is not None and self.features is not None:
                said = "unlike training images to the network"
                seen += self.features.check(np.asarray(features), "unlike-features", said)
        return sorted([*found, *seen], key=lambda finding: finding.severity != "refuse")

    def check_many(
        self, records: Sequence[ImageRecord], pixels: Pixels, features: np.ndarray | None
    ) -> list[list[Finding]]:
        """`check` of each record; `features` (n, f)."""
        return [
            self.check(record, pixels(record), None if features is None else features[row])
            for row, record in enumerate(records)
        ]

    def document(self) -> dict[str, Any]:
        """Limits and what they were learned from, for the manifest and the report."""
        return {
            "n": self.n,
            "spec": self.spec.document(),
            "origin": self.origin.document(),
            "appearance": self.appearance.document(),
            "grey_scale": self.grey_scale.document(),
            "letters": self.letters.document(),
            **{name: None if one is None else one.document() for name, one in self._outliers().items()},
        }

    def arrays(self) -> dict[str, np.ndarray]:
        """What is not a plain value."""
        arrays = {"grey_scale.weights": self.grey_scale.weights}
        for gate, outliers in self._outliers().items():
            if outliers is not None:
                arrays |= {f"{gate}.{name}": values for name, values in outliers.stored().items()}
        return arrays

    def _outliers(self) -> dict[str, Outliers | None]:
        return {"picture": self.picture, "features": self.features}

    def save(self) -> tuple[dict[str, Any], dict[str, bytes]]:
        """The manifest's part and the files of a bundle."""
        return self.document(), {FILE: pack_arrays(self.arrays())}

    @staticmethod
    def load(document: dict[str, Any], read: Callable[[str], bytes]) -> Gates:
        """The reverse of `save`; `read` gives the content of a file of the bundle."""
        arrays = unpack_arrays(read(FILE))
        return Gates(
            spec=InputSpec.load(document["spec"]),
            origin=Origin.load(document["origin"]),
            appearance=Appearance.load(document["appearance"]),
            grey_scale=GreyScale.load(document["grey_scale"], arrays["grey_scale.weights"]),
            letters=Letters.load(document["letters"]),
            picture=_loaded("picture", document, arrays),
            features=_loaded("features", document, arrays),
            n=int(document["n"]),
        )


def fit_gates(
    records: Sequence[ImageRecord],
    pixels: Pixels,
    features: np.ndarray | None,
    spec: InputSpec,
    *,
    seed: int = 0,
    unseen: np.ndarray | None = None,
) -> Gates:
    """Gates learned from the images of a model's development, never from held-out ones.

    `features` (n, f) are the penultimate features of the network, one row a record; without them pictures alone are
    compared. `unseen` are rows that the network did not learn from (tuning or calibration side): limits come from
    them and all else from the others. Without them, half of the patients set the limits; a network's features of
    images that it learned from are closer together than those of new images, so more false alarms are then to be
    expected than stated.
    """
    features = None if features is None else _checked(features, len(records))
    learned, held = _halves(records, unseen, seed)
    measured, exchanged = [], []
    for record in records:
        planes = views(pixels(record), spec)
        measured.append(measure(planes))
        exchanged.append(exchanged_inputs(planes))
    with one_blas_thread():
        inputs = np.stack(exchanged)
        grey_scale = GreyScale.learned(inputs[learned], inputs[held])
        outliers: dict[str, Outliers | None] = {"picture": None, "features": None}
        if min(len(held), len(learned)) >= _FEWEST_HELD:
            outliers["picture"] = Outliers.learned(inputs[learned], inputs[held], unseen=True)
            if features is not None:
                outliers["features"] = Outliers.learned(
                    features[learned], features[held], unseen=unseen is not None
                )
    return Gates(
        spec=spec,
        origin=Origin.learned(records),
        appearance=Appearance.learned(np.stack(measured)),
        grey_scale=grey_scale,
        letters=Letters.learned(_counts(records, pixels, seed)),
        n=len(records),
        **outliers,
    )


def gate_report(
    gates: Gates,
    records: Sequence[ImageRecord],
    pixels: Pixels,
    features: np.ndarray | None,
    *,
    groups: np.ndarray | None = None,
) -> dict[str, Any]:
    """How often the gates speak up on images that the model should be able to answer: held-out ones.

    Keys: `n`; `passed`, `flagged` and `refused`, each a share with its interval (an image with both is refused);
    `by_code`, for each code that occurred or could: {"code", "looks_for", "n_flagged", "n_refused"};
    `unlike`: of the gates "unlike-picture" and "unlike-features" together, {"flagged", "refused"} shares beside
    `stated` {"flag", "refuse"}, None where there is no such gate; `gates`, the limits as `Gates.document` has them.
    """
    found = gates.check_many(records, pixels, features)
    severities = [{finding.severity for finding in one} for one in found]
    refused = np.array(["refuse" in one for one in severities])
    flagged = np.array([one == {"flag"} for one in severities])

    def share(hits: np.ndarray) -> dict[str, Any]:
        return proportion(hits.astype(float), groups=groups).document()

    return {
        "n": len(records),
        "passed": share(~refused & ~flagged),
        "flagged": share(flagged),
        "refused": share(refused),
        "by_code": [_by_code(code, words, found) for code, words in CODES.items()],
        "unlike": _unlike(gates, found, share),
        "gates": gates.document(),
    }


def _checked(features: np.ndarray, n: int) -> np.ndarray:
    features = np.asarray(features, dtype=np.float64)
    if not n or features.shape[:1] != (n,) or features.ndim != 2:
        raise InputError(f"gates need one row of features per image: got {features.shape} for {n}")
    if not np.isfinite(features).all():
        raise FitError("the network's features hold numbers that are not finite", hint="lower learning_rate")
    return features


def _unlike(
    gates: Gates, found: list[list[Finding]], share: Callable[[np.ndarray], dict[str, Any]]
) -> dict[str, Any] | None:
    """How often a gate for unlike images spoke (a refusal counts as a flag, too), and how often it should."""
    asked = [
        one.document()["false_alarms_stated"] for one in (gates.picture, gates.features) if one is not None
    ]
    if not asked:
        return None
    severities = [[f.severity for f in one if f.code.startswith("unlike-")] for one in found]
    return {
        "flagged": share(np.array([bool(one) for one in severities])),
        "refused": share(np.array(["refuse" in one for one in severities])),
        "stated": {severity: sum(one[severity] for one in asked) for severity in ("flag", "refuse")},
    }


def _loaded(gate: str, document: dict[str, Any], arrays: dict[str, np.ndarray]) -> Outliers | None:
    if document[gate] is None:
        return None
    prefix = f"{gate}."
    own = {name[len(prefix) :]: values for name, values in arrays.items() if name.startswith(prefix)}
    return Outliers.load(document[gate], own)


def _by_code(code: str, words: str, found: list[list[Finding]]) -> dict[str, Any]:
    def count(severity: str) -> int:
        return sum(any(f.code == code and f.severity == severity for f in one) for one in found)

    return {"code": code, "looks_for": words, "n_flagged": count("flag"), "n_refused": count("refuse")}


def _halves(
    records: Sequence[ImageRecord], unseen: np.ndarray | None, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Rows to learn from, and rows that set limits."""
    every = np.arange(len(records))
    if unseen is not None:
        return np.setdiff1d(every, unseen), np.unique(unseen)
    patients = np.array([record.subject or f"image {row}" for row, record in enumerate(records)])
    codes, n_patients = group_codes(patients, len(records))
    first = np.zeros(n_patients, dtype=bool)
    first[np.random.default_rng(seed).permutation(n_patients)[: -(-n_patients // 2)]] = True
    return every[first[codes]], every[~first[codes]]


def _counts(records: Sequence[ImageRecord], pixels: Pixels, seed: int) -> np.ndarray:
    """Letters in some of the images: looking for them takes longer than everything else."""
    drawn = np.sort(np.random.default_rng(seed).permutation(len(records))[:_SEARCHED_FOR_TEXT])
    return np.array([count_letters(pixels(records[row])) for row in drawn])
