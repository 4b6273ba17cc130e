"""From what the user gave to the knowledge: a folder, a manifest, one table, or rows."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from iatros.core.errors import RequestError, TableError, unknown_name
from iatros.treatment.safety.knowledge import About, Knowledge, build_knowledge
from iatros.treatment.safety.names import folded
from iatros.treatment.safety.rows import RULES, TABLES, RowTable, place_rows, read_rows
from iatros.treatment.safety.rules import Scale

MANIFEST = "knowledge.yaml"
EXAMPLE = Path(__file__).parent / "example"
"""A few well-known rules from public labels: an illustration, far from complete."""

_SUFFIXES = (".csv", ".tsv", ".txt", ".parquet", ".pq")
_ABOUT = ("version", "source", "licence", "notice")
_FIELDS = (*_ABOUT, "severities", "tables")
_MAX_MANIFEST = 2**20
_OF_ITSELF = "knowledge"
"""What a row calls its table when it tells the version and the like."""


def load_knowledge(given: Any) -> Knowledge:
    """The knowledge that `given` names.

    A folder with `knowledge.yaml`, or with files that are called after the tables of `rows.TABLES`; such a YAML file; a
    table of interactions (.csv, .parquet, a DataFrame or rows); rows that each name their table in `table`; or a
    mapping with the keys of the manifest, whose tables are files, DataFrames or rows. An empty one is no error.

    RequestError, TableError or SchemaError name file and line of what is wrong.

    >>> row = {"drug_a": "warfarin", "drug_b": "amiodarone", "severity": "major"}
    >>> load_knowledge([row]).counts()["interactions"]
    1
    """
    if isinstance(given, Knowledge):
        return given
    if isinstance(given, (str, Path)):
        return _from_path(Path(given))
    if isinstance(given, Mapping):
        return _from_document(given, "knowledge", None)
    if isinstance(given, list):
        return _from_rows(given)
    return _built({"interactions": read_rows("interactions", given)}, About(), Scale(), [])


def _from_path(path: Path) -> Knowledge:
    if path.is_dir():
        manifest = path / MANIFEST
        return _from_manifest(manifest) if manifest.exists() else _from_files(path)
    if path.suffix.lower() in (".yaml", ".yml"):
        return _from_manifest(path)
    return _built({"interactions": read_rows("interactions", path)}, About(), Scale(), [])


def _from_files(folder: Path) -> Knowledge:
    """The files of a folder that are called after tables; one that is called after none is refused."""
    found = {}
    for file in _tables_in(folder):
        table = file.name.partition(".")[0]
        if table not in TABLES:
            near = difflib.get_close_matches(table, TABLES, n=1)
            raise RequestError(
                f"the file {file.name} is called after no table of a knowledge", where=folder.name,
                hint=(f"is it {near[0]}? " if near else "")
                + f"tables are {', '.join(TABLES)}; other names are told in {MANIFEST}",
            )  # fmt: skip
        if table in found:
            raise RequestError(f"the table {table} is there twice", where=folder.name, hint="leave one file")
        found[table] = file
    if not found:
        raise RequestError(
            "the folder holds no knowledge", where=folder.name,
            hint=f"put {MANIFEST} there, or files such as interactions.csv, if only with a header",
        )  # fmt: skip
    return _built({table: read_rows(table, file) for table, file in found.items()}, About(), Scale(), [])


def _tables_in(folder: Path) -> list[Path]:
    files = (file for file in folder.iterdir() if file.is_file())
    return sorted(file for file in files if file.name.lower().removesuffix(".gz").endswith(_SUFFIXES))


def _from_manifest(path: Path) -> Knowledge:
    import yaml

    try:
        with path.open("rb") as stream:
            content = stream.read(_MAX_MANIFEST + 1)
    except OSError as error:
        raise RequestError(f"the file cannot be read: {error.strerror}", where=str(path)) from None
    if len(content) > _MAX_MANIFEST:
        raise RequestError(f"the file is larger than the {_MAX_MANIFEST} bytes allowed", where=path.name)
    try:
        root = yaml.compose(content, Loader=yaml.SafeLoader)
        _refuse_repeats(root, path.name)
        document = yaml.safe_load(content)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path.name}, line {mark.line + 1}" if mark else path.name
        problem = getattr(error, "problem", None) or "too deeply nested, or not text"
        raise RequestError(f"this is not YAML: {problem}", where=where) from None
    if not isinstance(document, Mapping):
        raise RequestError("the file must hold one `field: value` on each line", where=path.name)
    return _from_document(document, path.name, path.resolve().parent)


def _refuse_repeats(root: Any, name: str) -> None:
    """RequestError for a key that is given twice, of which YAML would take the last."""
    mappings = [root, *(value for _, value in root.value)] if getattr(root, "id", "") == "mapping" else []
    for node in mappings:
        if node.id != "mapping":
            continue
        seen = set()
        for key, _ in node.value:
            if key.value in seen:
                where = f"{name}, line {key.start_mark.line + 1}"
                raise RequestError(f"{key.value} is given twice", where=where, hint="give it once")
            if isinstance(key.value, str):
                seen.add(key.value)


def _from_document(document: Mapping[Any, Any], source: str, folder: Path | None) -> Knowledge:
    for key in document:
        if key not in _FIELDS:
            raise unknown_name("field of a knowledge", str(key), _FIELDS, where=source)
    about = About(**{name: _said(document.get(name), name, source) for name in _ABOUT})
    scale = _scale(document.get("severities"), source)
    tables = document.get("tables") or {}
    if not isinstance(tables, Mapping):
        raise RequestError("tables holds one `table: file` on each line", where=source)
    found: dict[str, RowTable] = {}
    files = set()
    for table, given in tables.items():
        if table not in TABLES:
            raise unknown_name("table of a knowledge", str(table), TABLES, where=f"{source}, tables")
        if folder is not None:
            given = _beside(given, folder, f"{source}, tables, {table}")
            files.add(given)
        found[str(table)] = read_rows(str(table), Path(given) if isinstance(given, str) else given)
    notes = []
    if folder is not None:
        others = [file.name for file in _tables_in(folder) if file not in files]
        notes = (
            [f"{source} does not name these files, which were not read: {', '.join(others)}"]
            if others
            else []
        )
    return _built(found, about, scale, notes)


def _beside(given: Any, folder: Path, where: str) -> Path:
    """The file that a manifest names, which lies in its folder or below."""
    if not isinstance(given, str) or not given.strip():
        raise RequestError("is not the name of a file", where=where)
    path = (folder / given).resolve()
    if not path.is_relative_to(folder):
        raise RequestError(
            "leads out of the folder of the manifest", where=where, hint="keep the tables beside it"
        )
    return path


def _said(value: Any, name: str, source: str) -> str:
    if value is None:
        return ""
    if isinstance(value, (float, bool)):
        hint = "otherwise 1.10 would be read as 1.1"
        raise RequestError(
            f"{name} is read as a {type(value).__name__}: put it in quotes", where=source, hint=hint
        )
    if not isinstance(value, (str, int, date)):
        raise RequestError(f"{name} is one text", where=source)
    return " ".join(str(value).split())


def _scale(given: Any, source: str) -> Scale:
    if given is None:
        return Scale()
    if (
        not isinstance(given, Sequence)
        or isinstance(given, str)
        or not all(isinstance(one, str) for one in given)
    ):
        raise RequestError("severities is a list of names, the least first", where=source)
    names = tuple(folded(one) for one in given)
    if not names or "" in names or len(set(names)) < len(names):
        raise RequestError("severities needs different names, the least first", where=source)
    return Scale(names)


def _from_rows(rows: list[Any]) -> Knowledge:
    """Rows that name their table in `table`; where none does, they are interactions."""
    if not any(isinstance(row, Mapping) and "table" in row for row in rows):
        return _built({"interactions": read_rows("interactions", rows)}, About(), Scale(), [])
    groups: dict[str, list[int]] = {}
    for position, row in enumerate(rows):
        table = row.get("table") if isinstance(row, Mapping) else None
        if table not in (*TABLES, _OF_ITSELF):
            where = f"knowledge, row {position} (counted from 0), column table"
            raise unknown_name("table of a knowledge", str(table), (*TABLES, _OF_ITSELF), where=where)
        groups.setdefault(str(table), []).append(position)
    said = groups.pop(_OF_ITSELF, [])
    if len(said) > 1:
        raise TableError(
            f"{len(said)} rows of {_OF_ITSELF} tell what it is", where="knowledge", hint="give one"
        )
    tables = {}
    for table, positions in groups.items():
        cells = [{name: value for name, value in rows[at].items() if name != "table"} for at in positions]
        # What another table needs is empty in rows that were written as one table.
        there = {name for row in cells for name, value in row.items() if value not in (None, "")}
        cells = [{name: value for name, value in row.items() if name in there} for row in cells]
        tables[table] = place_rows(read_rows(table, cells), positions, "knowledge")
    document = {name: value for at in said for name, value in rows[at].items() if name != "table" and value}
    for name in document:
        # Rows come over HTTP, where nothing may name a file.
        if name not in (*_ABOUT, "severities"):
            raise unknown_name("field of a knowledge", str(name), (*_ABOUT, "severities"), where="knowledge")
    head = _from_document(document, "knowledge", None)
    return _built(tables, head.about, head.scale, [])


def _built(tables: Mapping[str, RowTable], about: About, scale: Scale, notes: Sequence[str]) -> Knowledge:
    said = [*notes, *(note for one in tables.values() for note in one.notes)]
    said += [f"there is no table of {table}, so none were checked" for table in RULES if table not in tables]
    return build_knowledge({table: one.rows for table, one in tables.items()}, about, scale, said)
