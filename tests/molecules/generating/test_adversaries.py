"""What a report says of adversaries."""

from __future__ import annotations

from typing import Any

import pytest

from iatros.core.report import Document, render
from iatros.molecules.generating.adversaries import adversarial_sections


def training(**more: Any) -> dict[str, Any]:
    looks = [
        {
            "turn": 10.0 * turn,
            "critic_loss": -1.0 / turn,
            "generator_loss": 0.5,
            "gradient_penalty": 0.01,
            "wasserstein": 2.0 / turn,
            "precision": 0.7,
            "recall": 0.1 * turn,
            "valid": 0.8,
            "unique": 0.9,
            "internal_diversity": 0.85,
            "coverage": 0.2,
        }
        for turn in (1, 2, 3)
    ]
    written = {"valid": 0.81, "unique": 0.92, "internal_diversity": 0.853, "coverage": 0.24}
    library = {"valid": 1.0, "unique": 1.0, "internal_diversity": 0.871, "coverage": 0.47}
    collapse = {"n": 10_000, "written": written, "library": library}
    return {"adversarial_history": looks, "mode_collapse": collapse, "seconds": None, **more}


def page(told: dict[str, Any]) -> str:
    return render(Document(title="x", sections=adversarial_sections(told)))


def test_a_training_without_adversaries_has_no_such_section() -> None:
    assert adversarial_sections({"history": []}) == ()


def test_losses_and_mode_collapse_are_shown() -> None:
    html = page(training())
    for said in ("critic loss", "gradient penalty", "wasserstein", "recall", "Internal diversity", "10,000"):
        assert said in html
    assert "92" in html
    assert "47" in html
    assert "reward" not in html.lower()


def test_how_the_time_was_dealt_out_is_told_where_there_was_one() -> None:
    assert "s were for learning" not in page(training())
    assert "2,700 s were for learning the compounds themselves" in page(
        training(seconds={"first": 2700.0, "second": 900.0})
    )


@pytest.mark.parametrize("missing", ["gradient_penalty", "critic_loss"])
def test_only_what_was_measured_is_drawn(missing: str) -> None:
    told = training()
    for one in told["adversarial_history"]:
        del one[missing]
    assert missing.replace("_", " ") not in page(told)
