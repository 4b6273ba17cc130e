"""DICOM files to records: scan the headers, follow a DICOMDIR, sort into series, decode."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePosixPath

from iatros.core.context import Context
from iatros.imaging.cache import Pack
from iatros.imaging.schema import ImageRecord, Refused
from iatros.imaging.sources.decoding import Unit, spread
from iatros.imaging.sources.dicom_header import Directory, Header, scan
from iatros.imaging.sources.dicom_series import Stack, sort_out
from iatros.imaging.sources.files import Gathered, Planned
from iatros.imaging.sources.listing import Found, look_at


def plan_dicom(
    found: Sequence[Found], context: Context, gathered: Gathered, *, alone: bool = False
) -> list[Planned]:
    """One unit per series of slices, per file with several frames, and per single image; `gathered` takes the rest."""
    answer = sort_out(_headers(found, context, gathered), alone=alone)
    gathered.refused += answer.refused
    return [Planned(_unit(stack), partial(_record, stack)) for stack in _named_once(answer.stacks)]


def _headers(found: Sequence[Found], context: Context, gathered: Gathered) -> list[Header]:
    headers: list[Header] = []
    places = _Places()
    known: set[str] = set()
    waiting = list(found)
    while waiting:
        answers = spread(scan, waiting, None, context, label="read headers", cost=lambda file: file.size)
        waiting = []
        for answer in answers:
            if isinstance(answer, Header):
                headers.append(answer)
            elif isinstance(answer, Directory):
                known = known or {places.real(file.path) for file in found}
                waiting += _listed(answer, known, places, gathered)
            else:
                gathered.refused.append(answer)
    return headers


class _Places:
    """Where files really are, links followed. Each folder is looked up once: thousands of files lie in few."""

    def __init__(self) -> None:
        self._folders: dict[str, str] = {}

    def real(self, path: Path) -> str:
        """Of an existing file, in one spelling where the system does not tell upper from lower case."""
        if path.is_symlink():
            return os.path.normcase(os.path.realpath(path))
        return os.path.normcase(os.path.join(self.folder(path.parent), path.name))

    def folder(self, path: Path) -> str:
        """Of a folder."""
        if str(path) not in self._folders:
            self._folders[str(path)] = os.path.normcase(os.path.realpath(path))
        return self._folders[str(path)]


def _listed(directory: Directory, known: set[str], places: _Places, gathered: Gathered) -> list[Found]:
    """Files that a DICOMDIR names and that were not found anyway; those that are absent are refused."""
    folder = Path(directory.path).parent
    inside = places.folder(folder)
    place = PurePosixPath(directory.name).parent
    added = []
    gathered.notes.append(f"{directory.name} names {len(directory.files)} files")
    for reference in directory.files:
        name = (place / reference).as_posix()
        path = next((p for p in (folder / reference, folder / reference.lower()) if p.is_file()), None)
        if path is None:
            gathered.refused.append(Refused(name, "named in the DICOMDIR, but not there"))
            continue
        target = places.real(path)
        if not Path(target).is_relative_to(inside):
            gathered.refused.append(Refused(name, "named in the DICOMDIR, but outside its folder"))
        elif target not in known:
            known.add(target)
            looked = look_at(path, name)
            if isinstance(looked, Found):
                added.append(looked)
            else:
                gathered.refused.append(looked)
    return added


def _named_once(stacks: Sequence[Stack]) -> list[Stack]:
    """Stacks in the order of their names, each name once."""
    seen: dict[str, int] = {}
    named = []
    for stack in sorted(stacks, key=lambda stack: (stack.name, stack.headers[0].name)):
        seen[stack.name] = seen.get(stack.name, 0) + 1
        count = seen[stack.name]
        named.append(stack if count == 1 else replace(stack, name=f"{stack.name}~{count}"))
    return named


def _unit(stack: Stack) -> Unit:
    return Unit(
        name=stack.name,
        reader="dicom",
        files=tuple(header.path for header in stack.headers),
        size=sum(header.cost for header in stack.headers),
        plan={"members": [list(member) for member in stack.members], "volume": stack.is_volume},
        hashes=tuple(header.sha256 for header in stack.headers),
        native=any(header.compressed for header in stack.headers),
    )


def _record(stack: Stack, pack: Pack) -> ImageRecord:
    image = pack.images[0]
    return ImageRecord(
        name=stack.name,
        sha256=image.sha256,
        shape=image.shape,
        files=tuple(dict.fromkeys(header.name for header in stack.headers)),
        spacing_mm=stack.spacing_mm,
        affine=stack.affine,
        flags=tuple(dict.fromkeys((*stack.flags, *pack.noticed.get("flags", ())))),
        **stack.headers[0].person,
    )
