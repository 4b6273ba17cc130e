"""The head of every request, and the two ways in which a request names its inputs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, ValidationError, WithJsonSchema
from pydantic.fields import FieldInfo

from iatros.core.errors import RequestError


class Request(BaseModel):
    """A frozen set of fields that forbids unknown ones; defaults live in its subclasses and nowhere else.

    A field's `json_schema_extra` may hold `{"positional": True}` (the command line takes it without a
    flag), `{"unit": "..."}`, and `{"address": True}` (a place that is called; nobody may send a server there).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


def build(kind: type[Request], fields: dict[str, Any], *, flags: bool = False) -> Request:
    """The request of `kind` with `fields`, or one RequestError that names each wrong field, never its value.

    With `flags`, fields are named as the command line spells them (`--target-transform`).
    """
    try:
        return kind(**fields)
    except ValidationError as error:
        raise request_error(error, kind, flags=flags) from None


def request_error(error: ValidationError, kind: type[Request], *, flags: bool = False) -> RequestError:
    """One line of ours for pydantic's many, without the input values: they can be patient data."""
    import difflib

    known = list(kind.model_fields)
    parts = []
    for detail in error.errors(include_input=False, include_url=False, include_context=False):
        said = detail["msg"].removeprefix("Value error, ")
        if not detail["loc"]:
            parts.append(said)
            continue
        field = str(detail["loc"][0])
        shown = "--" + field.replace("_", "-") if flags else field
        if detail["type"] == "extra_forbidden":
            near = difflib.get_close_matches(field, known, n=1)
            parts.append(f"{shown} is not known" + (f", did you mean {near[0]}?" if near else ""))
        elif detail["type"] == "missing":
            parts.append(f"{shown} is required")
        else:
            parts.append(f"{shown}: {said}")
    return RequestError("; ".join(parts))


@dataclass(frozen=True)
class Reference:
    """Marks the type of a field by which a request names an input."""

    kind: Literal["table", "model", "images", "compounds"]


def reference_of(field: FieldInfo) -> Reference | None:
    """What kind of input a field names; None where it holds a plain value."""

    def found(parts: Iterable[Any]) -> Reference | None:
        for part in parts:
            if isinstance(part, Reference):
                return part
            if (inner := found(get_args(part))) is not None:
                return inner
        return None

    return found((*field.metadata, field.annotation))


def _table(value: Any) -> Any:
    if isinstance(value, (str, Path)):
        return Path(value)
    if isinstance(value, list):
        if not all(isinstance(row, dict) for row in value):
            raise ValueError("inline rows must be a list of objects, one per patient")
        return value
    if type(value).__name__ == "DataFrame":
        return value
    raise ValueError("a table is a path, a polars or pandas DataFrame, or a list of rows")


def _table_name(value: Any) -> dict[str, Any]:
    if isinstance(value, Path):
        return {"file": value.name}
    if isinstance(value, list):
        return {"rows": len(value)}
    return {"frame": list(value.shape)}


TableRef = Annotated[
    Any,
    Reference("table"),
    BeforeValidator(_table),
    PlainSerializer(_table_name),
    WithJsonSchema({"type": "array", "items": {"type": "object"}}),
]
"""A path (never over HTTP), a polars or pandas DataFrame, or a list of rows. Serialises to a name without data."""


def _model(value: Any) -> Any:
    if isinstance(value, (str, Path)):
        return Path(value)
    raise ValueError("a model is named by the path of its bundle")


ModelRef = Annotated[
    Any,
    Reference("model"),
    BeforeValidator(_model),
    PlainSerializer(lambda value: {"bundle": value.name}),
    WithJsonSchema({"type": "string"}),
]
"""The folder of a bundle; over HTTP the server resolves a name to it."""


def _images(value: Any) -> Any:
    if isinstance(value, Path):
        return value
    if isinstance(value, str):
        return value if value.startswith(("http://", "https://")) else Path(value)
    if isinstance(value, list):
        if not all(isinstance(file, dict) and set(file) == {"name", "content"} for file in value):
            raise ValueError("inline images must be a list of objects with name and content (base64)")
        return value
    raise ValueError("images are a path, a DICOMweb address, or a list of files with name and content")


def _images_name(value: Any) -> dict[str, Any]:
    if isinstance(value, Path):
        return {"path": value.name}
    if isinstance(value, str):
        # What a query asks for can be a patient's number; what it asks by cannot.
        return {
            "dicomweb": sorted(part.partition("=")[0] for part in value.partition("?")[2].split("&") if part)
        }
    return {"files": len(value)}


ImagesRef = Annotated[
    Any,
    Reference("images"),
    BeforeValidator(_images),
    PlainSerializer(_images_name),
    WithJsonSchema({"type": "array", "items": {"type": "object"}, "format": "files"}),
]
"""A path or a DICOMweb address (neither over HTTP), or files as `{"name", "content"}`, content in base64."""


def _compounds(value: Any) -> Any:
    if isinstance(value, (str, Path)):
        return Path(value)
    if isinstance(value, list):
        if not all(isinstance(one, str) for one in value) and not all(isinstance(one, dict) for one in value):
            raise ValueError("inline compounds must be a list of SMILES or InChI, or a list of objects")
        return value
    if type(value).__name__ == "DataFrame":
        return value
    raise ValueError(
        "compounds are a path, a polars or pandas DataFrame, a list of SMILES, or a list of rows"
    )


CompoundsRef = Annotated[
    Any,
    Reference("compounds"),
    BeforeValidator(_compounds),
    PlainSerializer(_table_name),
    WithJsonSchema({"type": "array", "items": {"type": ["string", "object"]}, "format": "compounds"}),
]
"""A path (never over HTTP), a DataFrame, a list of SMILES or of rows. Serialises to a name without data."""


def _names(value: Any) -> Any:
    """Accept `a,b` as well as a list."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    if isinstance(value, (list, tuple)):
        return tuple(name for part in value for name in (_names(part) if isinstance(part, str) else (part,)))
    return value


Names = Annotated[tuple[str, ...], BeforeValidator(_names)]
"""Several names: a list, or one string with commas."""


def fingerprint(document: bytes) -> str:
    """SHA-256 of `document`, in hexadecimal."""
    return hashlib.sha256(document).hexdigest()
