"""Flow of rows or images: counts as they are, patients only where they are told apart."""

from __future__ import annotations

from iatros.core.report import FlowDiagram
from iatros.core.report_sections.flow import flow_section
from iatros.core.report_sections.reading import Result

RESULT = {
    "flow": [
        {"step": "read", "n_rows": 130, "n_patients": 71},
        {"step": "with a label", "n_rows": 127, "n_patients": 71, "note": "no label in three"},
    ],
    "splits": {
        "train": {"n_rows": 90, "n_patients": 50, "n_events": 30},
        "held_out": {"n_rows": 37, "n_patients": 37, "n_events": None},
    },
}


def drawn(**given: str) -> FlowDiagram:
    section = flow_section(Result(RESULT), **given)
    (diagram,) = section.blocks
    assert isinstance(diagram, FlowDiagram)
    return diagram


def test_images_and_their_patients_are_counted_apart() -> None:
    diagram = drawn(noun="images")
    assert diagram.steps[0].lines == ("130 images of 71 patients",)
    assert diagram.steps[1].lost == ("Left out: 3 images", "no label in three")
    assert [branch.lines for branch in diagram.branches] == [
        ("90 images of 50 patients", "30 events (33.3%)"),
        ("37 images",),
    ]


def test_rows_of_their_own_patient_are_patients() -> None:
    assert drawn().branches[1].lines == ("37 patients",)


def test_an_absent_flow_is_named() -> None:
    assert "Not available" in repr(flow_section(Result({}), title="Flow of images"))
