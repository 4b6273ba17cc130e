"""A request as flags: what the command line takes, drawn from the fields of the request."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from cyclopts import Group, Parameter
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from iatros.app.python import is_positional
from iatros.core.domain import Action
from iatros.core.errors import RequestError
from iatros.core.request import Request
from iatros.engines import DEFAULT_ENGINE, ENGINES

DOOR = Group("Output and run", sort_key=10)

_OUT = {
    "bundle": "folder of the new bundle [default: {default}]",
    "table": "write the answers to this .csv or .parquet file",
    "documents": "write the report and the result to this folder",
}


def signature(kind: type[Request], action: Action) -> inspect.Signature:
    """The parameters of a command: positional fields, then a flag for each other field, then those of the door.

    Values stay text until the request reads them, so that every door gives the same error for the same mistake.
    """
    fields = [_field(name, field) for name, field in kind.model_fields.items()]
    return inspect.Signature(sorted([*fields, *_door(action)], key=lambda parameter: parameter.kind))


def usage(kind: type[Request], domain: str, action: Action) -> str:
    """The usage line: what must be given, in order."""
    inputs = [name.upper() for name, field in kind.model_fields.items() if is_positional(field)]
    required = [
        f"{_flag(name)} {_metavar(field)}"
        for name, field in kind.model_fields.items()
        if field.is_required() and not is_positional(field)
    ]
    return " ".join(["Usage: iatros", domain, action.name, *inputs, *required, "[OPTIONS]"])


def given_fields(kind: type[Request], values: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that stand on the command line."""
    return {name: values[name] for name in kind.model_fields if values.get(name) is not None}


def check_required(kind: type[Request], fields: Mapping[str, Any]) -> None:
    """Refuse a command without its positional inputs, in the words of the usage line."""
    missing = [
        name.upper()
        for name, field in kind.model_fields.items()
        if is_positional(field) and field.is_required() and name not in fields
    ]
    if missing:
        raise RequestError(f"{' and '.join(missing)} is missing", hint="see --help")


def _field(name: str, field: FieldInfo) -> inspect.Parameter:
    if is_positional(field):
        help_text = field.description or ""
        return _parameter(name, str | None, help_text, kind=inspect.Parameter.POSITIONAL_ONLY)
    shape = _shape(field)
    text = _text(field, shape)
    if shape is bool:
        return _parameter(name, bool | None, text)
    if shape is tuple:
        return _parameter(
            name,
            tuple[str, ...] | None,
            text,
            negative=(),
            consume_multiple=False,
            allow_leading_hyphen=True,
            metavar="TEXT...",
        )
    short = {"alias": f"-{name}"} if len(name) == 1 else {}
    return _parameter(name, str | None, text, metavar=_metavar(field), **short)


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _metavar(field: FieldInfo) -> str:
    names = {int: "INT", float: "NUMBER", Path: "FILE"}
    return next((names[part] for part in _parts(field.annotation) if part in names), "TEXT")


def _parameter(
    name: str,
    annotation: Any,
    help_text: str,
    *,
    default: Any = None,
    kind: Any = inspect.Parameter.KEYWORD_ONLY,
    **options: Any,
) -> inspect.Parameter:
    options = {"help": help_text, "show_default": False, **options}
    return inspect.Parameter(
        name, kind, default=default, annotation=Annotated[annotation, Parameter(**options)]
    )


def _door(action: Action) -> list[inspect.Parameter]:
    parameters = []
    if action.writes is not None:
        default = f"./MODEL-{action.name}" if action.needs_model else "./TABLE-bundle"
        text = _OUT[action.writes].format(default=default)
        parameters += [
            _parameter("out", str | None, text, group=DOOR, metavar="PATH"),
            _switch("overwrite", "replace what lies at --out"),
        ]
    parameters.append(
        _parameter(
            "config", Path | None, "YAML file with fields; flags win over it", group=DOOR, metavar="FILE"
        )
    )
    if action.writes == "bundle" or action.resumes:
        parameters.append(_switch("resume", "keep work in OUT.checkpoint, and take up what lies there"))
    return [
        *parameters,
        _parameter(
            "engine",
            str,
            f"{' or '.join(ENGINES)} [default: {DEFAULT_ENGINE}]",
            default=DEFAULT_ENGINE,
            group=DOOR,
            metavar="NAME",
        ),
        _parameter("workers", int | None, "processes at work [default: one for each core]", group=DOOR),
        _switch("json", "print the result as one JSON document on stdout"),
        _switch("quiet", "no progress and no notes on stderr"),
        _switch("traceback", "show where a fault of iatros itself lies"),
    ]


def _switch(name: str, text: str) -> inspect.Parameter:
    return _parameter(name, bool, text, default=False, negative=(), group=DOOR)


def _shape(field: FieldInfo) -> type:
    """`bool`, `tuple` (the flag may be repeated) or `str` for everything else that a flag can hold."""
    for part in _parts(field.annotation):
        if part is bool:
            return bool
        if get_origin(part) is tuple:
            return tuple
    return str


def _parts(annotation: Any) -> list[Any]:
    """The members of a union, without None and without what Annotated adds."""
    if get_origin(annotation) is Annotated:
        return _parts(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return [part for member in get_args(annotation) for part in _parts(member) if part is not type(None)]
    return [annotation]


def _text(field: FieldInfo, shape: type) -> str:
    """Description, choices, unit and default of a field, as the help shows them."""
    choices = [
        str(c) for part in _parts(field.annotation) if get_origin(part) is Literal for c in get_args(part)
    ]
    text = field.description or ""
    if choices:
        text += f": {', '.join(choices)}"
    extra = field.json_schema_extra
    if isinstance(extra, dict) and extra.get("unit"):
        text += f" [unit: {extra['unit']}]"
    if field.is_required():
        return f"{text} [required]"
    default = field.get_default()
    if default in (None, (), PydanticUndefined) or shape is bool:
        return text
    return f"{text} [default: {','.join(map(str, default)) if shape is tuple else default}]"
