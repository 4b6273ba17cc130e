"""Labels and patients from a table beside the images, joined by path, series, study or patient."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

from iatros.core.errors import TableError
from iatros.imaging.schema import Collection, ImageRecord, Refused
from iatros.imaging.sources.manifest import WITHOUT_IMAGE
from iatros.imaging.sources.rows import Cells, Roles, described, read_rows, relative

_WHERE = "the table"


def join_table(collection: Collection, table: Any, roles: Roles) -> Collection:
    """`collection` whose records have the cells of their row of `table`.

    The first of the columns path, series_uid, study_uid and the patient column that is there joins. A path is
    relative to the source, or a file's name alone where no other image has it. Several images may share a row,
    except by path. A row without image is refused; images without a row keep what they had, and a note counts
    them. TableError: no such column, a key twice, a side that is not known.
    """
    rows = read_rows(table, roles)
    key = _key(rows, roles)
    by_key = _by_key(rows, key)
    names = _names(collection.records, key)
    records, used = [], set()
    for record in collection.records:
        found = next((name for name in names(record) if name in by_key), None)
        if found is None:
            records.append(record)
        else:
            used.add(found)
            records.append(described(record, by_key[found], roles, _WHERE))
    lost = [
        Refused(name if key == "path" else f"row {number}", WITHOUT_IMAGE)
        for number, name in enumerate(by_key, start=1)
        if name not in used
    ]
    without = sum(record is before for record, before in zip(records, collection.records, strict=True))
    notes = (f"{without} of {len(records)} images have no row in the table",) if without else ()
    return replace(
        collection,
        records=tuple(records),
        refused=(*collection.refused, *lost),
        notes=(*collection.notes, *notes),
    )


def _key(rows: list[Cells], roles: Roles) -> str:
    keys = ("path", "series_uid", "study_uid", roles.subject)
    for name in keys:
        if rows and name in rows[0]:
            return name
    raise TableError(
        "nothing in the table says which image a row is about",
        where=_WHERE,
        hint=f"one of the columns {', '.join(keys)} is needed",
    )


def _by_key(rows: list[Cells], key: str) -> dict[str, Cells]:
    found: dict[str, Cells] = {}
    for number, row in enumerate(rows, start=1):
        if row[key] is None:
            raise TableError("a row has no key", where=f"{_WHERE}, row {number}, column {key}")
        name = relative(str(row[key])) if key == "path" else str(row[key])
        if name in found:
            raise TableError(
                "two rows are about the same image or patient",
                where=f"{_WHERE}, row {number}, column {key}",
                hint="one row for each",
            )
        found[name] = row
    return found


def _names(records: tuple[ImageRecord, ...], key: str) -> Callable[[ImageRecord], list[str]]:
    """What a record may be called in the column `key`."""
    if key != "path":
        field = {"series_uid": "series_uid", "study_uid": "study_uid"}.get(key, "subject")
        return lambda record: [value] if (value := getattr(record, field)) is not None else []
    counts: dict[str, int] = {}
    for record in records:
        for name in {PurePosixPath(path).name for path in (record.name, *record.files)}:
            counts[name] = counts.get(name, 0) + 1

    def paths(record: ImageRecord) -> list[str]:
        whole = [record.name, *record.files]
        folders = [str(PurePosixPath(record.name).parent)] if len(record.files) > 1 else []
        short = [PurePosixPath(path).name for path in whole]
        return [*whole, *folders, *(name for name in short if counts[name] == 1)]

    return paths
