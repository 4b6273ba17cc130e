"""The action `neighbours`: the compounds of a library that are most similar to one."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from iatros.core.context import Context, Produced
from iatros.core.errors import InputError, MissingExtraError
from iatros.molecules.search_requests import NeighboursRequest

SHOWN_REFUSED = 20


def neighbours(request: NeighboursRequest, context: Context) -> Produced:
    """`neighbours`, the most similar first, each with its similarity from 0 to 1, structure, name and line.

    Of equally similar compounds the earlier line comes first. `n_refused` lines of the library could not be read, the
    first of which are in `refused`. The table has one row for each neighbour.
    """
    for package in ("rdkit", "numba"):
        if find_spec(package) is None:
            raise MissingExtraError(
                f"molecules need the package {package}", hint="pip install 'iatros[molecules]'"
            )
    from iatros.learners.compounds.fingerprints import Fingerprint, compute, require
    from iatros.learners.compounds.tanimoto import search
    from iatros.molecules.libraries import library_of
    from iatros.molecules.sources.columns import Wanted

    query = _smiles(request.structure)
    fingerprint = Fingerprint(request.fingerprint)
    library = library_of(request.library, Wanted(request.smiles, request.identifier), fingerprint, context)
    bits = require(compute([query], fingerprint), [query])
    found = search(library.search, bits, min(request.k, max(1, len(library))), threshold=request.threshold)
    rows = [
        {
            "rank": rank,
            "similarity": similarity,
            "smiles": entry.smiles,
            "name": entry.name,
            "line": entry.line,
        }
        for rank, (entry, similarity) in enumerate(
            (
                (library.entry(row), similarity)
                for row, similarity in zip(
                    found.rows[0].tolist(), found.similarities[0].tolist(), strict=True
                )
                if row >= 0
            ),
            start=1,
        )
    ]
    result: dict[str, Any] = {
        "domain": "molecules",
        "source": library.source["name"],
        "format": library.source["format"],
        "fingerprint": request.fingerprint,
        "n_compounds": len(library),
        "n_refused": library.n_refused,
        "neighbours": rows,
        "refused": [{"line": line, "reason": reason} for line, reason in library.refused[:SHOWN_REFUSED]],
        "notes": _notes(request, len(rows), len(library), library.n_refused),
    }
    columns = ("rank", "similarity", "smiles", "name", "line")
    return Produced(result, table={column: [row[column] for row in rows] for column in columns})


def _smiles(structure: str) -> str:
    """Canonical SMILES of the query; InputError with the reason where it is no structure."""
    from rdkit import Chem, rdBase

    from iatros.molecules.curation.parsing import StructureError, parse

    with rdBase.BlockLogs():
        try:
            return str(Chem.MolToSmiles(parse(structure)))
        except StructureError as error:
            raise InputError(str(error), where="structure") from None


def _notes(request: NeighboursRequest, n_shown: int, n: int, n_refused: int) -> list[str]:
    notes = [
        f"{n:,} compounds searched, exactly; structures are compared as they are written, so that a salt and "
        "its acid differ: curate the library first"
    ]
    if n_shown < min(request.k, n):
        notes.append(f"no more than {n_shown} compounds are at least {request.threshold:g} similar")
    if n_refused:
        notes.append(f"{n_refused:,} lines of the library could not be read and were not searched")
    return notes
