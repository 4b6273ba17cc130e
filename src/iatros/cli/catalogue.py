"""`iatros models`, `iatros bundles` and `iatros data`: what there is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from iatros.core.errors import RequestError

Json = Annotated[bool, Parameter(negative=(), show_default=False, help="print one JSON document")]
Folder = Annotated[Path, Parameter(help="folder that holds bundles")]
BundlePath = Annotated[Path, Parameter(help="the bundle")]
Dataset = Annotated[str, Parameter(help="name of the dataset")]
CopyTo = Annotated[
    Path | None,
    Parameter(
        help="copy the table to this .csv file, and its dictionary beside it; a dataset of images to this folder"
    ),
]
Overwrite = Annotated[bool, Parameter(negative=(), show_default=False, help="replace what lies at --out")]
Named = Annotated[
    str | None, Parameter(help="name of the dataset; all that lie in the cache where not given")
]


def models_list(*, json: Json = False) -> None:
    """Methods that can be trained."""
    from iatros.app.models import list_models

    models = list_models()
    columns = {"name": "name", "domain": "domain", "summary": "what it is"}
    _show({"models": models}, json, "models", [_pick(model, columns) for model in models])


def models_show(
    name: Annotated[str, Parameter(help="the method")],
    /,
    *,
    domain: Annotated[str | None, Parameter(help="where two domains have a method of this name")] = None,
    json: Json = False,
) -> None:
    """One method and its parameters, as `--param NAME.PARAMETER=VALUE` takes them."""
    from iatros.app.models import show_model

    model = show_model(name, domain)
    rows = [
        {
            "parameter": f"{name}.{parameter['name']}",
            "default": _text(parameter["default"]),
            "type": parameter["type"],
            "bounds": _bounds(parameter["bounds"]),
            "meaning": parameter["description"],
        }
        for parameter in model["parameters"]
    ]
    _show(model, json, f"{name}: {model['summary']}", rows)


def bundles_list(folder: Folder = Path("."), /, *, json: Json = False) -> None:
    """The bundles in a folder; a broken one is listed with the reason."""
    from iatros.app.bundles import list_bundles

    found = list_bundles(folder)
    rows = [
        {
            "name": one["name"],
            "domain": _text(one.get("domain")),
            "model": _text(one.get("model")),
            "predicts": _text((one.get("target") or {}).get("name")),
            "made": _text(one.get("created_at")),
            "state": "whole" if one["valid"] else f"BROKEN: {one['reason']}",
        }
        for one in found
    ]
    _show({"bundles": found}, json, f"bundles in {folder}", rows)


def bundles_show(bundle: BundlePath, /, *, json: Json = False) -> None:
    """What a bundle says of itself: model, data, metrics with intervals."""
    from iatros.app.bundles import show_bundle

    manifest = show_bundle(bundle)
    if json:
        _show(manifest, json, "", [])
        return
    from iatros.cli.screen import counted, metric_table, open_console

    target, created = manifest.get("target") or {}, manifest.get("created") or {}
    facts = {
        "bundle": manifest["name"],
        "domain": manifest["domain"],
        "model": manifest["model"],
        "predicts": f"{target.get('name')} ({target.get('task')})",
        "made": f"{created.get('at')} by iatros {manifest.get('iatros', '?')}",
        "manifest sha256": manifest["manifest_sha256"],
        "parent": _text((manifest.get("parent") or {}).get("name")),
    }
    _show(manifest, json, "bundle", [{"": name, " ": _text(value)} for name, value in facts.items()])
    metrics = metric_table(manifest.get("metrics"), counted(manifest))
    if metrics is not None:
        open_console().print(metrics)


def bundles_verify(bundle: BundlePath, /, *, json: Json = False) -> None:
    """Check format, names, sizes and every hash of a bundle; exit code 4 where one does not hold."""
    from iatros.app.bundles import verify_bundle

    found = verify_bundle(bundle)
    rows = [{"file": f["name"], "bytes": f"{f['bytes']:,}", "sha256": f["sha256"]} for f in found["files"]]
    _show(found, json, f"{found['name']}: whole, {found['n_files']} files", rows)


def data_list(*, json: Json = False) -> None:
    """Public datasets that iatros knows."""
    from iatros.app.data import list_data

    found = list_data()
    columns = {
        "name": "name",
        "domain": "domain",
        "state": "state",
        "licence": "licence",
        "title": "what it is",
    }
    _show({"datasets": found}, json, "datasets", [_pick(one, columns) for one in found])


def data_get(
    name: Dataset, /, *, out: CopyTo = None, overwrite: Overwrite = False, json: Json = False
) -> None:
    """Fetch a dataset into the cache (IATROS_DATA); what does not have the published hash is not kept."""
    from iatros.app.data import get_data
    from iatros.cli.progress import open_progress

    with open_progress(quiet=json) as progress:
        found = get_data(name, progress, out=out, overwrite=overwrite)
    _show(found, json, name, [{"": key, " ": _text(value)} for key, value in found.items()])


def data_verify(name: Named = None, /, *, json: Json = False) -> int:
    """Check the hashes of what lies in the cache; exit code 2 where one does not hold."""
    from iatros.app.data import verify_data

    found = verify_data(name)
    rows = [
        {"name": one["name"], "state": "whole" if one["valid"] else f"BROKEN: {one['reason']}"}
        for one in found
    ]
    _show({"datasets": found}, json, "datasets in the cache", rows)
    return 0 if all(one["valid"] for one in found) else RequestError.exit_code


def _show(document: dict[str, Any], as_json: bool, title: str, rows: list[dict[str, str]]) -> None:
    from iatros.cli.screen import new_table, open_console, print_json, printable

    if as_json:
        print_json(document)
        return
    if not rows:
        open_console().print(printable(f"{title}: none"))
        return
    table = new_table(printable(title), list(rows[0]), numbers=False)
    for row in rows:
        table.add_row(*[printable(value) for value in row.values()])
    open_console().print(table)


def _pick(entry: dict[str, Any], columns: dict[str, str]) -> dict[str, str]:
    return {title: _text(entry.get(key)) for key, title in columns.items()}


def _text(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)


def _bounds(bounds: dict[str, Any]) -> str:
    signs = {"minimum": "≥ ", "exclusiveMinimum": "> ", "maximum": "≤ ", "exclusiveMaximum": "< ", "enum": ""}
    return ", ".join(f"{signs[key]}{_text(value)}" for key, value in bounds.items())
