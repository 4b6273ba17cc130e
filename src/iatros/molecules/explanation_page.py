"""The page of contributions that a person reads: each structure beside its fragments, and what the checks say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from iatros.core.report import (
    Block,
    Document,
    Drawing,
    Estimate,
    Facts,
    Grid,
    Heading,
    Note,
    Paragraph,
    Row,
    Section,
    Table,
    render,
)
from iatros.core.report.numbers import NONE, number, rounded


def explanation_page(result: dict[str, Any], drawings: Sequence[str], run_id: str) -> str:
    """HTML of the answer of `explaining.explain`; `drawings` holds the SVG of each compound."""
    sections = (
        Section("How to read this page", _reading(result), "reading"),
        Section("Compounds", _compounds(result, drawings), "compounds"),
        Section("Can the maps be believed?", _checks(result["checks"]), "checks"),
    )
    return render(
        Document(
            title="What the answers rest on",
            kicker=f"{result['model']} · {result['endpoint']}",
            subtitle=f"{_compounds_of(result['n'])} from {result['source']}",
            sections=sections,
            closing=f"Run {run_id}" if run_id else "",
        )
    )


def _reading(result: dict[str, Any]) -> tuple[Block, ...]:
    facts = Facts(
        (
            ("contribution", "what the calibrated prediction loses when the atom is hidden from the model"),
            ("colours", "orange discs raise the prediction, blue ones lower it; the larger, the more"),
            (
                "scale",
                f"the same on the whole page, up to {rounded(result['scale'])} {result['unit']}".rstrip(),
            ),
            ("baseline", f"{rounded(result['baseline'])}, the prediction for methane"),
            ("model", f"{result['model']}, bundle {result['bundle_sha256'][:12]}"),
        )
    )
    lead = Paragraph(
        "A map shows what moved the model's answer, not what acts on the target. Contributions do not add up: hiding "
        "two atoms is not hiding one and then the other, so their sum is neither the prediction nor its difference "
        "from the baseline.",
        "lead",
    )
    return lead, facts, *(Note(said, "warning") for said in result["notes"])


def _compounds(result: dict[str, Any], drawings: Sequence[str]) -> tuple[Block, ...]:
    blocks: list[Block] = []
    for row, svg in zip(result["compounds"], drawings, strict=True):
        strongest = max(row["atoms"], key=lambda atom: abs(atom["contribution"]))
        alt = (
            f"Structure of {row['name']} with the contributions of its atoms; the strongest is "
            f"{strongest['element']} number {strongest['atom'] + 1} with {rounded(strongest['contribution'])}"
        )
        said = f"{result['answer']} {rounded(row['prediction'])}"
        unit = "" if result["task"] == "binary" else f" {result['unit']}".rstrip()
        blocks.append(Heading(f"{row['name']}: {said}{unit}"))
        if not row["in_domain"]:
            blocks.append(
                Note("outside the domain of applicability: the answer itself is in doubt", "warning")
            )
        blocks.append(Grid((Drawing(svg, alt, caption=row["smiles"]), _fragments(row))))
    return tuple(blocks)


def _fragments(row: dict[str, Any]) -> Table:
    rows = [Row((part["smiles"], _signed(part["contribution"]))) for part in row["fragments"]]
    left = row["n_fragments"] - len(row["fragments"])
    if left:
        shown = sum(part["contribution"] for part in row["fragments"])
        rows.append(Row((f"{left} more", _signed(row["sum"] - shown))))
    rows.append(Row(("sum", _signed(row["sum"])), kind="strong"))
    return Table(("fragment", "contribution"), tuple(rows), right=(1,))


def _signed(value: float) -> str:
    return ("+" if value > 0 else "") + rounded(value)


def _checks(checks: dict[str, Any]) -> tuple[Block, ...]:
    agreed, exchanged, structure = (checks[name] for name in ("agreement", "randomisation", "structure"))
    rows = (
        Row(
            (
                "the fits of the model draw the same map",
                Estimate(agreed["rank_correlation"], digits=2),
                f"{number(agreed['bound'], 1)} or more",
                _verdict(agreed["passes"]),
            )
        ),
        Row(
            (
                "the map stays the same when features are exchanged",
                Estimate(exchanged["rank_correlation"], digits=2),
                f"below {number(exchanged['bound'], 1)}",
                _verdict(exchanged["passes"]),
            )
        ),
        Row(
            (
                "the map ranks atoms as their number of neighbours does",
                Estimate(structure["rank_correlation"], digits=2),
                f"below {number(structure['bound'], 1)}",
                _verdict(structure["passes"]),
            )
        ),
    )
    maps, dealt, sizes = (_compounds_of(one["n"]) for one in (agreed, exchanged, structure))
    said = (
        f"Mean rank correlations over atoms: of the maps of {agreed['n_fits']} parts of the model with each other "
        f"({maps}), of the maps with those of a model whose features were dealt out anew, so that "
        f"nothing is left of what it learned ({dealt}), and of the size of the contributions with "
        f"how many atoms lie within two bonds ({sizes}). The last needs no model: a map that is "
        "like it shows the structure alone."
    )
    return (
        Paragraph(said),
        Table(("check", "rank correlation", "wanted", ""), rows, right=(1,)),
    )


def _compounds_of(n: int) -> str:
    return f"{n:,} compound{'' if n == 1 else 's'}"


def _verdict(passes: bool | None) -> str:
    if passes is None:
        return f"{NONE} (does not apply)"
    return "passes" if passes else "fails"
