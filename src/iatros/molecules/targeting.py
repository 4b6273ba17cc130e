"""The action `targets`: the proteins that a compound is likely to act on, by the known ligands of each."""

from __future__ import annotations

from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from iatros.core.context import Context, Produced
from iatros.core.errors import InputError, MissingExtraError
from iatros.molecules.search_requests import TargetsRequest

if TYPE_CHECKING:
    from iatros.molecules.fishing.ranking import Scores
    from iatros.molecules.fishing.reference import Reference

SHOWN_REFUSED = 20
_COLUMNS = (
    "rank", "target", "known", "n_ligands", "nearest_similarity", "nearest_smiles", "rank_by_nearest", "raw_score",
    "z", "p", "e_value", "q",
)  # fmt: skip
_RANKED_BY = {
    "ensemble": "the significance of the summed similarity",
    "sum": "the summed similarity",
    "nearest": "the most similar ligand",
}


def targets(request: TargetsRequest, context: Context) -> Produced:
    """`targets`, the likeliest first, each with its significance, its nearest ligand and whether it is known already.

    `e_value` is how many targets chance alone would put as high, `q` the false discovery rate. `check` tells how often
    each ranking found a known target of compounds with scaffolds that it had not seen; None where there were too few.
    The table has one row for each target that is shown.
    """
    for package in ("rdkit", "numba"):
        if find_spec(package) is None:
            raise MissingExtraError(
                f"molecules need the package {package}", hint="pip install 'iatros[molecules]'"
            )
    from iatros.learners.compounds.fingerprints import Fingerprint, compute, require
    from iatros.molecules.fishing.checking import best_ranking
    from iatros.molecules.fishing.ranking import score

    query = _standard(request.structure)
    reference = _reference(request, context)
    bits = require(compute([query], Fingerprint(request.fingerprint)), [query])
    scores = score(reference.ligands, reference.background, bits, rows=True)
    ranking = best_ranking(reference.check) if request.ranking == "auto" else request.ranking
    rows = _rows(reference, scores, ranking, query, request.k)
    result: dict[str, Any] = {
        "domain": "molecules",
        "source": reference.source["name"],
        "format": reference.source["format"],
        "fingerprint": request.fingerprint,
        "n_compounds": len(reference.smiles),
        "n_targets": len(reference.targets),
        "n_pairs": len(reference.ligands.members),
        **reference.counts,
        "ranking": ranking,
        "targets": rows,
        "background": asdict(reference.background),
        "check": reference.check,
        "refused": [{"line": line, "reason": reason} for line, reason in reference.refused[:SHOWN_REFUSED]],
        "notes": _notes(request, reference, scores, ranking),
    }
    return Produced(result, table={column: [row[column] for row in rows] for column in _COLUMNS})


def _standard(structure: str) -> str:
    """The standard form of the query as SMILES; InputError with the reason where it has none."""
    from iatros.molecules.fishing.pairs import standard_forms

    ((smiles, reason),) = standard_forms(None, [(structure, False)])
    if reason:
        raise InputError(reason, where="structure")
    return smiles


def _reference(request: TargetsRequest, context: Context) -> Reference:
    from iatros.learners.compounds.fingerprints import Fingerprint
    from iatros.molecules.curation.measuring import Scale
    from iatros.molecules.fishing import reference
    from iatros.molecules.fishing.pairs import Active
    from iatros.molecules.libraries import kept
    from iatros.molecules.sources import open_compounds
    from iatros.molecules.sources.columns import Wanted

    wanted = Wanted(
        request.smiles, None, request.activity, request.relation, request.unit_column, (request.target,)
    )
    scale = None
    if request.activity is not None:
        scale = Scale(request.unit, per_line=request.unit_column is not None)
    active = Active(scale, request.active_from)
    settings = reference.Settings(active, Fingerprint(request.fingerprint), request.threshold, request.seed)

    def built(folder: Path) -> Reference:
        opened = open_compounds(request.reference, wanted)
        return reference.build_reference(opened, settings, folder, context.engine, context.progress)

    if not isinstance(request.reference, Path):
        return built(context.scratch.folder() / "targets")
    how = [reference.FORMAT, asdict(wanted), asdict(settings), None if scale is None else asdict(scale)]
    return kept("targets", request.reference, how, reference.open_reference, built)


def _rows(reference: Reference, scores: Scores, ranking: str, query: str, k: int) -> list[dict[str, Any]]:
    from iatros.molecules.fishing.ranking import RANKINGS, by_nearest, significance

    ligands = reference.ligands
    sizes = ligands.sizes
    p, e_value, q = significance(scores.z[0])
    assert scores.nearest_rows is not None
    by_near = by_nearest(scores, 0, sizes).tolist()
    place_by_near = {target: place for place, target in enumerate(by_near, start=1)}
    rows = []
    for rank, target in enumerate(RANKINGS[ranking](scores, 0, sizes)[:k].tolist(), start=1):
        nearest = float(scores.nearest[0, target])
        smiles = reference.smiles[int(scores.nearest_rows[0, target])]
        begin, end = ligands.starts[target], ligands.starts[target + 1]
        known = any(reference.smiles[row] == query for row in ligands.members[begin:end].tolist())
        rows.append(
            {
                "rank": rank,
                "target": reference.targets[target],
                "known": known,
                "n_ligands": int(sizes[target]),
                "nearest_similarity": nearest,
                "nearest_smiles": smiles,
                "rank_by_nearest": place_by_near[target],
                "raw_score": float(scores.raw[0, target]),
                "z": float(scores.z[0, target]),
                "p": float(p[target]),
                "e_value": float(e_value[target]),
                "q": float(q[target]),
            }
        )
    return rows


def _notes(request: TargetsRequest, reference: Reference, scores: Scores, ranking: str) -> list[str]:
    counts = reference.counts
    notes = [
        f"ranked by {_RANKED_BY[ranking]}, against the known ligands of {len(reference.targets):,} targets"
    ]
    check = reference.check
    if check is None:
        notes.append("too few compounds or scaffolds to check how often a known target is found")
    else:
        found = {name: shares[-1]["value"] for name, shares in check["rankings"].items()}
        notes.append(
            f"of {check['n_compounds']:,} compounds with unseen scaffolds {found[ranking]:.0%} have a known target "
            f"among the first {check['first'][-1]}, by the number of ligands alone {found['popularity']:.0%}"
        )
        if check["rankings"][ranking][-1]["low"] <= found["popularity"]:
            notes.append(
                "which is not clearly more often: in this reference the order says little of a new series"
            )
    if request.ranking == "auto" and check is not None:
        notes.append("the ranking was chosen by this check, which flatters it a little")
    background = reference.background
    notes.append(
        f"of random sets {background.alarms:.1%} have p of at most 1 %: read p and E with that in mind"
    )
    if float(scores.nearest.max()) < background.threshold:
        notes.append(
            f"no known ligand is {background.threshold:g} similar: nothing here tells what this compound acts on"
        )
    if counts["n_inactive"]:
        notes.append(f"{counts['n_inactive']:,} measured pairs are not known to be active and were left out")
    if counts["n_refused"]:
        notes.append(f"{counts['n_refused']:,} lines of the reference could not be read")
    return notes
