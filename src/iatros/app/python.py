"""The Python door: each domain as a namespace of functions drawn from its requests."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from iatros.app.domains import DOMAINS, load_domain
from iatros.core.domain import Action
from iatros.core.domain import load as load_target
from iatros.core.errors import unknown_name
from iatros.core.progress import Progress
from iatros.engines import DEFAULT_ENGINE

_MEANS: dict[str, tuple[Any, Any]] = {
    "out": (Path | str | None, None),
    "overwrite": (bool, False),
    "resume": (bool, False),
    "engine": (str, DEFAULT_ENGINE),
    "workers": (int | None, None),
    "progress": (Progress | None, None),
}


class Workbench:
    """One domain: each action is a function whose arguments are the fields of its request.

    >>> from iatros.app import risk
    >>> "train" in dir(risk)
    True
    """

    def __init__(self, domain: str) -> None:
        self._domain = domain

    def __getattr__(self, name: str) -> Callable[..., dict[str, Any]]:
        if name.startswith("_"):
            raise AttributeError(name)
        domain = load_domain(self._domain)
        known = {_identifier(action): action for action in domain.actions}
        if name not in known:
            raise AttributeError(str(unknown_name(f"{self._domain} action", name, known)))
        function = _function(self._domain, known[name])
        setattr(self, name, function)
        return function

    def __dir__(self) -> list[str]:
        return [_identifier(action) for action in load_domain(self._domain).actions]

    def __repr__(self) -> str:
        return f"<iatros {self._domain}: {load_domain(self._domain).question}>"


def _identifier(action: Action) -> str:
    """The action's name as Python can write it: train-dose is train_dose."""
    return action.name.replace("-", "_")


def workbench(domain: str) -> Workbench:
    """The namespace of `domain`."""
    if domain not in DOMAINS:
        raise unknown_name("domain", domain, DOMAINS)
    return Workbench(domain)


def _function(domain: str, action: Action) -> Callable[..., dict[str, Any]]:
    from iatros.app.run import execute
    from iatros.core.request import Request, build

    kind = load_target(action.request)
    assert isinstance(kind, type)
    assert issubclass(kind, Request)
    positional = [name for name, field in kind.model_fields.items() if is_positional(field)]

    def act(*args: Any, **fields: Any) -> dict[str, Any]:
        if len(args) > len(positional):
            raise TypeError(
                f"{action.name}() takes {len(positional)} arguments without a name, {len(args)} given"
            )
        means = {name: fields.pop(name) for name in _MEANS if name in fields}
        for name, value in zip(positional, args, strict=False):
            if name in fields:
                raise TypeError(f"{action.name}() got {name} twice")
            fields[name] = value
        return execute(domain, action.name, build(kind, fields), **means)

    act.__name__ = _identifier(action)
    act.__qualname__ = f"{domain}.{act.__name__}"
    act.__module__ = "iatros.app"
    act.__doc__ = _docstring(kind, action)
    act.__signature__ = _signature(kind, positional)  # type: ignore[attr-defined]
    return act


def is_positional(field: Any) -> bool:
    """Whether a field of a request is an argument without a name."""
    extra = field.json_schema_extra
    return isinstance(extra, dict) and bool(extra.get("positional"))


def _signature(kind: Any, positional: list[str]) -> inspect.Signature:
    parameters = [
        inspect.Parameter(
            name,
            inspect.Parameter.POSITIONAL_OR_KEYWORD if name in positional else inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if field.is_required() else field.default,
            annotation=field.annotation,
        )
        for name, field in kind.model_fields.items()
    ]
    parameters += [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
        for name, (annotation, default) in _MEANS.items()
    ]
    return inspect.Signature(sorted(parameters, key=lambda one: one.kind), return_annotation=dict[str, Any])


def _docstring(kind: Any, action: Action) -> str:
    lines = [inspect.getdoc(kind) or f"{action.summary}.", "", "Arguments:"]
    for name, field in kind.model_fields.items():
        lines.append(f"    {name}: {field.description or ''}".rstrip())
    writes = {
        "bundle": "folder of the new bundle",
        "table": ".csv or .parquet file for the answers",
        "documents": "folder for the report",
        None: "not used",
    }
    lines += [
        f"    out: {writes[action.writes]}",
        "    overwrite: replace what lies at out",
        "    resume: keep work in OUT.checkpoint, and take up what lies there",
        "    engine, workers: what does the work; no answer depends on it",
        "    progress: an iatros.core.progress.Progress that is told how far the run is",
        "",
        "Returns the plain result, as `--json` prints it. Raises an IatrosError.",
    ]
    return "\n".join(lines)
