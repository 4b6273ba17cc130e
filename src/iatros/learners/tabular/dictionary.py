"""The data dictionary: what a YAML file says about columns beyond what their cells show."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from iatros.core.errors import RequestError, TableError, unknown_name
from iatros.learners.tabular.schema import Kind, Recorded

_MAX_BYTES = 4 * 1024 * 1024


class DictionaryColumn(BaseModel):
    """What is known about one column; whatever is not given is read off its cells."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Kind | None = None
    unit: str | None = None
    levels: tuple[str, ...] = ()
    """Allowed values; of an ordinal column from lowest to highest."""
    recorded: Recorded | None = None
    missing_codes: tuple[str, ...] = ()
    description: str | None = None
    identifier: bool | None = None

    @model_validator(mode="after")
    def _levels_fit(self) -> DictionaryColumn:
        if self.levels and self.kind in ("numeric", "date"):
            raise ValueError(f"levels do not go with kind {self.kind}")
        if len(set(self.levels)) != len(self.levels):
            raise ValueError("a level is given twice")
        return self


class Dictionary(BaseModel):
    """Columns by name, and codes that mean "missing" in every column."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    columns: dict[str, DictionaryColumn] = {}
    missing_codes: tuple[str, ...] = ()

    def check_names(self, names: list[str], source: str) -> None:
        """Raise UnknownNameError for a column that the table does not have."""
        for name in self.columns:
            if name not in names:
                raise unknown_name("column", name, names, where=f"data dictionary for {source}")


def read_dictionary(path: Path) -> Dictionary:
    """The dictionary in a YAML file.

    Every scalar is read as the text that stands there, so that the levels No and Yes, or the code -9, are
    not turned into something else. An unknown key raises RequestError with the nearest known one.
    """
    import yaml

    path = Path(path)
    try:
        text = path.read_bytes()[: _MAX_BYTES + 1]
    except OSError as error:
        raise TableError(f"the data dictionary cannot be read: {error.strerror}", where=str(path)) from None
    if len(text) > _MAX_BYTES:
        raise TableError("the data dictionary is larger than 4 MiB", where=path.name)
    try:
        # BaseLoader makes texts, lists and mappings only
        document = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path.name}, line {mark.line + 1}" if mark else path.name
        raise TableError("the data dictionary is not valid YAML", where=where) from None
    return _validated(document or {}, path.name)


def _validated(document: Any, source: str) -> Dictionary:
    if not isinstance(document, dict):
        raise TableError("the data dictionary must be a mapping", where=source, hint="begin with 'columns:'")
    columns = document.get("columns")
    if isinstance(columns, dict):
        # "sex:" with nothing after it
        document = {**document, "columns": {name: spec or {} for name, spec in columns.items()}}
    try:
        return Dictionary.model_validate(document)
    except ValidationError as error:
        raise _as_ours(error, source) from None


def _as_ours(error: ValidationError, source: str) -> RequestError:
    import difflib

    detail = error.errors(include_input=False, include_url=False, include_context=False)[0]
    place = [str(part) for part in detail["loc"]]
    where = ", ".join([source, *(["column " + place[1]] if len(place) > 1 and place[0] == "columns" else [])])
    if detail["type"] == "extra_forbidden":
        inside = place[0] == "columns" and len(place) > 2
        known = list((DictionaryColumn if inside else Dictionary).model_fields)
        near = difflib.get_close_matches(place[-1], known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}"
        return RequestError(f"the key {place[-1]!r} is not known", where=where, hint=hint)
    key = place[2] if len(place) > 2 else place[-1] if place else "document"
    return RequestError(f"{key}: {detail['msg'].removeprefix('Value error, ')}", where=where)
