"""The report of a trained generator: what it learned from, how learning went, and what it writes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from iatros.core.model_card import plain as escaped
from iatros.core.model_card import table
from iatros.core.report import (
    Axis,
    Block,
    Document,
    Drawing,
    Facts,
    Finding,
    Findings,
    FlowDiagram,
    FlowStep,
    Grid,
    KeyNumber,
    KeyNumbers,
    LineChart,
    Note,
    Paragraph,
    Row,
    Section,
    Series,
    Table,
    render,
)
from iatros.core.report.document import Estimate
from iatros.core.report.numbers import count, is_number, number, percent
from iatros.core.report_sections.reading import Result, from_key
from iatros.core.report_sections.record import PROMISE, reproducibility_section
from iatros.molecules.depicting import draw_structure
from iatros.molecules.generating.adversaries import adversarial_sections

_BANNER = "Research software, not a medical device. A generated compound is an idea: nobody has made it."
_LIMITS = (
    "A generator imitates the library that it learned from: what is rare there stays rare, and what is not there is "
    "hardly ever written.",
    "Valid means that the structure can be read, not that it is stable or can be made.",
    "Novel means not in this library; it may be known elsewhere, or patented.",
    "How close the distributions are is measured by iatros molecules evaluate, against compounds that were not learned "
    "from.",
)
_SHARES = {
    "valid": ("Valid", "of what was written"),
    "unique": ("Unique", "of the valid"),
    "novel": ("Novel", "of the unique"),
}
_DRAWN = 12


def report(result: Mapping[str, Any]) -> str:
    """HTML of the result of `learned.train_space`."""
    return render(build(result))


def build(result: Mapping[str, Any]) -> Document:
    """The report as data, ready to be drawn."""
    data = result["data"]
    return Document(
        title=f"Compounds like those of {data['source']}: a generator ({result['model']})",
        kicker="Generator report",
        subtitle="What new compounds look like those of the library?",
        banner=_BANNER,
        opening=_opening(result),
        sections=(
            Section("Library", _library(data), "library"),
            Section("Learning", _learning(result["training"]), "learning"),
            *adversarial_sections(result["training"]),
            *_actives(result),
            Section("What it writes", _writes(result), "sample"),
            Section("Limits", tuple(Paragraph(said) for said in _LIMITS), "limits"),
            reproducibility_section(Result(result), promise=_promise(result)),
        ),
        closing="Written by iatros. Research software, not a medical device.",
    )


def model_card(result: Mapping[str, Any]) -> str:
    """The card as Markdown."""
    data, metrics = result["data"], result["metrics"]["sample"]
    shares = [
        (label, str(_estimate(metrics[name])), of) for name, (label, of) in _SHARES.items() if name in metrics
    ]
    parts = [
        f"# Model card: {escaped(result['model'])} generator for {escaped(data['source'])}",
        f"> {_BANNER}",
        "## Use\n\nWrites new compounds like those of its library, for choosing what to look at next.",
        "## Data\n\n"
        + table(
            ("", ""),
            [
                ("Library", escaped(data["source"])),
                ("Compounds", f"{data['counts']['n_used']:,}"),
                ("Lines read", f"{data['counts']['n_lines']:,}"),
                ("Lines refused", f"{data['counts']['n_refused']:,}"),
            ],
        ),
        "## Sample\n\n" + table(("Share", "Value", ""), shares),
        "## Limits\n\n" + "\n".join(f"- {said}" for said in _LIMITS),
    ]
    return "\n\n".join(parts) + "\n"


def _promise(result: Mapping[str, Any]) -> str:
    """What another run of the same request gives."""
    if result["request"].get("seconds") is not None:
        return (
            "Time ended the training: the same request makes as many steps as the machine manages by then, so another "
            "run gives another model. Once trained, the same seed writes the same compounds."
        )
    if result["training"].get("device") == "cuda":
        return (
            "Trained on a GPU, which adds numbers in no fixed order: another run gives almost the same model. Once "
            "trained, the same seed writes the same compounds."
        )
    return PROMISE


def _estimate(metric: Mapping[str, Any]) -> Estimate:
    return Estimate(metric.get("value"), metric.get("low"), metric.get("high"))


def _opening(result: Mapping[str, Any]) -> tuple[Block, ...]:
    metrics = result["metrics"]["sample"]
    numbers = tuple(
        KeyNumber(label, _estimate(metrics[name]), of)
        for name, (label, of) in _SHARES.items()
        if name in metrics
    )
    facts = Facts(
        (
            (
                "Library",
                f"{result['data']['source']}, {count(result['data']['counts']['n_used'])} compounds used",
            ),
            ("Model", str(result["model"])),
            ("Weights", count(result["training"].get("n_weights"))),
        )
    )
    found = _findings(result)
    return (facts, KeyNumbers(numbers), *((Findings(found),) if found else ()))


def _findings(result: Mapping[str, Any]) -> tuple[Finding, ...]:
    metrics, found = result["metrics"]["sample"], []
    valid, unique, novel = (metrics.get(name, {}).get("value") for name in _SHARES)
    if is_number(valid) and valid < 0.8:
        found.append(
            Finding("Watch", "watch", f"Only {percent(valid)} of the texts are molecules: learn longer.")
        )
    if is_number(unique) and unique < 0.9:
        found.append(
            Finding(
                "Watch", "watch", f"Only {percent(unique)} of the valid compounds differ: it repeats itself."
            )
        )
    if is_number(novel) and novel < 0.5:
        found.append(
            Finding(
                "Watch", "watch", f"Only {percent(novel)} of them are new: it repeats its library by heart."
            )
        )
    return (*found, *(Finding("Note", "neutral", said) for said in result["notes"]))


def _library(data: Mapping[str, Any]) -> tuple[Block, ...]:
    counts = data["counts"]
    read = counts["n_lines"] - counts["n_blank"]
    steps = (
        FlowStep("Lines", (count(read),)),
        FlowStep("Read", (count(read - counts["n_refused"]),), (f"refused: {count(counts['n_refused'])}",)),
        FlowStep("Different", (count(counts["n_used"]),), (f"repeated: {count(counts['n_repeated'])}",)),
    )
    said = "; ".join(f"{step.name}: {step.lines[0]}" for step in steps)
    rows = tuple(Row((why, count(n))) for why, n in data["reasons"].items())
    blocks: list[Block] = [
        Paragraph(
            "Compounds are learned as the file draws them: the largest organic part, canonical SMILES, each once.",
            "lead",
        ),
        FlowDiagram("From the file to the library", said, steps),
    ]
    if rows:
        blocks.append(Table(("Refused because", "Lines"), rows, right=(1,), compact=True))
    return tuple(blocks)


def _learning(training: Mapping[str, Any]) -> tuple[Block, ...]:
    history = [row for row in training.get("history") or () if isinstance(row, Mapping)]
    charts = []
    for names in _together(history):
        x = [row.get("epoch", place + 1) for place, row in enumerate(history)]
        series = tuple(
            Series(name.replace("_", " "), x, [row.get(name) for row in history]) for name in names
        )
        title = ", ".join(one.name for one in series)
        charts.append(
            LineChart(title, f"{title}, by epoch.", Axis("epoch", whole=True), Axis("value"), series)
        )
    facts = tuple(
        (from_key(name.removeprefix("n_")), count(value) if float(value).is_integer() else number(value))
        for name, value in training.items()
        if is_number(value)
    )
    blocks: list[Block] = [Facts(facts)] if facts else []
    if len(history) > 1:
        blocks.append(Grid(tuple(charts), columns=2))
    else:
        blocks.append(Note("Fewer than two epochs: there is no curve to draw."))
    return tuple(blocks)


def _actives(result: Mapping[str, Any]) -> tuple[Section, ...]:
    """The section about the actives that were learned last; none where there were none."""
    tuned = result["finetuning"]
    if not tuned:
        return ()
    before, after = tuned["before"], tuned["after"]
    rows = tuple(
        Row((side, _estimate(one["similarity"]), count(one["n_valid"])))
        for side, one in (("Before", before), ("After", after))
    )
    source, n_held = result["actives"]["source"], tuned["n_held_out"]
    held = f"{count(n_held)} others were held out" if n_held else "a third at a time was held out before"
    lead = Paragraph(
        f"Of {source}, {count(tuned['n_learned'])} compounds were learned after the library, each in many random "
        f"writings; {held} to tell when learning should end.",
        "lead",
    )
    likeness = Table(
        ("Of 1,000 texts written", "Similarity to the nearest active", "Valid"),
        rows,
        right=(1, 2),
        foot="Mean of Tanimoto's coefficient of circular fingerprints over the valid texts.",
    )
    return (Section("Actives", (lead, likeness, *_learning(tuned)), "actives"),)


def _together(history: list[Mapping[str, Any]]) -> list[list[str]]:
    """Columns of the history that belong into one chart: a value and the same on the tuning compounds."""
    told = dict.fromkeys(name for row in history for name in row if name != "epoch")
    names = sorted(told, key=lambda name: name.startswith("tuning_"))
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(name.removeprefix("tuning_"), []).append(name)
    return list(groups.values())


def _writes(result: Mapping[str, Any]) -> tuple[Block, ...]:
    rows = tuple(
        Row((label, _estimate(metric), of, count(metric.get("n"))))
        for name, (label, of) in _SHARES.items()
        if (metric := result["metrics"]["sample"].get(name))
    )
    drawings = tuple(
        Drawing(draw_structure(smiles), f"Structure {place}", smiles, width=220)
        for place, smiles in enumerate(result["examples"][:_DRAWN], start=1)
    )
    table_ = Table(("Share", "Value", "Of", "n"), rows, right=(1, 3))
    return (table_, Grid(drawings, columns=4)) if drawings else (table_,)
