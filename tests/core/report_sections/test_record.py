"""What a request shows of its inputs in a report: names and sizes, never a patient."""

from __future__ import annotations

from typing import Any

import pytest

from iatros.core.report_sections.reading import Result
from iatros.core.report_sections.record import reproducibility_section

SECRET = "Mustermann"


@pytest.mark.parametrize(
    ("images", "shown"),
    [
        ({"path": "chest"}, '"path": "chest"'),
        ({"files": 3}, '"files": 3'),
        ({"dicomweb": f"PatientName={SECRET}&Modality=CT"}, "query by PatientName, Modality"),
        ({"dicomweb": ""}, "every study"),
        ([{"name": f"{SECRET}.dcm", "content": "AAAA"}], "images given in memory"),
        ({"path": "chest", "content": SECRET}, "images given in memory"),
        ({"files": [SECRET]}, "images given in memory"),
    ],
)
def test_images_are_named_and_a_query_keeps_its_values_to_itself(images: Any, shown: str) -> None:
    section = reproducibility_section(Result({"request": {"images": images, "seed": 3}}))
    said = repr(section)
    assert shown in said
    assert SECRET not in said


def test_what_the_record_is_good_for_is_the_domains_to_say() -> None:
    assert "byte for byte" in repr(reproducibility_section(Result({})))
    assert "on one machine" in repr(reproducibility_section(Result({}), promise="the same on one machine"))
