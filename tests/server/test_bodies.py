"""No field of any body leads to a file of the server, whatever the action."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from iatros.app.domains import domains
from iatros.core.domain import load
from iatros.core.errors import RequestError
from iatros.core.request import Request, reference_of
from iatros.server.bodies import closed_fields, read_request

OPEN = [
    (f"{domain.name} {action.name}", load(action.request), name, reference)
    for domain in domains()
    for action in domain.actions
    if action.needs_model
    for name, field in load(action.request).model_fields.items()
    if (reference := reference_of(field)) is not None and name not in closed_fields(load(action.request))
]
FIELDS = pytest.mark.parametrize(
    ("kind", "name", "reference"), [row[1:] for row in OPEN], ids=[f"{row[0]} {row[2]}" for row in OPEN]
)

INLINE: dict[str, Any] = {
    "model": "m",
    "table": [{"age": 1}],
    "images": [{"name": "a.png", "content": ""}],
    "compounds": ["CCO"],
}


def test_every_way_to_name_an_input_is_covered() -> None:
    assert {reference.kind for *_, reference in OPEN} == {"table", "model", "images", "compounds"}


@FIELDS
@pytest.mark.parametrize("path", ["/etc/passwd", "../secret", "file.csv/..", "http://example.org/a", "a\\b"])
def test_a_path_or_an_address_is_refused(
    kind: type[Request], name: str, reference: Any, path: str, tmp_path: Path
) -> None:
    with pytest.raises(RequestError, match=f"{name} must be"):
        read_request(kind, {name: path}, tmp_path)


@FIELDS
def test_a_name_stays_in_the_folder_of_models_and_means_nothing_elsewhere(
    kind: type[Request], name: str, reference: Any, tmp_path: Path
) -> None:
    filled = {
        other: INLINE[found.kind]
        for other, field in kind.model_fields.items()
        if (found := reference_of(field)) is not None and (field.is_required() or other == "compounds")
    }
    body: dict[str, Any] = {"model": "m", **filled, name: "plain.csv"}
    if reference.kind == "model":
        assert getattr(read_request(kind, body, tmp_path), name) == tmp_path / "plain.csv"
    else:
        with pytest.raises(RequestError, match=f"{name} must be .*not a path"):
            read_request(kind, body, tmp_path)
