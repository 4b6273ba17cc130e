"""The section about predicted effects: do they order the subjects, and are they as large as those found?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from iatros.core.report import Axis, Grid, LineChart, Paragraph, Points, Row, Section, Series, Table
from iatros.core.report_sections.reading import Result
from iatros.treatment.policies.report_values import shown


def effects_section(result: Result) -> Section:
    """Section: gain curves with Qini, and calibration by fifths, for each arm against the reference."""
    found = result.items("uplift")
    if not found:
        return Section("Predicted effects", (result.absent("uplift"),), "effects")
    lead = (
        "Individual effects of subjects not learned from, against doubly robust scores of what was found in them; "
        "positive is better. Qini: area between the curve and the line of treating as many drawn at random (0: no "
        "better than chance). Slope 1: effects differ as much as predicted; 0: the prediction tells no difference."
    )
    table = Table(
        ("Comparison", "Qini", "AUUC", "Slope", "Found less predicted"),
        tuple(
            Row((
                f"{one['arm']} against {one['reference']}",
                *(shown(one[name]) for name in ("qini", "auuc", "slope", "excess")),
            ))
            for one in found
        ),
        right=(1, 2, 3, 4),
        stacked=True,
    )  # fmt: skip
    pictures = tuple(picture for one in found for picture in (_curve(one), _calibration(one)))
    return Section("Predicted effects", (Paragraph(lead, "lead"), table, Grid(pictures)), "effects")


def _curve(one: Mapping[str, Any]) -> LineChart:
    curve = one["curve"]
    pair = f"{one['arm']} against {one['reference']}"
    return LineChart(
        f"Gain, {pair}",
        f"Gain against the share treated, largest predicted effect first; Qini {shown(one['qini'])}",
        Axis("share treated, largest predicted effect first", 0.0, 1.0, percent=True),
        Axis("gain over the reference"),
        (
            Series("by predicted effect", curve["share"], curve["gain"], curve["low"], curve["high"]),
            Series("at random", [0.0, 1.0], [0.0, curve["gain"][-1]], dash="dashed", role="reference"),
        ),
        corner=(f"Qini {shown(one['qini'])}",),
    )


def _calibration(one: Mapping[str, Any]) -> LineChart:
    predicted = [fifth["predicted"] for fifth in one["fifths"]]
    found = [fifth["found"] for fifth in one["fifths"]]
    ends = [
        min([*predicted, *(each["low"] for each in found if each["low"] is not None)]),
        max([*predicted, *(each["high"] for each in found if each["high"] is not None)]),
    ]
    pair = f"{one['arm']} against {one['reference']}"
    return LineChart(
        f"Calibration, {pair}",
        "Effect found against effect predicted, by fifths of the predicted effect within its fold",
        Axis("mean predicted effect"),
        Axis("effect found"),
        (Series("equal", ends, ends, dash="dashed", role="reference"),),
        (
            Points(
                "fifths", predicted, [each["value"] for each in found], [each["low"] for each in found],
                [each["high"] for each in found],
            ),
        ),
        corner=(f"slope {shown(one['slope'])}",),
    )  # fmt: skip
