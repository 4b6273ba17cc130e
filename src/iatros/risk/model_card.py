"""The model card: one page of Markdown that travels with the bundle."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from iatros.core.model_card import NOTICE, cautions, groups, performance, plain, sides, table, unknown
from iatros.core.report.numbers import NONE, count
from iatros.core.report_sections.reading import Result
from iatros.core.report_sections.tripod import checklist
from iatros.risk.report_sections.opening import findings, question


def model_card(result: Mapping[str, Any]) -> str:
    """The card as Markdown; names from the data are escaped, so they can neither format nor link.

    >>> model_card({"model": "forest", "target": {"name": "death"}}).splitlines()[0]
    '# Model card: forest for death'
    """
    reading = Result(result)
    predicted = reading.event if reading.task == "binary" else reading.outcome
    parts = [
        f"# Model card: {plain(reading.model)} for {plain(predicted)}",
        NOTICE,
        _identity(reading),
        _use(reading),
        _data(reading),
        performance(reading),
        groups(reading),
        cautions(reading, findings(reading)),
        unknown(checklist(result), "TRIPOD+AI"),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _identity(result: Result) -> str:
    data, created = result.mapping("data"), result.mapping("created")
    rows = [
        ("Question", question(result)),
        ("Method", result.model),
        ("Outcome", f"{result.outcome} ({result.task})"),
        ("iatros", result.mapping("versions").get("iatros") or result.part("iatros") or NONE),
        ("Run", result.part("run_id") or created.get("run_id") or NONE),
        ("Seed", result.document.get("seed", NONE)),
        ("Data fingerprint", data.get("fingerprint") or NONE),
    ]
    return "## Model\n\n" + table(("", ""), rows)


def _use(result: Result) -> str:
    gives = {
        "binary": f"the probability of {result.event}, a conformal set, and flags for unusual input",
        "multiclass": "a probability for each class, a conformal set, and flags for unusual input",
        "continuous": "a value with a prediction interval, and flags for unusual input",
    }.get(result.task, "a prediction")
    return (
        "## Use\n\n"
        f"Gives {plain(gives)}. Intended for research and for local validation.\n\n"
        "Not stated by the run, to be written by the authors: intended patients, place in the care pathway, intended "
        "users, what must not be done with it."
    )


def _data(result: Result) -> str:
    data = result.mapping("data")
    columns = result.mapping("schema").get("columns") or result.items("schema")
    used, read = count(data.get("n_used")), count(data.get("n_read"))
    lines = [f"{used} rows used of {read} read; {len(columns)} columns learned from."]
    parts = [*lines, sides(result)]
    return "## Data\n\n" + "\n\n".join(part for part in parts if part)
