"""What a worker does with a batch of lines: chemistry and measurement of each, on its own."""

from __future__ import annotations

from dataclasses import dataclass

from rdkit import Chem, rdBase

from iatros.molecules.curation.alerts import alerts
from iatros.molecules.curation.druglikeness import broken_rules, properties
from iatros.molecules.curation.measuring import MeasurementError, Scale, measure
from iatros.molecules.curation.parsing import StructureError, parse
from iatros.molecules.curation.standardising import Rules, Standard, standardise
from iatros.molecules.schema import Entry, Identified, Judged, Structure

MAX_GIVEN_CHARACTERS = 500


@dataclass(frozen=True)
class Settings:
    """What is the same for all lines of a run."""

    rules: Rules
    alerts: tuple[str, ...]
    scale: Scale | None


def prepare(settings: Settings, entries: list[Entry]) -> list[Judged]:
    """Each entry with its structure and measurement, or with the reason why it is refused."""
    with rdBase.BlockLogs():  # RDKit would write the structures that it complains about to stderr
        return [_judge(settings, entry) for entry in entries]


def _judge(settings: Settings, entry: Entry) -> Judged:
    given = "" if entry.molblock else entry.structure[:MAX_GIVEN_CHARACTERS]
    refused = Judged(entry.line, entry.name, given, entry.refusal)
    if entry.refusal:
        return refused
    try:
        structure = _structure(settings, entry)
        measurement, remark = (None, "") if settings.scale is None else measure(entry, settings.scale)
    except (StructureError, MeasurementError) as error:
        return refused._replace(refusal=str(error))
    except (RuntimeError, ValueError):  # what RDKit raises where its own checks fail
        return refused._replace(refusal="the structure cannot be processed")
    return Judged(entry.line, entry.name, given, "", structure, measurement, remark)


def identify(rules: Rules, entries: list[Entry]) -> list[Identified]:
    """The standard structure of each entry alone, without alerts, rules of thumb and measurement."""
    with rdBase.BlockLogs():
        return [_identify(rules, entry) for entry in entries]


def _identify(rules: Rules, entry: Entry) -> Identified:
    if entry.refusal:
        return Identified(entry.refusal)
    try:
        standard, inchikey = _standard(rules, entry)
    except StructureError as error:
        return Identified(str(error))
    except (RuntimeError, ValueError):
        return Identified("the structure cannot be processed")
    return Identified("", standard.smiles, inchikey, standard.changes, standard.flags)


def _standard(rules: Rules, entry: Entry) -> tuple[Standard, str]:
    standard = standardise(parse(entry.structure, molblock=entry.molblock), rules)
    inchikey = Chem.MolToInchiKey(standard.mol)
    if not inchikey:
        raise StructureError("no InChI can be made of the structure")
    return standard, inchikey


def _structure(settings: Settings, entry: Entry) -> Structure:
    standard, inchikey = _standard(settings.rules, entry)
    found = properties(standard.mol)
    return Structure(
        standard.smiles,
        inchikey,
        standard.changes,
        standard.flags,
        alerts(standard.mol, settings.alerts),
        broken_rules(found),
        found[:6],
    )
