"""The methods that can be trained: what each is, whether it can run here, and its parameters."""

from __future__ import annotations

from importlib import metadata
from typing import Any, Literal, get_args, get_origin

from iatros.app.domains import domains
from iatros.core.domain import Domain
from iatros.core.errors import RequestError, unknown_name


def list_models() -> list[dict[str, Any]]:
    """One entry per registered method, without importing any.

    >>> {model["domain"] for model in list_models()} >= {"risk"}
    True
    """
    return [
        {"name": entry.name, "domain": domain.name, "summary": entry.summary, "extra": entry.extra}
        for domain in domains()
        for entry in domain.models
    ]


def show_model(name: str, domain: str | None = None) -> dict[str, Any]:
    """One method with its parameters: name, type, default, bounds and description of each."""
    chosen = _domain_of(name, domain)
    entry = chosen.models.entry(name)
    loaded = chosen.models.load(name)
    params = getattr(loaded, "Params", None)
    return {
        "name": name,
        "domain": chosen.name,
        "summary": entry.summary,
        "extra": entry.extra,
        "description": _first_paragraph(loaded),
        "parameters": parameters_of(params) if params is not None else [],
    }


def missing_extras() -> dict[str, list[str]]:
    """The packages that each optional extra of iatros still needs here, by extra."""
    missing: dict[str, list[str]] = {}
    for extra, packages in extras().items():
        missing[extra] = [package for package in packages if version_of(package) is None]
    return missing


def extras() -> dict[str, list[str]]:
    """The packages of each optional extra, as the installed metadata of iatros lists them."""
    try:
        required = metadata.requires("iatros") or []
    except metadata.PackageNotFoundError:
        return {}
    found: dict[str, list[str]] = {}
    for requirement in required:
        package, _, condition = requirement.partition(";")
        if "extra ==" not in condition:
            continue
        extra = condition.split("extra ==")[1].strip().strip("'\") ")
        name = (
            package.strip()
            .split("[")[0]
            .split("<")[0]
            .split(">")[0]
            .split("=")[0]
            .split("!")[0]
            .split("~")[0]
        )
        if name.strip() != "iatros":
            found.setdefault(extra, []).append(name.strip())
    return found


def version_of(package: str) -> str | None:
    """The installed version of `package`, read without importing it; None where it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _domain_of(name: str, domain: str | None) -> Domain:
    known = {one.name: one for one in domains()}
    if domain is not None:
        if domain not in known:
            raise unknown_name("domain", domain, known)
        return known[domain]
    holders = [one for one in known.values() if name in one.models.names()]
    if not holders:
        raise unknown_name("model", name, [entry["name"] for entry in list_models()])
    if len(holders) > 1:
        names = ", ".join(one.name for one in holders)
        raise RequestError(f"{name} is a model of {names}", hint="say which with --domain")
    return holders[0]


def parameters_of(params: Any) -> list[dict[str, Any]]:
    """Name, type, default, bounds and description of each field of a pydantic model."""
    properties = params.model_json_schema().get("properties", {})
    described = []
    for name, field in params.model_fields.items():
        schema = properties.get(name, {})
        described.append(
            {
                "name": name,
                "type": _type_name(field.annotation),
                "default": None if field.is_required() else field.get_default(call_default_factory=True),
                "bounds": _bounds(schema),
                "description": field.description or "",
            }
        )
    return described


def _type_name(annotation: Any) -> str:
    if get_origin(annotation) is Literal:
        return "choice"
    text = (
        annotation.__name__ if isinstance(annotation, type) and not get_args(annotation) else str(annotation)
    )
    return text.replace("typing.", "").replace("NoneType", "None")


def _bounds(schema: dict[str, Any]) -> dict[str, Any]:
    keys = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "enum")
    holders = [schema, *schema.get("anyOf", [])]
    return {key: holder[key] for holder in holders for key in keys if key in holder}


def _first_paragraph(loaded: Any) -> str:
    import inspect

    return " ".join((inspect.getdoc(loaded) or "").split("\n\n")[0].split())
