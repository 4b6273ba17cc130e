"""Evaluate, with a reference: generated compounds beside it, by the metrics of MOSES and of GuacaMol."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from iatros.core.arrays import plain
from iatros.core.context import Context, Produced
from iatros.core.errors import TableError
from iatros.core.intervals import Metric
from iatros.core.report import render
from iatros.core.runs import versions
from iatros.learners.compounds.tanimoto import build_index
from iatros.molecules.distribution import chemnet, frechet, guacamol, judging
from iatros.molecules.distribution.described import Described, describe
from iatros.molecules.distribution.diversity import mean_similarities
from iatros.molecules.distribution.novelty import Known, read_known
from iatros.molecules.distribution.properties import NAMES
from iatros.molecules.distribution.published import KNOWN
from iatros.molecules.distribution.reference import Reference, check_source, read_moments, read_reference
from iatros.molecules.distribution.report import build
from iatros.molecules.evaluation_requests import EvaluateRequest
from iatros.molecules.sources import open_compounds
from iatros.molecules.sources.columns import Wanted
from iatros.version import __version__

ENOUGH = 10_000
"""Written texts below which the numbers are not comparable with published ones, which are of 30,000."""
_BINS = 30
_SHOWN = 12
_MOST_REASONS = 10
_LIBRARIES = ("numpy", "rdkit", "fcd-torch")


@dataclass(frozen=True)
class Sides:
    """What is compared; `scaffolds` and `known` where they are asked for."""

    generated: Described
    reference: Reference
    scaffolds: Reference | None
    known: Known | None


def evaluate_generated(request: EvaluateRequest, context: Context) -> Produced:
    """The metrics of the compounds in `request.compounds` beside `request.reference`, and a page about them."""
    for role in ("compounds", "reference", "scaffolds", "training"):
        check_source(getattr(request, role), role)
    opened = open_compounds(request.compounds, Wanted(request.smiles, request.identifier))
    generated = describe(opened.entries, context, filtered=True, label="reading the compounds")
    if not generated.n_lines:
        raise TableError("holds no compounds", where=opened.name, hint="one text a line is needed")
    if not len(generated):
        first = ", ".join(f"{why} {n:,}" for why, n in list(generated.reasons.items())[:3])
        raise TableError(
            f"none of {generated.n_lines:,} texts is a molecule: {first}",
            where=opened.name,
            hint="one SMILES a line is needed",
        )
    sides = Sides(
        generated,
        read_reference(request.reference, context, role="reference"),
        None if request.scaffolds is None else read_reference(request.scaffolds, context, role="scaffolds"),
        None if request.training is None else read_known(request.training, context),
    )
    different = list(dict.fromkeys(generated.smiles))
    novel = None if sides.known is None else ~sides.known.holds(different)
    metrics = _metrics(request, sides, novel, context)
    shares, divergences = _guacamol(request, sides, metrics["reference"], context)
    result = {
        "domain": "molecules",
        "question": "distribution",
        "generated": opened.name,
        **{role: _side(getattr(sides, role)) for role in ("reference", "scaffolds")},
        "training": None if sides.known is None else {"name": sides.known.name, "n": sides.known.n},
        "metrics": {
            role: {name: one.document() for name, one in found.items()} for role, found in metrics.items()
        },
        "guacamol": {**shares, "divergences": divergences},
        "n_written": generated.n_lines,
        "n_valid": len(generated),
        "n_unique": len(different),
        "n_blank_lines": generated.n_blank,
        "funnel": _funnel(generated, different, novel),
        "failures": _failures(generated),
        "properties": _histograms(generated, sides.reference),
        "examples": _examples(generated, different, novel),
        "notes": [*opened.notes, *_notes(request, sides)],
        "request": request.model_dump(mode="json"),
        "seed": request.seed,
        "versions": {"iatros": __version__, **versions(_LIBRARIES)},
    }
    result = plain(result)
    return Produced(result, documents={"report.html": render(build(result)).encode()})


def _metrics(
    request: EvaluateRequest,
    sides: Sides,
    novel: np.ndarray | None,
    context: Context,
) -> dict[str, dict[str, Metric]]:
    """Metric by name, against the reference and against the one of other scaffolds."""
    level, made = request.confidence_level, sides.generated
    first: dict[str, Metric] = {
        "valid": judging.share(made.valid, level),
        "unique_1k": judging.unique_share(made.smiles, 1_000, level),
        "unique_10k": judging.unique_share(made.smiles, 10_000, level),
    }
    against = _against(request, sides, context)
    first |= against["reference"]
    with context.progress.step("diversity"):
        similarity, squares = mean_similarities(made.words)
        first["int_div"] = judging.diversity(similarity, level)
        first["int_div_2"] = judging.diversity_of_squares(squares, level)
    first["filters"] = judging.share(np.array([not failed for failed in made.failures]), level)
    if novel is not None:
        first["novelty"] = judging.share(novel, level)
    for column, name in enumerate(NAMES):
        values = made.values[:, column]
        first[f"{name}_w1"] = judging.distance(values, sides.reference.values[:, column], level)
    return {"reference": first, **{role: found for role, found in against.items() if role != "reference"}}


def _against(request: EvaluateRequest, sides: Sides, context: Context) -> dict[str, dict[str, Metric]]:
    """FCD, SNN, Frag and Scaf against each reference."""
    level, made = request.confidence_level, sides.generated
    sources = {"reference": (sides.reference, request.reference)}
    if sides.scaffolds is not None:
        sources["scaffolds"] = (sides.scaffolds, request.scaffolds)
    ours = None
    if "fcd" not in request.leave_out and len(made) > 1:
        ours = chemnet.moments(made.smiles, context, label="ChemNet on the compounds")
    fragments = [text.split(".") for text in made.fragments]
    scaffolds = [(one,) if one else () for one in made.scaffolds]  # of a salt it has a dot, and is one
    found: dict[str, dict[str, Metric]] = {}
    for role, (reference, source) in sources.items():
        one: dict[str, Metric] = {}
        if ours is not None and len(reference) > 1:
            value = frechet.distance(read_moments(reference, source, context), ours)
            one["fcd"] = judging.bare(value, len(made), "none: the value falls with the number of compounds")
        with context.progress.step(f"nearest of {reference.name}"):
            one["snn"] = judging.nearest_similarity(made.words, build_index(reference.words), level)
        one["frag"] = judging.parts_similarity(fragments, reference.fragments, level)
        one["scaf"] = judging.parts_similarity(scaffolds, reference.scaffolds, level)
        found[role] = one
    return found


def _guacamol(
    request: EvaluateRequest, sides: Sides, metrics: dict[str, Metric], context: Context
) -> tuple[dict[str, Any], dict[str, float]]:
    """Shares in GuacaMol's terms and the divergences; adds `kl` and `fcd_score` to `metrics`."""
    made = sides.generated
    flat = guacamol.without_stereo(made.smiles)
    different = list(dict.fromkeys(flat))
    novel = None if sides.known is None else ~sides.known.holds(different, flat=True)
    divergences: dict[str, float] = {}
    if "kl" not in request.leave_out:
        ours = guacamol.profile(different, context, label="descriptors of the compounds")
        divergences = guacamol.divergences(
            guacamol.read_profile(sides.reference, request.reference, context), ours
        )
        metrics["kl"] = judging.bare(guacamol.score(divergences), len(ours), "none: a score of two samples")
    if "fcd" in metrics:
        value = guacamol.frechet_score(metrics["fcd"].value)
        metrics["fcd_score"] = judging.bare(value, len(made), metrics["fcd"].interval)
    return guacamol.shares(len(made), made.n_lines, flat, novel), divergences


def _side(reference: Reference | None) -> dict[str, Any] | None:
    if reference is None:
        return None
    return {
        "name": reference.name,
        "n": len(reference),
        "n_refused": reference.n_refused,
        "sha256": reference.digest,
        "known_as": KNOWN.get(reference.digest),
    }


def _funnel(made: Described, different: Sequence[str], novel: np.ndarray | None) -> list[dict[str, Any]]:
    """How many are left from step to step: written, valid, different, new, past the filters."""
    steps: list[dict[str, Any]] = []

    def leave(step: str, n: int, reasons: dict[str, int] | None = None) -> None:
        before = steps[-1]["n"] if steps else n
        entry: dict[str, Any] = {"step": step, "n": n, "share": n / before if before else None}
        steps.append(entry | ({"reasons": reasons} if reasons else {}))

    leave("written", made.n_lines)
    leave("valid", len(made), dict(list(made.reasons.items())[:_MOST_REASONS]))
    leave("unique", len(different))
    left = list(different)
    if novel is not None:
        left = [smiles for smiles, new in zip(different, novel, strict=True) if new]
        leave("not in training", len(left))
    failed = dict(zip(made.smiles, made.failures, strict=True))
    reasons = Counter(why for smiles in left for why in failed[smiles])
    leave(
        "past the filters",
        sum(not failed[smiles] for smiles in left),
        dict(sorted(reasons.items(), key=lambda item: (-item[1], item[0]))[:_MOST_REASONS]),
    )
    return steps


def _failures(made: Described) -> dict[str, int]:
    """The filters that most compounds fail, and how many do."""
    reasons = Counter(why for failed in made.failures for why in failed)
    return dict(sorted(reasons.items(), key=lambda item: (-item[1], item[0]))[:_MOST_REASONS])


def _histograms(made: Described, reference: Reference) -> dict[str, Any]:
    """Shares of both sides in bins that hold all but the outermost compounds of either."""
    found = {}
    for column, name in enumerate(NAMES):
        ours, theirs = made.values[:, column], reference.values[:, column]
        ends = np.concatenate([np.quantile(theirs, [0.001, 0.999]), np.quantile(ours, [0.01, 0.99])])
        low, high = float(ends.min()), float(ends.max())
        edges = np.linspace(low, high if high > low else low + 1.0, _BINS + 1)
        found[name] = {
            "edges": edges.tolist(),
            "generated": (np.histogram(ours, edges)[0] / len(ours)).tolist(),
            "reference": (np.histogram(theirs, edges)[0] / len(theirs)).tolist(),
        }
    return found


def _examples(made: Described, different: Sequence[str], novel: np.ndarray | None) -> dict[str, Any]:
    """The first different compounds that pass the filters, new ones where that is known, and the first that fail."""
    failed = dict(zip(made.smiles, made.failures, strict=True))
    new = np.ones(len(different), dtype=bool) if novel is None else novel
    passing = [smiles for smiles, is_new in zip(different, new, strict=True) if is_new and not failed[smiles]]
    failing = [{"smiles": smiles, "fails": list(failed[smiles])} for smiles in different if failed[smiles]]
    return {"passing": passing[:_SHOWN], "failing": failing[: _SHOWN // 2]}


def _notes(request: EvaluateRequest, sides: Sides) -> list[str]:
    made = sides.generated
    notes = []
    if made.n_lines < ENOUGH:
        notes.append(
            f"{made.n_lines:,} texts: every number depends on how many there are, and published ones are of 30,000; "
            f"write {ENOUGH:,} or more"
        )
    if made.n_blank:
        notes.append(f"blank lines, which do not count as written: {made.n_blank:,}")
    if sides.known is None:
        notes.append("no training is given, so nothing is said of novelty")
    if "fcd" in request.leave_out:
        notes.append("fcd and fcd_score were left out")
    elif len(made) < ENOUGH:
        notes.append(f"fcd of {len(made):,} compounds is too large: it falls with their number")
    if "kl" in request.leave_out:
        notes.append("kl was left out")
    notes += [
        f"{side.n_refused:,} lines of {side.name} cannot be read and are left out of it"
        for side in (sides.reference, sides.scaffolds)
        if side is not None and side.n_refused
    ]
    if sides.known is not None and (n := int(sides.known.holds(sides.reference.smiles).sum())):
        notes.append(
            f"{n:,} compounds of {sides.reference.name} stand in training, so it is no test of what is new"
        )
    return notes
