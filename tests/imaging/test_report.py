"""The imaging report and model card: every part drawn, absent parts named, nothing from the data runs or leaks."""

from __future__ import annotations

import base64
import copy
import functools
import json
import re
from typing import Any

import pytest
from tests.imaging.report_example import TARGETS, example

from iatros.core.report import Document, Finding, Picture, Section, Table, render
from iatros.imaging.claim import checklist, missing_items
from iatros.imaging.claim_items import ITEMS
from iatros.imaging.model_card import model_card
from iatros.imaging.report import REASONS, build, html
from iatros.imaging.report_sections.opening import findings
from iatros.imaging.report_sections.reading import Reading

HOSTILE = '<script>alert("x")</script>'
TASKS = tuple(TARGETS)


@functools.cache
def _made(task: str) -> str:
    return json.dumps(example(task))


def result(task: str = "binary", **changes: Any) -> dict[str, Any]:
    """A fresh copy of the example, as it comes back from a file, with parts replaced."""
    document: dict[str, Any] = json.loads(_made(task))
    return {**document, **changes}


def section(document: Document, anchor: str) -> Section:
    return next(one for one in document.sections if one.anchor == anchor)


def said(document: Document, anchor: str) -> str:
    return repr(section(document, anchor))


def found(document: dict[str, Any]) -> tuple[Finding, ...]:
    return findings(Reading(document))


@pytest.mark.parametrize("task", TASKS)
def test_every_task_makes_a_whole_report(task: str) -> None:
    given = result(task)
    before = copy.deepcopy(given)
    document = build(given)
    page = render(document)
    assert given == before, "the result is read, never changed"
    assert len({one.anchor for one in document.sections}) == len(document.sections) == 22
    assert len(re.findall(r'<section id="', page)) == 22
    assert all(one.references.startswith("CLAIM") for one in document.sections[:-1])
    links = set(re.findall(r'href="#([^"]+)"', page))
    assert links <= set(re.findall(r'id="([^"]+)"', page)), "every link of the page leads somewhere"
    assert "nan" not in re.sub(r"data:[^\"]*", "", page).lower().split()


@pytest.mark.parametrize(
    ("task", "value"),
    [
        ("binary", None),
        ("binary", {}),
        ("multilabel", []),
        *((task, {"reason": "because of this"}) for task in TASKS),
    ],
)
def test_any_part_may_be_absent(task: str, value: Any) -> None:
    for part in result(task):
        if part not in ("task", "target"):
            html(result(task, **{part: value}))


@pytest.mark.parametrize(
    ("part", "anchor"),
    [
        ("flow", "flow"),
        ("characteristics", "characteristics"),
        ("prevalence", "prevalence"),
        ("leakage", "leakage"),
        ("quality", "quality"),
        ("models", "models"),
        ("operating_points", "answers"),
        ("conformal", "conformal"),
        ("subgroups", "subgroups"),
        ("slices", "slices"),
        ("images", "images"),
        ("explanation_checks", "checks"),
        ("export", "export"),
    ],
)
def test_an_absent_part_is_named_with_its_reason(part: str, anchor: str) -> None:
    text = said(build(result(**{part: None})), anchor)
    assert "Not available" in text
    if part in REASONS:
        assert REASONS[part] in text
    given = said(build(result(**{part: {"reason": "the disk was full"}})), anchor)
    assert "the disk was full" in given


def test_the_question_names_the_finding() -> None:
    questions = {task: build(result(task)).subtitle for task in TASKS}
    assert questions["binary"] == "Does this image show pneumonia?"
    assert questions["ordinal"] == "Which grade does this image show: none, mild, moderate, severe?"
    assert questions["multilabel"] == "Which of these does this image show: effusion, mass, nodule?"
    assert questions["continuous"] == "How large is volume in this image, in ml?"
    study = build(result(input={"kind": "sequence", "channels": 1, "size": [64, 64], "max_slices": 24}))
    assert study.subtitle == "Does this study show pneumonia?"
    named = {"name": "biopsy", "task": "binary", "classes": ["benign", "malignant"]}
    assert "for biopsy malignant in" in build(result(target=named)).title
    plain_label = {"name": "effusion", "task": "binary", "classes": ["0", "1"]}
    assert build(result(target=plain_label)).subtitle == "Does this image show effusion?"
    nameless = {"name": "label", "task": "binary", "classes": ["0", "1"]}
    assert build(result(target=nameless)).subtitle == "Does this image show label 1?"


def test_headline_numbers_are_those_of_the_task() -> None:
    labels = {
        task: [
            item.label
            for block in build(result(task)).opening
            if hasattr(block, "items")
            for item in block.items
            if hasattr(item, "estimate")
        ]
        for task in TASKS
    }
    assert labels["binary"] == ["AUROC", "AUPRC", "Accuracy", "Sensitivity", "Specificity"]
    assert labels["ordinal"][1] == "Quadratic-weighted kappa"
    assert labels["continuous"][0] == "Mean absolute error"


def test_findings_name_what_a_reader_must_weigh() -> None:
    texts = {one.text: one.tone for one in found(result())}
    told = " ".join(texts)
    assert "1 held-out image has a copy on another side" in told
    assert "7 pairs of the same or nearly the same image. 2 images were left out" in told
    assert any(
        "only the border of the image reaches AUROC 0.800" in text and tone == "bad"
        for text, tone in texts.items()
    )
    assert any("sees no pixel" in text and tone == "watch" for text, tone in texts.items())
    assert "Prevalence shift: 0.6" in told
    assert "run high by" in told
    assert "Quality gates would refuse 2 (1.0%) and flag 11 (5.2%) of 210" in told
    assert "7 files or images were refused" in told
    assert not any("8-bit" in text for text in texts)


@pytest.mark.parametrize(
    ("change", "wanted", "tone"),
    [
        ({"leakage": {"n_images": 9, "n_exact": 0, "n_near": 0}}, "no copies among", "good"),
        ({"leakage": {"n_exact": 1, "n_near": 0}}, "1 pair of the same", "neutral"),
        (
            {"quality": {"n_checked": 40, "n_refused": 9, "n_flagged": 1, "codes": {}}},
            "refuse 9 (22.5%)",
            "watch",
        ),
        (
            {"explanation_checks": {"randomisation": {"similarity": 0.8, "passes": False}}},
            "rather than",
            "bad",
        ),
        (
            {
                "export": {
                    "int8": True,
                    "metric": "auroc",
                    "fp32": {"value": 0.97},
                    "difference": {"value": -0.011},
                }
            },
            "8-bit numbers change AUROC by −0.011",
            "watch",
        ),
        (
            {"export": {"int8": True, "metric": "mae", "fp32": {"value": 4.0}, "difference": {"value": 0.2}}},
            "8-bit numbers change mean absolute error",
            "watch",
        ),
        (
            {
                "calibration": {
                    "kind": "slope",
                    "before": {"log_loss": {"value": 0.461, "low": 0.387, "high": 0.549}},
                    "after": {"log_loss": {"value": 0.843, "low": 0.567, "high": 1.256}},
                }
            },
            "Calibration made the log loss worse, 0.461 (0.387 to 0.549) before and 0.843",
            "bad",
        ),
        (
            {
                "conformal": {
                    "confidence_level": 0.9,
                    "by_class": {"rare": {"value": 0.6, "low": 0.5, "high": 0.7}},
                }
            },
            "less often than the promised 0.90 in rare (0.600",
            "watch",
        ),
    ],
)
def test_findings_follow_the_numbers(change: dict[str, Any], wanted: str, tone: str) -> None:
    (one,) = [finding for finding in found(result(**change)) if wanted in finding.text]
    assert one.tone == tone


@pytest.mark.parametrize(
    "change",
    [
        {"export": {"int8": True, "metric": "auroc", "fp32": {"value": 0.97}, "difference": {"value": 0.02}}},
        {"leakage": {"border": {"metric": "auroc", "value": 0.52, "low": 0.47, "high": 0.57}}},
        {"prevalence": {"sides": {"task": "binary", "test": {"p_value": 0.4}}}},
    ],
)
def test_what_is_no_reason_for_doubt_is_not_told_as_one(change: dict[str, Any]) -> None:
    texts = " ".join(one.text for one in found(result(**change)))
    name = next(iter(change))
    assert {"export": "8-bit", "leakage": "border", "prevalence": "Prevalence shift"}[name] not in texts


def test_prevalence_is_told_by_side_and_site_with_its_consequences() -> None:
    text = said(build(result()), "prevalence")
    assert "The prevalence differs between sides" in text or "No difference in prevalence is shown" in text
    assert "By site" in text
    tables = [block for block in section(build(result()), "prevalence").blocks if isinstance(block, Table)]
    assert [row.cells[0] for row in tables[0].rows] == ["Train", "Tuning", "Calibration", "Held out"]
    assert tables[-1].columns == ("At the prevalence of", "Prevalence", "PPV", "NPV", "Accuracy")
    labels = said(build(result("multilabel")), "prevalence")
    assert all(name in labels for name in ("effusion", "mass", "nodule"))


def test_accuracy_never_stands_without_its_operating_point() -> None:
    table = next(block for block in section(build(result()), "answers").blocks if isinstance(block, Table))
    assert [row.cells[0] for row in table.rows] == [
        "the network's own answer: 0.5 of the raw output",
        "calibrated 0.5",
        "Youden's threshold",
    ]
    grades = said(build(result("ordinal")), "answers")
    assert "What was taken for what" in grades
    assert "Class by class" in grades
    assert "Label by label" in said(build(result("multilabel")), "answers")


def test_every_example_stands_beside_its_heat_map() -> None:
    given = result()
    pictures = [
        item
        for block in section(build(given), "images").blocks
        for item in getattr(block, "items", ())
        if isinstance(item, Picture)
    ]
    assert len(pictures) == 24
    files = [base64.b64decode(one[key]) for one in given["images"] for key in ("png", "overlay")]
    assert [picture.png for picture in pictures] == files
    assert pictures[0].caption == "Truth: normal. Answer: normal, 99%."
    assert pictures[8].alt.startswith("Wrong, and sure of it. Truth: normal. Answer: pneumonia")
    alone = [{**one, "overlay": None} for one in given["images"][:1]]
    page = html(result(images=alone))
    assert page.count("<img") == 1


def test_learning_curves_mark_the_epoch_that_is_kept() -> None:
    text = said(build(result()), "training")
    assert "epoch that is kept" in text
    assert "x=[24]" in text
    lost = [
        {
            "name": "cnn",
            "metric": "auroc",
            "best_epoch": 2,
            "epochs": [{"epoch": 1, "train_loss": 0.4, "tuning_score": None}],
        }
    ]
    assert "epoch that is kept is" in said(build(result(history=lost)), "training")


def test_leakage_names_copies_contradictions_and_guesses() -> None:
    text = said(build(result()), "leakage")
    assert "train and held out: 1 pair" in text
    assert "held_out/760" in text
    assert "train/40, train/41" in text
    assert "The network (resnet)" in text
    assert "Cropped, with text drawn in" in text
    bare = said(build(result(leakage={"n_images": 5, "n_exact": 0, "n_near": 0, "check": None})), "leakage")
    assert "Only identical pixels were looked for." in bare


def test_quality_gates_are_told_with_intervals_and_beside_what_they_were_set_to() -> None:
    text = said(build(result()), "quality")
    assert "flagged or refused 0.043 (0.016 to 0.070), set to 5.0%" in text
    assert "Estimate(value=0.0095" in text
    counted = said(
        build(result(quality={"n_checked": 40, "n_refused": 1, "n_flagged": 3, "codes": {}})), "quality"
    )
    assert "3 (7.5%)" in counted


def test_a_network_without_8_bits_says_why() -> None:
    text = said(build(result(export={"int8": False, "reason": "a recurrent layer"})), "export")
    assert "a recurrent layer" in text


def test_names_from_the_data_cannot_run() -> None:
    given = json.loads(
        json.dumps(result())
        .replace("pneumonia", "PNEU")
        .replace("Meridian", "MERI")
        .replace("chest/odd0", "ODD0")
    )
    text = json.dumps(given)
    for word in ("PNEU", "MERI", "ODD0"):
        text = text.replace(word, HOSTILE.replace('"', '\\"'))
    hostile = json.loads(text)
    page = html(hostile)
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "<script" not in model_card(hostile)


def test_images_sent_with_a_request_never_enter_the_report() -> None:
    inline = [{"name": "Mustermann.dcm", "content": "QUJD"}]
    given = result()
    for images in (inline, {"dicomweb": "PatientID=Mustermann"}, {"files": 1, "more": "Mustermann"}):
        page = html({**given, "request": {**given["request"], "images": images}})
        assert "Mustermann" not in page


def test_claim_has_44_items_each_answered_or_missing() -> None:
    assert [item.code for item in ITEMS] == [str(k) for k in range(1, 45)]
    anchors = {one.anchor for one in build(result()).sections}
    assert {item.section for item in ITEMS} - {""} <= anchors
    for answer in checklist(result()):
        assert answer.status in ("reported", "in part", "missing", "not applicable")
        assert answer.text
    reported = {answer.item.code for answer in checklist(result()) if answer.status == "reported"}
    assert {"19", "20", "22", "23", "25", "26", "29", "31", "35", "37"} <= reported
    assert {"2", "3", "4", "5", "11", "14", "15", "17", "18", "21", "34", "41", "42", "44"} <= set(
        missing_items(result())
    )


def test_claim_never_claims_what_the_run_does_not_hold() -> None:
    full = {answer.item.code: answer.status for answer in checklist(result())}
    for part in ("versions", "history", "metrics", "flow", "splits", "characteristics", "images", "network"):
        less = {answer.item.code: answer.status for answer in checklist(result(**{part: None}))}
        worse = [
            code
            for code in full
            if full[code] in ("reported", "in part") and less[code] in ("missing", "not applicable")
        ]
        assert worse, part
    empty = {answer.status for answer in checklist({})}
    assert empty == {"missing", "not applicable"}


def test_images_from_elsewhere_are_an_external_test() -> None:
    given = result(
        validation="external", headline_split="external", history=None, export=None, explanation_checks=None
    )
    given["metrics"] = {"external": given["metrics"]["held_out"]}
    document = build(given)
    assert document.title == "Evaluating a resnet network for pneumonia in medical images"
    answer = next(one for one in checklist(given) if one.item.code == "33")
    assert answer.status == "reported"
    assert "see the report of the training" in said(document, "export")
    inside = next(one for one in checklist(result()) if one.item.code == "33")
    assert inside.status == "not applicable"


def test_the_record_promises_no_more_than_holds() -> None:
    assert "with the same number of threads" in said(build(result()), "reproducibility").replace("\\n", " ")


@pytest.mark.parametrize("task", TASKS)
def test_model_card_is_one_page_that_names_its_limits(task: str) -> None:
    card = model_card(result(task))
    assert card.splitlines()[0].startswith("# Model card: resnet for ")
    for part in (
        "## Model",
        "## Use",
        "## Data",
        "## Performance",
        "## What to weigh",
        "## Not known to the run (CLAIM)",
    ):
        assert part in card
    assert "not a medical device" in card
    assert len(card) < 12_000
    assert ("## Decisions" in card) == (task != "continuous")


def test_a_model_card_of_nothing_is_still_honest() -> None:
    card = model_card({"model": "cnn", "target": {"name": "fracture"}})
    assert "No metric was recorded" in card
