from __future__ import annotations

import numpy as np
import pytest

from iatros.core.errors import OutcomeError, RequestError
from iatros.imaging.labels import read_labels, relabel
from iatros.imaging.schema import ImageRecord


def records(**columns):
    n = len(next(iter(columns.values())))
    return [
        ImageRecord(
            f"image{k}", f"{k:064x}", (1, 5, 7), columns={name: values[k] for name, values in columns.items()}
        )
        for k in range(n)
    ]


@pytest.mark.parametrize(
    ("values", "classes", "y"),
    [
        (["normal", "pneumonia", "normal"], ("normal", "pneumonia"), [0, 1, 0]),
        (["malignant", "benign", "benign"], ("benign", "malignant"), [1, 0, 0]),
        (["yes", "no", "yes"], ("no", "yes"), [1, 0, 1]),
        ([1.0, 0.0, 1.0], ("0", "1"), [1, 0, 1]),
        (["4", "2", "2"], ("2", "4"), [1, 0, 0]),
    ],
)
def test_the_finding_stands_last(values, classes, y):
    labels = read_labels(records(label=values), ())
    assert labels.targets[0].classes == classes
    assert labels.targets[0].task == "binary"
    assert labels.objective == "cross-entropy"
    assert labels.y[0].tolist() == y


def test_two_names_that_say_nothing_need_a_choice():
    with pytest.raises(OutcomeError, match="which of 'left' and 'right' is the finding"):
        read_labels(records(label=["left", "right"]), ())
    labels = read_labels(records(label=["left", "right", "left"]), (), positive="left")
    assert labels.targets[0].classes == ("right", "left")
    assert labels.y[0].tolist() == [1, 0, 1]


def test_positive_joins_the_other_classes():
    labels = read_labels(records(label=["normal", "benign", "malignant", None]), (), positive="malignant")
    assert labels.targets[0].classes == ("not malignant", "malignant")
    np.testing.assert_array_equal(labels.y[0], [0, 0, 1, np.nan])
    assert labels.known().tolist() == [True, True, True, False]


def test_grades_are_ordered_by_number_not_by_text():
    labels = read_labels(records(label=["10", "2", "0", "2"]), (), task="ordinal")
    assert labels.targets[0].classes == ("0", "2", "10")
    assert labels.objective == "ordinal"
    assert labels.y[0].tolist() == [2, 1, 0, 1]


def test_many_numbers_are_a_quantity():
    values = [0.5 * k for k in range(30)]
    labels = read_labels(records(label=values), ())
    assert labels.targets[0].task == "continuous"
    assert labels.objective == "squared-error"
    assert labels.y[0].tolist() == values


def test_several_columns_are_several_findings():
    labels = read_labels(
        records(effusion=[1, 0, None, 0], mass=["no", "yes", "no", "no"]), ("effusion", "mass")
    )
    assert [target.name for target in labels.targets] == ["effusion", "mass"]
    assert labels.objective == "binary-cross-entropy"
    np.testing.assert_array_equal(labels.y[0], [1, 0, np.nan, 0])
    np.testing.assert_array_equal(labels.y[1], [0, 1, 0, 0])


@pytest.mark.parametrize(
    ("columns", "asked", "options", "error", "said"),
    [
        ({"label": ["a", "a"]}, (), {}, OutcomeError, "all images are of one class, 'a'"),
        ({"label": [None, ""]}, (), {}, OutcomeError, "every label is missing"),
        ({"grade": ["a", "b"]}, (), {}, OutcomeError, "known columns: grade"),
        ({"label": ["a", "b"]}, (), {"positive": "c"}, OutcomeError, "no image is of the class 'c'"),
        ({"label": ["a", "b", "c"]}, (), {"task": "binary"}, OutcomeError, "this one has 3"),
        ({"label": ["a", "b", "c"]}, (), {"task": "continuous"}, OutcomeError, "must be a number"),
        ({"label": ["0", "1"]}, (), {"task": "ordinal"}, OutcomeError, "three classes or more"),
        ({"label": ["0", "1"]}, (), {"loss": "squared-error"}, RequestError, "does not suit"),
        ({"a": [1, 0], "b": [0, 1]}, ("a", "b"), {"task": "ordinal"}, RequestError, "multi-label"),
    ],
)
def test_what_cannot_be_learned_is_refused(columns, asked, options, error, said):
    with pytest.raises(error, match=said):
        read_labels(records(**columns), asked, **options)


def test_other_images_are_labelled_in_the_models_own_classes():
    labels = read_labels(records(label=["normal", "benign", "malignant"]), ())
    assert labels.targets[0].classes == ("benign", "malignant", "normal")
    (y,) = relabel(records(label=["malignant", "cyst", None, "benign"]), (), labels.targets, None)
    np.testing.assert_array_equal(y, [1, -1, np.nan, 0])
