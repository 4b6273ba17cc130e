"""From the body of a call to a request: inline rows and files, names for models, never a path on the server."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, NoReturn, get_args

from starlette.requests import Request as HttpRequest

from iatros.core.errors import LimitError, RequestError
from iatros.core.request import Reference, Request, build, reference_of

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


async def read_object(call: HttpRequest, max_bytes: int) -> dict[str, Any]:
    """The JSON object in the body; a body above `max_bytes` is refused before it is read whole."""
    announced = call.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > max_bytes:
        _too_large(max_bytes)
    content = bytearray()
    async for chunk in call.stream():
        content += chunk
        if len(content) > max_bytes:
            _too_large(max_bytes)
    try:
        body = json.loads(bytes(content), parse_constant=_no_constant)
    except RequestError:
        raise
    except (ValueError, RecursionError):
        raise RequestError(
            "the body is not JSON", hint="send one JSON object with the fields of the request"
        ) from None
    if not isinstance(body, dict):
        raise RequestError("the body must be one JSON object with the fields of the request")
    return body


def read_request(kind: type[Request], body: dict[str, Any], models: Path) -> Request:
    """The request of `kind` that `body` spells; model names are resolved in the folder `models`."""
    fields = dict(body)
    for name in fields:
        if name in closed_fields(kind):
            what = (
                "an address"
                if _is_address(kind.model_fields[name].json_schema_extra)
                else "a path on the server"
            )
            raise RequestError(f"{name} is {what}, which HTTP does not take", hint="leave it out")
    for name, field in kind.model_fields.items():
        reference = reference_of(field)
        if reference is not None and fields.get(name) is not None:
            fields[name] = _resolved(name, fields[name], reference, models)
    return build(kind, fields)


_INLINE = {
    "table": "a list of rows, one object for each patient, not a path",
    "images": "a list of files with name and content (base64), not a path or an address",
    "compounds": "a list of SMILES or InChI, or of objects, one for each compound, not a path",
}


def _resolved(name: str, value: Any, reference: Reference, models: Path) -> Any:
    """What a field names, taken from the body or from the folder `models`, and from nowhere else."""
    if reference.kind == "model":
        if not isinstance(value, str):
            raise RequestError(f"{name} must be the name of a bundle")
        return models / checked_name(value, name)
    if not isinstance(value, list):
        raise RequestError(f"{name} must be {_INLINE[reference.kind]}")
    return value


def checked_name(name: str, field: str) -> str:
    """`name` if it names an entry of a folder and leads nowhere else."""
    if not _NAME.fullmatch(name):
        raise RequestError(
            f"{field} must be a name (letters, digits, dots, dashes and underscores), not a path"
        )
    return name


def closed_fields(kind: type[Request]) -> list[str]:
    """The fields of a request that are paths or addresses; they exist for the command line and Python only."""
    return [
        name
        for name, field in kind.model_fields.items()
        if _holds_path(field.annotation) or _is_address(field.json_schema_extra)
    ]


def _is_address(extra: Any) -> bool:
    return isinstance(extra, dict) and bool(extra.get("address"))


def body_schema(kind: type[Request]) -> dict[str, Any]:
    """The JSON schema of the body for OpenAPI, without the fields that HTTP does not take."""
    schema = kind.model_json_schema(ref_template="#/components/schemas/{model}")
    for name in closed_fields(kind):
        schema["properties"].pop(name, None)
    return schema


def _holds_path(annotation: Any) -> bool:
    return annotation is Path or any(_holds_path(part) for part in get_args(annotation))


def _no_constant(name: str) -> NoReturn:
    raise RequestError(f"the body holds {name}, which is not JSON", hint="send null for a missing value")


def _too_large(max_bytes: int) -> NoReturn:
    raise LimitError(
        f"the body is larger than the {max_bytes} bytes allowed", hint="send fewer rows at a time"
    )
