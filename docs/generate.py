"""Writes docs/reference from the code: `make docs`. With --check it compares, and fails where a page is old."""

from __future__ import annotations

import inspect
import io
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

import numpy as np
from search_space import tuned_ranges

from iatros.app.domains import domains
from iatros.app.models import parameters_of, show_model
from iatros.core import errors
from iatros.core.domain import Action, Domain
from iatros.core.domain import load as load_target
from iatros.core.errors import IatrosError
from iatros.core.leakage.columns import CHECKS
from iatros.core.metrics import evaluate
from iatros.core.metrics.evaluate import metric_names
from iatros.core.metrics.result import IDEAL, LOWER_IS_BETTER
from iatros.core.request import Request
from iatros.core.task import Target

FOLDER = Path(__file__).resolve().parent / "reference"
WIDTH = 96
MADE = "<!-- Made from the code by docs/generate.py: change the code, then run `make docs`. -->"
TYPES = {"int": "whole number", "float": "number", "str": "text", "bool": "yes or no", "choice": "choice"}
TARGETS = (
    Target("died", "binary", ("no", "yes")),
    Target("stage", "multiclass", ("I", "II", "III")),
    Target("dose", "continuous", (), "mg"),
)
MEANT = {
    "binary": "Sensitivity and its neighbours are those at a risk of 0.5; the thresholds that a training chooses have "
    "a table of their own in the report.",
    "multiclass": "AUROC, average precision and F1 are unweighted means of one class against the rest.",
    "continuous": "In the outcome's own unit, whatever scale it was learned on.",
}


def index() -> str:
    """The list of the other pages."""
    lines = [f"* [{title}]({name})" for name, (title, _) in PAGES.items() if name != "index.md"]
    return "Every page here is made from the code, and `make check` fails where one is old.\n\n" + "\n".join(
        lines
    )


def command_line() -> str:
    """The help of every command."""
    from iatros.cli.application import build_app

    parts = [
        "The grammar is `iatros DOMAIN ACTION INPUT... --option`. Flags are the fields of the "
        "[requests](requests.md); the group *Output and run* belongs to the command line and changes no answer. "
        "Exit codes are those of the [errors](errors.md)."
    ]
    for command in commands(build_app()):
        parts += [f"## {' '.join(('iatros', *command))}", f"```text\n{help_text(command)}\n```"]
    return "\n\n".join(parts)


def commands(app: Any, prefix: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Every command as its words, parents first."""
    found = [prefix]
    for name in app:
        if not name.startswith("-"):
            found += commands(app[name], (*prefix, name))
    return found


def help_text(command: Sequence[str]) -> str:
    """What `iatros COMMAND --help` prints on a screen of WIDTH columns, without trailing blanks."""
    from rich.console import Console

    from iatros.cli.application import build_app

    screen = io.StringIO()
    console = Console(file=screen, width=WIDTH, color_system=None, force_terminal=False, legacy_windows=False)
    build_app().help_print(list(command), console=console)
    return "\n".join(line.rstrip() for line in screen.getvalue().strip().splitlines())


def requests() -> str:
    """Every field of every request."""
    parts = [
        "One frozen class per action. Its fields are the arguments of the Python function, the flags of the command "
        "(`held_out_fraction` is `--held-out-fraction`), the keys of a `--config` file and of the HTTP body. "
        "A field that is not listed here is refused. Actions that name a bundle are also answered [over HTTP](http.md)."
    ]
    for domain in domains():
        for action in domain.actions:
            parts += _request(domain, action)
    return "\n\n".join(parts)


def _request(domain: Domain, action: Action) -> list[str]:
    kind = load_target(action.request)
    assert isinstance(kind, type)
    assert issubclass(kind, Request)
    schema = kind.model_json_schema().get("properties", {})
    rows = [
        (
            f"`{name}`",
            _kind_of(field.annotation, schema.get(name, {})),
            "**required**" if field.is_required() else _code(field.get_default()),
            _limits(schema.get(name, {})),
            field.description or "",
        )
        for name, field in kind.model_fields.items()
    ]
    writes = {
        None: "Writes nothing.",
        "bundle": "Writes a new bundle, always.",
        "table": "Writes its answers to a .csv or .parquet file where `out` is given.",
        "documents": "Writes its report and `result.json` to a folder where `out` is given.",
    }
    return [
        f"## {domain.name} {action.name}",
        f"`iatros {domain.name} {action.name}` · `iatros.app.{domain.name}.{action.name}()` · `{kind.__name__}`",
        f"{inspect.cleandoc(kind.__doc__ or '')} {writes[action.writes]}",
        table(("field", "type", "default", "bounds", "meaning"), rows),
    ]


def models() -> str:
    """Every model with its parameters, and what tuning searches."""
    parts = ['Set a parameter with `--param MODEL.NAME=VALUE` (Python: `param=["forest.n_estimators=200"]`).']
    for domain in domains():
        for entry in domain.models:
            parts += _model(domain, entry.name, entry.summary)
    return "\n\n".join(parts)


def _model(domain: Domain, name: str, summary: str) -> list[str]:
    model, loaded = show_model(name, domain.name), domain.models.load(name)
    searched = hasattr(loaded, "search_space")
    tuned = tuned_ranges(loaded) if searched else {}
    said = f"*{domain.name.capitalize()}.* {_sentence(summary)} {model['description']}"
    described = _parameters(model["parameters"], tuned if searched else None)
    return [f"## {name}", said, *([_optimism(loaded)] if searched else ()), described]


def _parameters(parameters: list[dict[str, Any]], tuned: dict[str, str] | None = None) -> str:
    """The table of a model's parameters, with what tuning searches where it does."""
    header = (
        "parameter",
        "type",
        "default",
        "bounds",
        *(("tuned over",) if tuned is not None else ()),
        "meaning",
    )
    rows = [
        (
            f"`{one['name']}`",
            TYPES.get(one["type"].removesuffix(" | None"), "names"),
            _code(one["default"]),
            _limits(one["bounds"]),
            *((tuned.get(one["name"], ""),) if tuned is not None else ()),
            one["description"],
        )
        for one in parameters
    ]
    return table(header, rows)


def _optimism(loaded: Any) -> str:
    how = "Harrell's bootstrap."
    if getattr(loaded, "interpolates", False):
        how = ".632+, because it remembers its training patients."
    return f"Optimism is corrected by {how}"


def metrics() -> str:
    """Every metric, what it tells, which way is better and how its interval is made."""
    from iatros.core.report_sections.words import METRICS

    parts = [
        'Under `metrics.<split>.<name>` each is `{"value", "low", "high", "n", "n_events", "interval"}`; '
        "`interval` says how the two ends were made, and why there are none where there are none (null). "
        "Where a patient has several rows, intervals draw patients."
    ]
    for target in TARGETS:
        once, repeated = _intervals(target, repeat=False), _intervals(target, repeat=True)
        rows = [
            (
                f"`{name}`",
                METRICS[name].label,
                METRICS[name].tells,
                _direction(name),
                once[name],
                repeated[name],
            )
            for name in metric_names(target)
        ]
        header = (
            "name",
            "label",
            "tells",
            "better",
            "interval, a row per patient",
            "interval, patients repeat",
        )
        parts += [f"## {target.task.capitalize()} outcomes", MEANT[target.task], table(header, rows)]
    return "\n\n".join(parts)


def _intervals(target: Target, *, repeat: bool) -> dict[str, str]:
    """The method of each metric's interval, as `evaluate` tells it on made-up numbers."""
    rng = np.random.default_rng(0)
    n = 90
    if target.task == "continuous":
        y = rng.uniform(5, 60, n)
        prediction = y + rng.normal(0, 8, n)
    elif target.task == "binary":
        prediction = rng.uniform(0.05, 0.95, n)
        y = (rng.uniform(size=n) < prediction).astype(int)
    else:
        prediction = rng.dirichlet((1.0, 2.0, 3.0), n)
        y = np.array([rng.choice(3, p=row) for row in prediction])
    groups = np.arange(n) // 2 if repeat else np.arange(n)
    found = evaluate(target, y, prediction, groups=groups, n_bootstrap=20, seed=0)
    return {name: re.sub(r"\d+ ", "", metric.interval) for name, metric in found.items()}


def _direction(name: str) -> str:
    if name in IDEAL:
        return f"near {IDEAL[name]:g}"
    return "lower" if name in LOWER_IS_BETTER else "higher"


def error_tree() -> str:
    """The tree of errors with status and exit code, and the codes that are no error's."""
    tree = (errors.__doc__ or "").split("\n\n")
    rows = [
        (f"`{kind.__name__}`", f"`{kind.code}`", str(kind.http_status), str(kind.exit_code))
        for kind in error_classes()
    ]
    return "\n\n".join(
        [
            tree[0],
            f"```text\nerror                     HTTP exit  meaning\n{tree[1]}\n```",
            *tree[2:],
            "On the command line an error is one line on stderr, and with `--json` also the document "
            '`{"error": {"code", "message", "where", "hint"}}` on stdout, as over HTTP.',
            table(("class", "`code`", "HTTP status", "exit code"), rows),
            "Other exit codes: 0 all went well, 130 interrupted (Ctrl-C), 141 the reader of the output went away, "
            "143 ended by the system.",
        ]
    )


def error_classes() -> list[type[IatrosError]]:
    """Every class of the tree, parents first."""
    found: list[type[IatrosError]] = [IatrosError]
    for kind in found:
        found += [child for child in kind.__subclasses__() if child.__module__ == errors.__name__]
    return found


def http() -> str:
    """Every route, from the same OpenAPI document that the server gives out."""
    from iatros.server import create_app

    document = create_app(Path("models"), "a-key-that-only-these-pages-know").openapi()
    parts = [
        "`iatros serve --models DIR` answers on 127.0.0.1:8000. Send the key of IATROS_API_KEY as the header "
        "`X-API-Key` (or as a bearer token); `/health` and `/openapi.json` are open. Bodies are one JSON object; a "
        "model is named by its folder in DIR, a table is a list of rows; no path is taken. See "
        "[how to serve](../how-to/serve-over-http.md)."
    ]
    for path, methods in document["paths"].items():
        for method, route in methods.items():
            parts += [f"## {method.upper()} {path}", _sentence(route.get("description") or route["summary"])]
            parts += [
                f"* `{one['name']}` ({one['in']}) {one.get('description', 'as GET /models lists it')}"
                for one in route.get("parameters", [])
            ]
            body = route.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
            if body:
                required = set(body.get("required", ()))
                rows = [
                    (f"`{name}`", "yes" if name in required else "", field.get("description", ""))
                    for name, field in body["properties"].items()
                ]
                parts.append(table(("field", "required", "meaning"), rows))
    return "\n\n".join(parts)


def datasets() -> str:
    """The public datasets by card."""
    parts = [
        "`iatros data get NAME` puts a dataset into the cache (IATROS_DATA, by default `~/.iatros/data`), after its "
        "hash was checked, with a table and a data dictionary, or images with a manifest, ready for training."
    ]
    for domain in domains():
        for card in load_target(domain.datasets) if domain.datasets else ():  # type: ignore[union-attr]
            rows = [("licence", card.licence), ("citation", card.citation)]
            rows += [("page", card.page)] if card.page else []
            rows += [("embedded", "yes: nothing is fetched")] if card.embedded else []
            rows += [
                (
                    f"`{file.name}`",
                    (f"{file.bytes:,} bytes, " if file.bytes else "")
                    + f"{file.hash_name} `{file.sha256 or file.md5}`",
                )
                for file in card.files
            ]
            rows += [(f"published {one.metric}", f"{one.value:g} ({one.source})") for one in card.published]
            rows += [("mind", card.notes)] if card.notes else []
            parts += [f"## {card.name}", f"{card.title} ({domain.name})", table(("", ""), rows)]
    return "\n\n".join(parts)


def leakage_checks() -> str:
    """What the leakage audit looks for."""
    rows = [(f"`{name}`", words) for name, words in CHECKS.items()]
    return "\n\n".join(
        [
            "Severity is `certain` (fixes the outcome in every row it touches, or the data dictionary says so), "
            "`likely` (almost does) or `look` (for a person to judge). `--drop-suspects` leaves out the certain ones. "
            "See [how to audit](../how-to/audit-for-leakage.md).",
            table(("check", "looks for"), rows),
        ]
    )


def objectives() -> str:
    """What an objective is made of: ways to combine, parts, properties, fingerprints, transforms."""
    from iatros.molecules.objectives import fingerprints, objective, transforms
    from iatros.molecules.objectives.part import Part
    from iatros.molecules.objectives.properties import PROPERTIES
    from iatros.molecules.objectives.reading import PARTS

    common = set(Part.model_fields)
    parts = [
        (
            f"`{key}`",
            ", ".join(f"`{name}`" for name in kind.model_fields if name not in {*common, key}),
            "yes" if kind.model_fields["hard"].default else "",
            " ".join(inspect.cleandoc(kind.__doc__ or "").split()),
        )
        for key, kind in PARTS.items()
    ]
    properties = [(f"`{name}`", one.unit, one.meaning) for name, one in PROPERTIES.items()]
    return "\n\n".join(
        [
            "The file that `iatros molecules optimise` takes: `parts`, each named by its first field, and `combine`. "
            "Every part may also have a `name`, a `transform`, and a `weight` or `hard: true`, which makes it a "
            "constraint. See [how to write one](../how-to/write-an-objective.md).",
            "## combine",
            _body(objective),
            "## Parts",
            table(("part", "its other fields", "hard unless said otherwise", "meaning"), parts),
            "## Transforms",
            _body(transforms),
            "## Properties",
            table(("property", "unit", "meaning"), properties),
            "## Fingerprints",
            _body(fingerprints),
        ]
    )


def searches() -> str:
    """Every search for compounds that an objective scores high, with its parameters."""
    from iatros.molecules.optimisers import OPTIMISERS

    parts = [
        "What `iatros molecules optimise` searches with: name one with `--model`, and set a parameter with "
        "`--param MODEL.NAME=VALUE`, such as `--param hybrid.attempts=4`."
    ]
    for entry in OPTIMISERS:
        parameters = parameters_of(OPTIMISERS.load(entry.name).Params)
        described = _parameters(parameters) if parameters else "It has no parameters."
        parts += [f"## {entry.name}", _sentence(entry.summary), described]
    return "\n\n".join(parts)


def _body(module: Any) -> str:
    """The docstring of a module but for its first sentence."""
    return "\n\n".join((module.__doc__ or "").strip().split("\n\n")[1:])


PAGES: dict[str, tuple[str, Callable[[], str]]] = {
    "index.md": ("Reference", index),
    "cli.md": ("The command line", command_line),
    "requests.md": ("Requests", requests),
    "models.md": ("Models", models),
    "objectives.md": ("Objectives", objectives),
    "searches.md": ("Searches", searches),
    "metrics.md": ("Metrics", metrics),
    "errors.md": ("Errors and exit codes", error_tree),
    "http.md": ("The HTTP server", http),
    "datasets.md": ("Datasets", datasets),
    "leakage-checks.md": ("Checks of the leakage audit", leakage_checks),
}


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [" | ".join(header), " | ".join("---" for _ in header)]
    lines += [" | ".join(cell.replace("|", "\\|").replace("\n", " ") or " " for cell in row) for row in rows]
    return "\n".join(f"| {line} |" for line in lines)


def _code(value: Any) -> str:
    if value is None or value == () or value == {}:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"`{', '.join(map(str, value)) if isinstance(value, (list, tuple)) else value}`"


def _kind_of(annotation: Any, schema: Mapping[str, Any]) -> str:
    if hasattr(annotation, "__metadata__"):
        return _kind_of(get_args(annotation)[0], schema)
    if get_origin(annotation) in (Union, UnionType):
        return " or ".join(_kind_of(part, schema) for part in get_args(annotation) if part is not type(None))
    known = {str: "text", int: "whole number", float: "number", bool: "yes or no", Path: "file"}
    origins = {Literal: "choice", tuple: "names"}
    by_schema = {
        "array": "table", "files": "images", "compounds": "compounds", "knowledge": "knowledge", "string": "bundle",
    }  # fmt: skip
    told = known.get(annotation) or origins.get(get_origin(annotation))
    if told is not None:
        return told
    if get_origin(annotation) is dict:
        return "values by name"
    holder = next(one for one in (schema, *schema.get("anyOf", ())) if "type" in one)
    return by_schema[holder.get("format", holder["type"])]


def _limits(schema: Mapping[str, Any]) -> str:
    signs = {"exclusiveMinimum": ">", "minimum": "≥", "exclusiveMaximum": "<", "maximum": "≤"}
    holders = [schema, *schema.get("anyOf", [])]
    bounds = [f"{sign} {holder[key]:,}" for holder in holders for key, sign in signs.items() if key in holder]
    choices = [f"`{choice}`" for holder in holders for choice in holder.get("enum", ())]
    return ", ".join([*bounds, *choices])


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:].rstrip(".") + "."


def pages() -> dict[str, str]:
    """Every page by file name."""
    return {name: f"{MADE}\n\n# {title}\n\n{make()}\n" for name, (title, make) in PAGES.items()}


def main(arguments: Sequence[str]) -> int:
    """Write the pages, or with --check name those that differ."""
    made = pages()
    on_disk = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.md")}
    if "--check" in arguments:
        old = sorted(name for name in {*made, *on_disk} if made.get(name) != on_disk.get(name))
        for name in old:
            print(f"docs/reference/{name} is not what the code says; run: make docs", file=sys.stderr)
        return 1 if old else 0
    FOLDER.mkdir(exist_ok=True)
    for name in sorted(set(on_disk) - set(made)):
        (FOLDER / name).unlink()
    for name, text in made.items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
