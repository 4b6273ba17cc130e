"""How far an answer can be trusted: coverage, domain, near-duplicates, activity cliffs, and chance as a rival."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from iatros.core.report import (
    Axis,
    Bar,
    BarChart,
    Block,
    Cell,
    Facts,
    Heading,
    Paragraph,
    Row,
    Section,
    Table,
)
from iatros.core.report.numbers import NONE, count, is_number, number, percent, rounded
from iatros.core.report_sections.reading import Result, blocks
from iatros.molecules.report_sections.words import running, words, written

_PAIRS = 20


def conformal_section(result: Result) -> Section:
    """Section: do the sets or intervals hold the truth as often as they promise?"""
    found = {
        str(name): part["conformal"]
        for name, part in result.mapping("by_endpoint").items()
        if isinstance(part, Mapping) and isinstance(part.get("conformal"), Mapping)
    }
    if not found:
        return Section("Conformal prediction", (result.absent("conformal"),), "conformal")
    level = next(iter(found.values())).get("confidence_level")
    binary = result.task == "binary"
    kind = "a set of classes" if binary else "an interval"
    lead = Paragraph(
        f"Beside each prediction stands {kind} that should hold the truth for {percent(level, 0)} of new compounds "
        "that are to those learned from as new groups of compounds are to the old; what varies is how wide it must be. "
        + (
            ""
            if binary
            else "It is wider for compounds that are less similar to those learned from, and where models disagree. "
        )
        + "The rule was set on predictions of fits that had not seen the compound.",
        "lead",
    )
    classes = [str(name) for one in found.values() for name in one.get("by_class") or {}]
    header = ["Endpoint", "Coverage reached", "Mean number of classes" if binary else "Mean width"]
    header += ["Of inactives", "Of actives"] if classes else []
    rows = []
    for name, one in found.items():
        cells: list[Cell] = [name, written(one.get("coverage"), "coverage"), rounded(one.get("mean_extent"))]
        cells += [written(part, "coverage") for part in (one.get("by_class") or {}).values()]
        rows.append(Row(tuple(cells)))
    right = tuple(range(1, len(header)))
    return Section(
        "Conformal prediction", (lead, Table(tuple(header), tuple(rows), right=right)), "conformal"
    )


def domain_section(result: Result) -> Section:
    """Section: how many judged compounds the model knows the kind of, and whether it errs more on the others."""
    found = result.mapping("domain_of_applicability")
    if not found:
        return Section("Domain of applicability", (result.absent("domain_of_applicability"),), "domain")
    limits = [
        (
            "Least similarity",
            f"{number(found.get('least_similarity'))}, the mean to the {count(found.get('n_nearest'))} nearest "
            "training compounds"
            if found.get("fingerprints_kept")
            else "not judged: fingerprints of the training compounds were not kept",
        ),
        (
            "Most disagreement",
            f"{rounded(found['most_spread'])} between members of the ensemble, in units of the outcome's spread"
            if is_number(found.get("most_spread"))
            else "no limit: it does not tell good from bad predictions here, or there is one model",
        ),
    ]
    lead = Paragraph(
        "A compound lies outside where it is less similar to those learned from, or the members of the ensemble "
        "disagree more about it, than all but one in twenty development compounds when they were unseen.",
        "lead",
    )
    sides = [(name, found.get(name) or {}) for name in ("inside", "outside")]
    names = list(dict.fromkeys(key for _, side in sides for key in side.get("metrics") or {}))
    rows = tuple(
        Row(
            (
                name.capitalize(),
                count(side.get("n")),
                *(
                    written(side["metrics"][key], key) if key in (side.get("metrics") or {}) else NONE
                    for key in names
                ),
            )
        )
        for name, side in sides
    )
    table = Table(
        ("Judged compounds", "n", *(words(key).label for key in names)),
        rows,
        foot="A side with fewer than ten compounds has no metrics.",
        right=tuple(range(1, len(names) + 2)),
        stacked=True,
    )
    return Section("Domain of applicability", (lead, Facts(tuple(limits)), table), "domain")


def trust_section(result: Result) -> Section:
    """Section: near-duplicates between the sides, activity cliffs, and what chance alone reaches."""
    found = blocks(*_near(result), *_cliffs(result), *_scrambling(result))
    if not found:
        found = (result.absent("near_duplicates"),)
    return Section("Near-duplicates, cliffs and chance", found, "trust")


def _near(result: Result) -> tuple[Block, ...]:
    near = result.mapping("near_duplicates")
    if not near:
        return ()
    said = (
        f"Of {count(near.get('n_test'))} judged compounds {count(near.get('n_near'))} have a compound at a Tanimoto "
        f"similarity of {number(near.get('threshold'), 1)} or more among those that were learned from, "
        f"{count(near.get('n_identical'))} of them with the same fingerprint"
    )
    if is_number(near.get("n_same_connectivity")):
        said += (
            f"; {count(near['n_same_connectivity'])} differ from one at most in stereo, isotopes or the place of "
            "hydrogens"
        )
    counted = near.get("histogram") or {}
    pairs = [pair for pair in near.get("pairs") or [] if isinstance(pair, Mapping)]
    rows = tuple(
        Row((_named(pair.get("test")), _named(pair.get("development")), number(pair.get("similarity"), 2)))
        for pair in pairs[:_PAIRS]
    )
    return blocks(
        Heading("Near-duplicates"),
        Paragraph(said + "."),
        _nearness(counted) if counted.get("edges") else None,
        Table(("Judged", "Learned from", "Similarity"), rows, right=(2,), compact=True) if rows else None,
    )


def _nearness(counted: Mapping[str, Any]) -> BarChart:
    edges = counted["edges"]
    bars = tuple(
        Bar(f"{number(low, 1)} to {number(high, 1)}", float(n))
        for low, high, n in zip(edges[:-1], edges[1:], counted["counts"], strict=True)
    )
    return BarChart(
        "How near the judged compounds are",
        "Number of judged compounds by the similarity of their nearest development compound.",
        Axis("judged compounds", 0.0, whole=True),
        bars,
        digits=0,
        caption="By the similarity of the nearest development compound.",
    )


def _named(one: Any) -> str:
    if not isinstance(one, Mapping):
        return NONE
    return f"line {count(one.get('line'))}" + (f" ({one['name']})" if one.get("name") else "")


def _cliffs(result: Result) -> tuple[Block, ...]:
    rows = []
    for one in result.items("cliffs"):
        if not isinstance(one, Mapping):
            continue
        cells: tuple[Cell, ...] = (
            str(one.get("endpoint")),
            count(one.get("similar_pairs")),
            count(one.get("cliffs")),
            number(one.get("rmse_at_cliffs")),
            number(one.get("rmse_others")),
            written(one.get("difference"), "rmse") if one.get("difference") else NONE,
        )
        rows.append(Row(cells))
    if not rows:
        return ()
    said = (
        "Pairs of judged compounds that are nearly the same and act differently. No model that reasons by similarity "
        "can be right about both."
    )
    header = ("Endpoint", "Similar pairs", "Cliffs", "RMSE at cliffs", "RMSE elsewhere", "Difference")
    return Heading("Activity cliffs"), Paragraph(said), Table(header, tuple(rows), right=(1, 2, 3, 4, 5))


def _scrambling(result: Result) -> tuple[Block, ...]:
    found = result.mapping("y_scrambling")
    if not is_number(found.get("score")):
        return ()
    metric = running(str(found.get("metric")))
    facts = (
        ("Quick model", str(found.get("model"))),
        ("On the real outcomes", f"{metric} {number(found['score'])}"),
        (
            f"On {count(found.get('n'))} shuffles",
            f"{metric} {number(found.get('mean_permuted'))} on average, {number(found.get('best_permuted'))} at best",
        ),
        ("Share of shuffles at least as good", number(found.get("p_value"), 3)),
    )
    said = (
        "Outcomes were shuffled between compounds, so that nothing is left to learn; a procedure that still seems to "
        "predict is judged wrongly."
    )
    return Heading("y-scrambling"), Paragraph(said), Facts(facts)
