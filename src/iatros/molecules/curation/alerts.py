"""Substructures that medicinal chemists distrust, by the published lists."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from rdkit.Chem import FilterCatalog

from iatros.molecules.curation.moses import moses_alerts

SOURCES = {
    "pains": "assay interference, 480 patterns: Baell and Holloway, J Med Chem 53:2719 (2010), as in RDKit",
    "brenk": "unwanted groups, 105 patterns: Brenk et al., ChemMedChem 3:435 (2008), as in RDKit",
    "nih": "reactive and promiscuous groups, 180 patterns: Jadhav et al., J Med Chem 53:37 (2010), as in RDKit",
    "moses": "what the MOSES benchmark keeps out: Polykovskiy et al., Front Pharmacol 11:565644 (2020)",
}
_CATALOGUES = {"pains": "PAINS", "brenk": "BRENK", "nih": "NIH"}


def alerts(mol: Any, sets: tuple[str, ...]) -> tuple[str, ...]:
    """Each alert of `mol` as `set: name`, in the order of `sets`; a name that hits twice is said once."""
    found: dict[str, None] = {}
    for name in sets:
        hits = moses_alerts(mol) if name == "moses" else _hits(mol, name)
        found.update(dict.fromkeys(f"{name}: {hit}" for hit in hits))
    return tuple(found)


def _hits(mol: Any, name: str) -> list[str]:
    return sorted(entry.GetDescription() for entry in _catalogue(name).GetMatches(mol))


@lru_cache(maxsize=len(_CATALOGUES))
def _catalogue(name: str) -> Any:
    settings = FilterCatalog.FilterCatalogParams()
    settings.AddCatalog(getattr(FilterCatalog.FilterCatalogParams.FilterCatalogs, _CATALOGUES[name]))
    return FilterCatalog.FilterCatalog(settings)
