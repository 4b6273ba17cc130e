"""Networks beside each other: who is kept, who is the baseline, and paired differences."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from iatros.core.task import Target
from iatros.imaging.comparison import compare

BINARY = Target("label", "binary", ("no", "yes"))


def answers(seed: int = 0, n: int = 160) -> tuple[np.ndarray, dict[str, list[np.ndarray]]]:
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < 0.35).astype(float)
    scores = {
        name: 1 / (1 + np.exp(-(skill * (y - 0.5) + rng.normal(0, 1, n))))
        for name, skill in (("cnn", 1.2), ("resnet", 2.8), ("densenet", 2.6))
    }
    return y, {name: [score] for name, score in scores.items()}


def entries(groups: np.ndarray, **changes: object) -> list[dict[str, object]]:
    y, found = answers()
    given = {
        "split": "held_out",
        "kept": "resnet",
        "baseline": "cnn",
        "tuning_scores": {"cnn": 0.8, "resnet": 0.95, "densenet": 0.94},
    }
    return compare([BINARY], [y], found, groups, **{**given, **changes})  # type: ignore[arg-type]


def test_the_kept_network_stands_first_and_the_baseline_last() -> None:
    found = entries(np.arange(160), seconds={"resnet": 12.345})
    assert [entry["name"] for entry in found] == ["resnet", "densenet", "cnn"]
    assert [entry["selected"] for entry in found] == [True, False, False]
    assert [entry["candidate"] for entry in found] == [True, True, False]
    assert found[2]["difference_to_baseline"] is None
    assert found[0]["seconds"] == 12.3
    assert "seconds" not in found[1]


@pytest.mark.parametrize(
    ("groups", "how"),
    [(np.arange(160), "paired DeLong"), (np.arange(160) // 2, "paired bootstrap over 80 patients")],
)
def test_differences_are_paired(groups: np.ndarray, how: str) -> None:
    y, answered = answers()
    difference = entries(groups)[0]["difference_to_baseline"]
    expected = roc_auc_score(y, answered["resnet"][0]) - roc_auc_score(y, answered["cnn"][0])
    assert difference["value"] == pytest.approx(expected)  # type: ignore[index]
    assert difference["interval"] == how  # type: ignore[index]
    assert difference["low"] > 0  # type: ignore[index]


def test_a_baseline_that_was_kept_is_a_candidate() -> None:
    found = entries(np.arange(160), kept="cnn")
    assert found[0]["name"] == "cnn"
    assert found[0]["candidate"]


def test_labels_are_compared_by_their_mean_and_quantities_by_their_error() -> None:
    y, found = answers()
    other, more = answers(seed=4)
    other[:30] = np.nan
    labels = [BINARY, Target("mass", "binary", ("no", "yes"))]
    both = {name: [found[name][0], more[name][0]] for name in found}
    scores = dict.fromkeys(both, 0.9)
    rows = compare(
        labels,
        [y, other],
        both,
        np.arange(160) // 2,
        split="held_out",
        kept="resnet",
        baseline="cnn",
        tuning_scores=scores,
    )
    means = {
        name: np.mean([roc_auc_score(y, one[0]), roc_auc_score(other[30:], one[1][30:])])
        for name, one in both.items()
    }
    assert rows[0]["metrics"]["held_out"]["auroc"]["value"] == pytest.approx(means["resnet"])
    assert rows[0]["difference_to_baseline"]["value"] == pytest.approx(means["resnet"] - means["cnn"])
    rng = np.random.default_rng(2)
    amount = rng.normal(30, 5, 60)
    said = {"resnet": [amount + rng.normal(0, 2, 60)], "cnn": [amount + rng.normal(0, 6, 60)]}
    rows = compare(
        [Target("volume", "continuous")],
        [amount],
        said,
        np.arange(60),
        split="held_out",
        kept="resnet",
        baseline="cnn",
        tuning_scores={"resnet": -2.0, "cnn": -6.0},
    )
    difference = rows[0]["difference_to_baseline"]
    assert difference["metric"] == "mae"
    assert difference["value"] == pytest.approx(
        np.abs(said["resnet"][0] - amount).mean() - np.abs(said["cnn"][0] - amount).mean()
    )
    assert difference["high"] < 0
