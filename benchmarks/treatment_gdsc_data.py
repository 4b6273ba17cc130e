"""GDSC: how strongly 266 compounds inhibit 969 cell lines (ln of the IC50 in micromolar), and what both are."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from benchmarks import data
from iatros.learners.compounds.compounds import Compounds
from iatros.learners.compounds.fingerprints import Fingerprint
from iatros.treatment.responses.schema import Block, Features, Responses

_FOLDER = data.SHARED / "gdsc_ccle"
_CATEGORIES = (
    "Site_Primary", "Histology", "Hist_Subtype1", "type_refined", "tcga_code", "Pathology", "Gender"
)  # fmt: skip
_NUMBERS = ("Doubling.Time.Calculated.hrs", "mutRate")
_GROWTH = {"suspension": ("susp",), "adherent": ("adher", "monolayer", "epith"), "fibroblast": ("fibro",)}


@dataclass(frozen=True)
class Gdsc:
    """The responses, and for each drug the number of its compound: two screens of one compound are alike."""

    responses: Responses
    compound: np.ndarray


def load(*, with_methylation: bool) -> Gdsc:
    """Every line, or those 561 whose methylation is known, which is then one of their features."""
    rows = _rows("GDSC_IC50.csv")
    lines, drugs = tuple(rows[0][1:]), tuple(row[0].removeprefix("GDSC:") for row in rows[1:])
    values = np.array(
        [[float(one) if one not in ("", "NA") else np.nan for one in row[1:]] for row in rows[1:]]
    ).T
    kept = np.arange(len(lines))
    methylation, measured = _methylation()
    if with_methylation:
        kept = np.array([place for place, name in enumerate(lines) if name in measured])
    lines, values = tuple(lines[place] for place in kept), values[kept]
    blocks = _line_blocks(lines)
    if with_methylation:
        blocks.append(("methylation", "numbers", methylation[[measured[name] for name in lines]]))
    of_drugs, compound = _drugs(drugs)
    row, column = np.nonzero(~np.isnan(values))
    responses = Responses(
        lines, drugs, row.astype(np.int64), column.astype(np.int64), values[row, column],
        of_subjects=_features(blocks), of_treatments=_features(of_drugs),
    )  # fmt: skip
    return Gdsc(responses, compound)


def _rows(name: str, delimiter: str = ",") -> list[list[str]]:
    quoting = csv.QUOTE_NONE if delimiter == "\t" else csv.QUOTE_MINIMAL
    with (_FOLDER / name).open(encoding="latin-1", newline="") as file:
        return list(csv.reader(file, delimiter=delimiter, quoting=quoting))


def _methylation() -> tuple[np.ndarray, dict[str, int]]:
    """Shares of methylated copies at 808 places (561, 808), and the row of each line."""
    with gzip.open(_FOLDER / "genomic_methylation_561celllines_808genes_demap_features.csv.gz", "rt") as file:
        rows = list(csv.reader(file))[1:]
    return np.array([[float(one) for one in row[1:]] for row in rows]), {
        row[0]: k for k, row in enumerate(rows)
    }


def _line_blocks(lines: tuple[str, ...]) -> list[tuple[str, str, np.ndarray]]:
    rows = _rows("Cell_lines_annotations_20181226.txt", "\t")
    place = {name: k for k, name in enumerate(rows[0])}
    told = {row[place["depMapID"]]: row for row in rows[1:]}
    nothing = [""] * len(rows[0])

    def column(name: str) -> list[str]:
        return [told.get(line, nothing)[place[name]] for line in lines]

    blocks = [(name, "categories", _one_hot([{one} for one in column(name)])) for name in _CATEGORIES]
    growth = [
        {name for name, parts in _GROWTH.items() if any(part in text.lower() for part in parts)} or {""}
        for text in column("Characteristics")
    ]
    blocks.append(("growth", "categories", _one_hot(growth)))
    return blocks + [(name, "numbers", _logarithm(column(name))) for name in _NUMBERS]


def _logarithm(texts: Iterable[str]) -> np.ndarray:
    """The standardised logarithm, 0 where it is missing, and beside it whether it is: (n, 2)."""
    values = np.array([np.log(float(one)) if one not in ("", "NA") else np.nan for one in texts])
    missing = np.isnan(values)
    scaled = (values - np.nanmean(values)) / np.nanstd(values)
    return np.column_stack([np.where(missing, 0.0, scaled), missing])


def _one_hot(sets: list[set[str]]) -> np.ndarray:
    levels = sorted(set().union(*sets))
    return np.array([[float(level in one) for level in levels] for one in sets])


def _drugs(drugs: tuple[str, ...]) -> tuple[list[tuple[str, str, np.ndarray]], np.ndarray]:
    """Fingerprints (none of drugs without a structure), targets and pathway; and the compound of each drug."""
    rows = _rows("1.Drug_listMon Jun 24 09_00_55 2019.csv")
    told = {row[0]: dict(zip(rows[0], row, strict=True)) for row in rows[1:]}
    listed = [told[drug] for drug in drugs]
    text = (_FOLDER / "223drugs_pubchem_smiles.txt").read_text()
    smiles = dict(line.split("\t") for line in text.splitlines())
    bits = np.zeros((len(drugs), 2048))
    known = [k for k, one in enumerate(listed) if one["PubCHEM"] in smiles]
    bits[known] = Compounds([smiles[listed[k]["PubCHEM"]] for k in known]).matrix([Fingerprint("morgan")])
    targets = _one_hot([{part.strip() for part in one["Targets"].split(",")} for one in listed])
    pathway = _one_hot([{one["Target pathway"]} for one in listed])
    blocks = [
        ("fingerprint", "bits", bits), ("targets", "bits", targets), ("pathway", "categories", pathway)
    ]  # fmt: skip
    compound = _joined([one["Name"] for one in listed], [one["PubCHEM"] for one in listed], known)
    return blocks, compound


def _joined(names: list[str], structures: list[str], known: list[int]) -> np.ndarray:
    """One number for the drugs that share a name, or a structure where it is known."""
    place = {name: k for k, name in enumerate(dict.fromkeys(names))}
    number = [place[name] for name in names]
    first: dict[str, int] = {}
    for k in known:
        other = first.setdefault(structures[k], number[k])
        number = [other if one == number[k] else one for one in number]
    return np.array(number)


def _features(blocks: list[tuple[str, str, np.ndarray]]) -> Features:
    place: int = 0
    listed: list[Block] = []
    for name, kind, values in blocks:
        listed.append(Block(name, kind, place, place + values.shape[1]))  # type: ignore[arg-type]
        place += values.shape[1]
    return Features(np.hstack([values for _, _, values in blocks]), tuple(listed))
