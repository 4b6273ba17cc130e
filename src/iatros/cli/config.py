"""A YAML file with the fields of a request: read as text, exactly like flags."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

import yaml

from iatros.core.errors import RequestError
from iatros.core.request import Request

MAX_BYTES = 2**20

_DOOR = ("out", "overwrite", "resume", "engine", "workers", "json", "quiet", "config")


class _TextLoader(yaml.SafeLoader):
    """A safe loader that leaves every scalar as text but null, and refuses a key given twice."""

    yaml_implicit_resolvers = {  # noqa: RUF012
        first: [(tag, pattern) for tag, pattern in resolvers if tag == "tag:yaml.org,2002:null"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        names = [key.value for key, _ in node.value]
        for name in names:
            if names.count(name) > 1:
                raise yaml.constructor.ConstructorError(None, None, f"{name} is given twice", node.start_mark)
        return super().construct_mapping(node, deep=deep)


def read_config(path: Path, kind: type[Request]) -> dict[str, Any]:
    """The fields that `path` gives for a request of `kind`; an unknown key is refused with the nearest known one."""
    document = _load(path)
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise RequestError("the file must hold one `field: value` on each line", where=path.name)
    for key in document:
        if key not in kind.model_fields:
            raise RequestError(
                f"{key} is not a field of this command", where=path.name, hint=_hint(str(key), kind)
            )
    return {name: tuple(v) if isinstance(v, list) else v for name, v in document.items() if v is not None}


def _load(path: Path) -> Any:
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise RequestError(f"the file cannot be read: {error.strerror}", where=str(path)) from None
    if len(content) > MAX_BYTES:
        raise RequestError(f"the file is larger than the {MAX_BYTES} bytes allowed", where=path.name)
    try:
        return yaml.load(content, Loader=_TextLoader)  # noqa: S506  (a SafeLoader)
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path.name}, line {mark.line + 1}" if mark else path.name
        problem = getattr(error, "problem", None) or "too deeply nested"
        hint = "put a value that begins with > ! & * or % in quotes"
        raise RequestError(f"this is not YAML: {problem}", where=where, hint=hint) from None


def _hint(key: str, kind: type[Request]) -> str:
    if key in _DOOR:
        return f"give --{key} on the command line"
    near = difflib.get_close_matches(key.replace("-", "_"), kind.model_fields, n=1)
    return f"did you mean {near[0]}?" if near else f"known: {', '.join(kind.model_fields)}"
