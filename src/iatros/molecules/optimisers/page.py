"""The page of an optimisation: how the search went, what was asked, and the best compounds drawn."""

from __future__ import annotations

from typing import Any

from iatros.core.report import (
    Axis,
    Block,
    Document,
    Drawing,
    Facts,
    Grid,
    LineChart,
    Note,
    Paragraph,
    Row,
    Section,
    Series,
    Table,
    render,
)
from iatros.core.report.numbers import count, number, percent
from iatros.molecules.depicting import draw_structure

_DRAWN = 48


def page(result: dict[str, Any], rows: list[dict[str, Any]]) -> str:
    """HTML of the result of `optimisation.optimise`; `rows` are the best compounds."""
    sections = [
        Section("The search", _course(result), "search"),
        Section("The ledger", _ledger(result), "ledger"),
        Section("The objective", _objective(result), "objective"),
    ]
    if rows:
        sections.insert(1, Section("The best compounds", _best(rows), "best"))
    return render(
        Document(
            title="Optimised compounds",
            kicker=f"{result['objective']['name']} · {result['optimiser']}",
            subtitle=f"{count(result['ledger']['n_calls'])} calls, started from {result['start']['source']}",
            banner="Research software, not a medical device. A generated compound is an idea: nobody has made it.",
            opening=tuple(Note(said) for said in result["notes"]),
            sections=tuple(sections),
            closing=f"Seed {result['seed']}",
        )
    )


def _course(result: dict[str, Any]) -> tuple[Block, ...]:
    calls = [point["calls"] for point in result["curve"]]
    quality, above = result["quality"], result["above_threshold"]
    chart = LineChart(
        "Score by calls",
        f"The best score rises to {number(result['top_1'])}, the mean of the best ten to {number(result['top_10'])}",
        Axis("calls of the objective", low=0.0, whole=True),
        Axis("score", low=0.0),
        (
            Series("best", calls, [point["best"] for point in result["curve"]]),
            Series("mean of the best 10", calls, [point["best_10"] for point in result["curve"]]),
        ),
    )
    facts = Facts(
        (
            ("best, best 10, best 100", " / ".join(number(result[f"top_{n}"]) for n in (1, 10, 100))),
            (
                "area under the mean of the best 10",
                f"{number(result['auc_top_10'])} over {count(result['ledger']['budget_calls'])} calls",
            ),
            (
                f"score {number(above['threshold'], 2)} or more",
                f"{count(above['n_compounds'])} compounds with {count(above['n_scaffolds'])} scaffolds",
            ),
            (f"scaffolds of the best {count(quality['n'])}", count(quality["n_scaffolds"])),
            (
                "internal diversity",
                f"{number(quality['internal_diversity'])}: 1 less the mean similarity of two of them",
            ),
            (
                "novel",
                f"{percent(quality['novel'])} of them less than {quality['novel_below_similarity']} like any start "
                "compound",
            ),
            (
                "mean synthetic accessibility, QED",
                f"{number(quality['synthetic_accessibility'], 2)} (1 easy, 10 hard), {number(quality['qed'], 2)}",
            ),
        )
    )
    return chart, facts


def _best(rows: list[dict[str, Any]]) -> tuple[Block, ...]:
    shown = rows[:_DRAWN]
    lead = Paragraph(
        f"The best {count(len(shown))} of those in best.csv. A score says how well the objective is met, not that a "
        "compound acts or can be made.",
        "lead",
    )
    drawings = tuple(
        Drawing(draw_structure(row["smiles"]), f"Structure of rank {row['rank']}", _caption(row), width=220)
        for row in shown
    )
    return lead, Grid(drawings, columns=4)


def _caption(row: dict[str, Any]) -> str:
    parts = ", ".join(
        f"{name.removesuffix(' (part)')} {number(value, 2)}"
        for name, value in row.items()
        if name.endswith(" (part)")
    )
    return (
        f"{row['rank']}: {number(row['score'])} ({parts}); SA {number(row['synthetic_accessibility'], 1)}, "
        f"similarity to start {number(row['similarity_to_start'], 2)}"
    )


def _ledger(result: dict[str, Any]) -> tuple[Block, ...]:
    held = result["ledger"]
    words = (
        ("asked", "n_asked", "texts in all"),
        ("calls", "n_calls", "different valid compounds"),
        ("repeated", "n_repeated", "asked before; not scored again"),
        ("invalid", "n_invalid", "no molecules"),
        ("passed over", "n_passed_over", "candidates that the search thought of and did not ask for"),
        ("prescreened", "n_prescreened", "scored before the search began"),
        ("zero with a reason", "n_zero_with_reason", "a constraint not met, a value that does not exist"),
        ("without a score", "n_without_score", "nan, reported in scored.csv"),
        ("penalised", "n_penalised", "beyond what the diversity filter rewards of a scaffold"),
    )
    rows = tuple(Row((word, count(held[name]), meaning)) for word, name, meaning in words)
    charged = (
        Row(("charged as unique", count(held["charged_unique"]), "as in PMO"), "strong"),
        Row(
            ("charged as all", count(held["charged_all"]), "every text, prescreened ones included"), "strong"
        ),
    )
    foot = (
        f"The search was charged by “{held['charge']}”, of {count(held['budget_calls'])} calls. The objective took "
        f"{number(held['objective_seconds'], 1)} s of {number(held['search_seconds'], 1)} s."
    )
    return (Table(("What", "Number", "Meaning"), (*rows, *charged), right=(1,), foot=foot),)


def _objective(result: dict[str, Any]) -> tuple[Block, ...]:
    checked = result["start"]["checked"]
    rows = tuple(
        Row((one["name"], one["unit"], *(number(value) for value in (*one["values"], *one["suited"]))))
        for one in checked["parts"]
    )
    table = Table(
        ("Part", "Unit", "Lowest", "Highest", "Lowest, transformed", "Highest, transformed"),
        rows,
        caption=f"What {count(checked['n'])} start compounds reach",
        right=(2, 3, 4, 5),
        foot=f"Transformed parts lie between 0 and 1 and are joined by {result['objective']['combine']}.",
    )
    return (table,)
