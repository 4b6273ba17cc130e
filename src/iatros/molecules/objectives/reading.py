"""An objective read from YAML or a mapping; what is wrong with it is said with the part and its place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import ValidationError

from iatros.core.errors import IatrosError, RequestError, unknown_name
from iatros.molecules.objectives.activity import ActivityPart
from iatros.molecules.objectives.objective import Combine, Objective
from iatros.molecules.objectives.part import Part
from iatros.molecules.objectives.parts import (
    AlertPart,
    DistantPart,
    ElementPart,
    ForbiddenPart,
    FormulaPart,
    PropertyPart,
    RequiredPart,
    RingPart,
    SimilarPart,
)
from iatros.molecules.objectives.references import relative_to
from iatros.molecules.objectives.transforms import TRANSFORMS

MAX_BYTES = 2**20
MOST_PARTS = 100
_LONGEST = 76
"""Characters of a name that was not given; a number may follow."""

PARTS: dict[str, type[Part]] = {
    kind.key: kind
    for kind in (
        PropertyPart,
        ActivityPart,
        SimilarPart,
        DistantPart,
        RequiredPart,
        ForbiddenPart,
        AlertPart,
        ElementPart,
        RingPart,
        FormulaPart,
    )
}
"""Each kind of part by the field that tells it from the others."""

_FIELDS = ("name", "combine", "parts")
_COMMON = frozenset(("name", "weight", "hard", "transform"))
_QUOTES = "put SMILES, SMARTS and whatever begins with [ # or * in quotes"


def load_objective(given: str | Path | Mapping[str, Any], *, folder: Path | None = None) -> Objective:
    """The objective in a YAML file, or of the mapping that such a file holds.

    Paths of bundles and of files of compounds start from the file's folder; of a mapping, from `folder`, and without
    one it may name no files. RequestError, UnknownNameError and the like name the part that is wrong.

    >>> round(load_objective({"parts": [{"property": "qed"}]}).score(["CCO"])[0].score, 4)
    0.4068
    """
    if isinstance(given, Mapping):
        return _objective(given, "the objective", {}, folder)
    path = Path(given)
    document, lines = _read(path)
    return _objective(document, path.name, lines, path.resolve().parent, default=path.stem)


def as_yaml(objective: Objective) -> str:
    """The objective as a file would hold it; reading it gives the same scores.

    >>> print(as_yaml(load_objective({"parts": [{"property": "qed"}]})), end="")
    name: objective
    combine: geometric
    parts:
    - property: qed
      name: qed
    """
    return yaml.safe_dump(objective.document(), sort_keys=False, allow_unicode=True, width=120)


def _read(path: Path) -> tuple[Any, dict[int, int]]:
    """What a file holds, and on which line each of its parts begins."""
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise RequestError(f"the file cannot be read: {error.strerror}", where=str(path)) from None
    if len(content) > MAX_BYTES:
        raise RequestError(f"the file is larger than the {MAX_BYTES} bytes allowed", where=path.name)
    try:
        root = yaml.compose(content, Loader=yaml.SafeLoader)
        _refuse_repeats(root, path.name, set())
        return yaml.safe_load(content), _lines(root)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path.name}, line {mark.line + 1}" if mark else path.name
        problem = getattr(error, "problem", None) or "too deeply nested, or not text"
        raise RequestError(f"this is not YAML: {problem}", where=where, hint=_QUOTES) from None


def _refuse_repeats(node: Any, name: str, seen: set[int]) -> None:
    """RequestError for a key that is given twice, of which YAML would take the last."""
    if id(node) in seen or not isinstance(node, (yaml.MappingNode, yaml.SequenceNode)):
        return
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for one in node.value:
            _refuse_repeats(one, name, seen)
        return
    keys = [key.value for key, _ in node.value]
    for key, value in node.value:
        if isinstance(key.value, str) and keys.count(key.value) > 1:
            where = f"{name}, line {key.start_mark.line + 1}"
            raise RequestError(f"{key.value} is given twice", where=where, hint="give it once")
        _refuse_repeats(value, name, seen)


def _lines(root: Any) -> dict[int, int]:
    if not isinstance(root, yaml.MappingNode):
        return {}
    for key, value in root.value:
        if key.value == "parts" and isinstance(value, yaml.SequenceNode):
            return {place: one.start_mark.line + 1 for place, one in enumerate(value.value)}
    return {}


def _objective(
    given: Any, source: str, lines: dict[int, int], folder: Path | None, default: str = "objective"
) -> Objective:
    if not isinstance(given, Mapping):
        raise RequestError("combine and parts are needed, each as `field: value`", where=source)
    for key in given:
        if key not in _FIELDS:
            raise unknown_name("field of an objective", str(key), _FIELDS, where=source)
    combine = given.get("combine", "geometric")
    if combine not in get_args(Combine):
        raise unknown_name("way to combine", str(combine), get_args(Combine), where=f"{source}, combine")
    parts = given.get("parts")
    if not isinstance(parts, Sequence) or isinstance(parts, str) or not 0 < len(parts) <= MOST_PARTS:
        raise RequestError(f"parts is a list of 1 to {MOST_PARTS} parts", where=f"{source}, parts")
    made: list[Part] = []
    with relative_to(folder):
        for place, one in enumerate(parts):
            line = f", line {lines[place]}" if place in lines else ""
            made.append(_part(one, f"{source}{line}, part {place + 1}"))
    if all(part.hard for part in made):
        raise RequestError(
            "every part is a constraint, so all compounds that meet them would score the same",
            where=source,
            hint="add a part that can be more or less, or give one of them hard: false",
        )
    name = given.get("name", default)
    if not isinstance(name, str):
        raise RequestError("a name is text", where=f"{source}, name", hint="put it in quotes")
    return Objective(name, _named(made), combine)


def _part(given: Any, where: str) -> Part:
    if not isinstance(given, Mapping):
        raise RequestError("a part is written as `field: value`, such as property: qed", where=where)
    found = [key for key in given if key in PARTS]
    if not found:
        for key in given:
            if key not in _COMMON:
                raise unknown_name("part", str(key), PARTS, where=where)
        raise RequestError(
            "the part says not what it is about", where=where, hint=f"one of {', '.join(PARTS)}"
        )
    if len(found) > 1:
        raise RequestError(
            f"one part is about one thing, and this one has {' and '.join(found)}",
            where=where,
            hint="write two parts",
        )
    kind = PARTS[found[0]]
    where = f"{where} ({_short(found[0], given[found[0]])})"
    _check_names(given, kind, where)
    try:
        return kind.model_validate(dict(given))
    except ValidationError as error:
        raise RequestError(_told(error), where=where) from None
    except IatrosError as error:
        inner = f"{where}, {error.where}" if error.where else where
        raise type(error)(error.message, hint=error.hint, where=inner, cell=error.cell) from None


def _check_names(given: Mapping[str, Any], kind: type[Part], where: str) -> None:
    """Every field and the kind of transform are known."""
    for key in given:
        if key not in kind.model_fields:
            raise unknown_name(f"field of {kind.key}", str(key), kind.model_fields, where=where)
    transform = given.get("transform")
    if transform is None:
        if "transform" in given:
            raise RequestError("transform is empty", where=where, hint="leave it out, or give its kind")
        return
    if not isinstance(transform, Mapping) or not isinstance(transform.get("kind"), str):
        raise RequestError(
            "a transform has a kind, such as {kind: sigmoid, low: 5, high: 8}",
            where=where,
            hint=f"kinds: {', '.join(TRANSFORMS)}",
        )
    if transform["kind"] not in TRANSFORMS:
        raise unknown_name("transform", transform["kind"], TRANSFORMS, where=where)
    fields = TRANSFORMS[transform["kind"]].model_fields
    for key in transform:
        if key not in fields:
            raise unknown_name(f"field of {transform['kind']}", str(key), set(fields) - {"kind"}, where=where)


def _told(error: ValidationError) -> str:
    """What pydantic found, a few words for each field."""
    said = []
    for one in error.errors(include_url=False, include_context=False):
        field = ".".join(str(step) for step in one["loc"] if step not in TRANSFORMS)
        message = one["msg"].removeprefix("Value error, ")
        if one["type"] == "missing":
            message = "is required"
        elif one["type"] == "string_type":
            message = f"text is needed, got {one['input']!r}; {_QUOTES}"
        said.append(f"{field}: {message}" if field else message)
    return "; ".join(said)


def _short(key: str, value: Any) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
    return f"{key}: {text[:57]}..." if len(text) > 60 else f"{key}: {text}"


def _named(parts: list[Part]) -> tuple[Part, ...]:
    """The parts with a name each; of several by one name, the later ones with a number."""
    named: dict[str, Part] = {}
    for part in parts:
        wanted = name = part.name or part.label()[:_LONGEST]
        number = 1
        while name in named:
            number += 1
            name = f"{wanted} {number}"
        named[name] = part.model_copy(update={"name": name})
    return tuple(named.values())
