"""Slices into series: by series UID, sorted along the normal of their planes, with gaps and duplicates noticed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

import numpy as np

from iatros.imaging.schema import Refused
from iatros.imaging.sources.dicom_header import Header, Plane

_SAME_PLACE_MM = 0.01
_SAME_DIRECTION = 0.9999
"""Cosine between the normals of one stack, about 0.8 degrees."""
_AXIS = 0.9995
"""Cosine below which a plane is oblique to the axes of the body, about 1.8 degrees."""
_IN_STACKS = ("CT", "MR", "PT")
_GAP = 0.25
"""Largest deviation of a distance between slices from the usual one, as a share of it: 0.6 and 0.7 mm are 0.625."""


@dataclass(frozen=True)
class Stack:
    """Planes that are read together, in order. `members` are (position in `headers`, frame)."""

    name: str
    headers: tuple[Header, ...]
    members: tuple[tuple[int, int], ...]
    is_volume: bool
    spacing_mm: tuple[float, ...] | None = None
    affine: tuple[tuple[float, ...], ...] | None = None
    flags: tuple[str, ...] = ()


@dataclass
class Sorted:
    """What became of the files."""

    stacks: list[Stack] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)


def sort_out(headers: Sequence[Header], *, alone: bool = False) -> Sorted:
    """Stacks and single images of `headers`; with `alone` every file is by itself.

    A file with several frames is a stack of its own. Slices of one series UID are parted where size, direction or
    the mark of a localizer differ, and where two lie at one place by what tells them apart (echo, time, b value).
    """
    answer = Sorted()
    series: dict[tuple[str, str], list[Header]] = defaultdict(list)
    for header in headers:
        if header.broken is not None and (alone or not header.is_slice or header.series is None):
            answer.refused.append(Refused(header.name, header.broken))
        elif len(header.planes) > 1:
            _frames(header, answer)
        elif alone or header.series is None:
            answer.stacks.append(_single(header))
        else:
            series[header.study or "", header.series].append(header)
    for members in series.values():
        _series(members, answer)
    return answer


def _series(members: list[Header], answer: Sorted) -> None:
    placed = [header for header in members if header.is_slice]
    loose = [header for header in members if not header.is_slice]
    if len(loose) > 1 and loose[0].modality in _IN_STACKS:
        reason = f"slices do not say where they lie, and their order is not known: {len(loose)} slices"
        answer.refused.append(Refused(_series_name(loose), reason))
    else:
        answer.stacks += [_single(header) for header in loose]
    groups = [group for part in _alike(placed) for group in _apart(part, answer)]
    several = sum(len(group) > 1 for group, _ in groups) > 1
    for number, (group, flags) in enumerate(groups, start=1):
        broken = [header for header in group if header.broken is not None]
        if broken:
            _refuse_broken(broken, group, answer)
        elif len(group) == 1:
            answer.stacks.append(_single(group[0], flags))
        else:
            name = _series_name(group) + (f"#{number}" if several else "")
            planes = [(place, header.planes[0]) for place, header in enumerate(group)]
            _add_volume(name, tuple(group), planes, flags, answer)


def _refuse_broken(broken: list[Header], group: list[Header], answer: Sorted) -> None:
    """Refuse the slices that are cut short, and the rest of their series, which is not whole without them."""
    answer.refused += [Refused(header.name, header.broken or "") for header in broken]
    if len(group) > len(broken):
        reason = f"a slice of the series cannot be read: {broken[0].name} ({len(group)} slices)"
        answer.refused.append(Refused(_series_name(group), reason))


def _frames(header: Header, answer: Sorted) -> None:
    """One file with several frames: sorted where they have places, else in their own order."""
    if any(plane.position is None or plane.orientation is None for plane in header.planes):
        members = tuple((0, plane.frame) for plane in header.planes)
        answer.stacks.append(Stack(header.name, (header,), members, True, flags=header.flags))
        return
    groups = _by_direction(list(header.planes), lambda plane: plane.orientation)
    for number, planes in enumerate(groups, start=1):
        name = header.name + (f"#{number}" if len(groups) > 1 else "")
        if len(planes) == 1:
            plane = planes[0]
            answer.stacks.append(
                Stack(
                    name,
                    (header,),
                    ((0, plane.frame),),
                    False,
                    plane.spacing,
                    flags=tuple(_plane_flags(header, plane)),
                )
            )
        else:
            _add_volume(name, (header,), [(0, plane) for plane in planes], (), answer)


def _add_volume(
    name: str,
    headers: tuple[Header, ...],
    planes: list[tuple[int, Plane]],
    flags: tuple[str, ...],
    answer: Sorted,
) -> None:
    """One volume of planes with parallel normals; refused where two lie at one place or one is missing."""
    normal = _normal(planes[0][1])
    places = np.array([float(np.dot(plane.position or (), normal)) for _, plane in planes])
    order = np.argsort(places, kind="stable")
    distances = np.diff(places[order])
    ordered = [planes[k] for k in order]
    files = [headers[place].name for place, _ in ordered]
    reason = _gap(distances, places[order], files)
    if reason is not None:
        answer.refused.append(Refused(name, f"{reason} ({len(planes)} slices)"))
        return
    spacing, affine = _geometry([plane for _, plane in ordered], float(distances.mean()))
    used = [place for place, _ in ordered] if len(headers) > 1 else [0]
    stack_headers = tuple(headers[place] for place in used)
    members = (
        tuple((k, plane.frame) for k, (_, plane) in enumerate(ordered))
        if len(headers) > 1
        else tuple((0, plane.frame) for _, plane in ordered)
    )
    noticed = dict.fromkeys((*flags, *_plane_flags(stack_headers[0], ordered[0][1]), *_tilt(ordered, normal)))
    answer.stacks.append(Stack(name, stack_headers, members, True, spacing, affine, tuple(noticed)))


def _single(header: Header, flags: tuple[str, ...] = ()) -> Stack:
    plane = header.planes[0]
    noticed = dict.fromkeys((*flags, *_plane_flags(header, plane)))
    return Stack(header.name, (header,), ((0, plane.frame),), False, plane.spacing, None, tuple(noticed))


def _alike(members: list[Header]) -> list[list[Header]]:
    """Parted by size, colour, localizer and direction."""
    parts: dict[tuple, list[Header]] = defaultdict(list)
    for header in members:
        parts[header.rows, header.columns, header.samples, header.localizer].append(header)
    groups = []
    for key, part in parts.items():
        if key[-1]:  # localizers are images by themselves, even where two are parallel
            groups += [[header] for header in part]
        else:
            groups += _by_direction(part, lambda header: header.planes[0].orientation)
    return groups


def _by_direction(items: list, orientation: Callable) -> list[list]:
    groups: list[tuple[np.ndarray, list]] = []
    for item in items:
        direction = np.array(orientation(item))
        for first, group in groups:
            if direction[:3] @ first[:3] > _SAME_DIRECTION and direction[3:] @ first[3:] > _SAME_DIRECTION:
                group.append(item)
                break
        else:
            groups.append((direction, [item]))
    return [group for _, group in groups]


def _apart(group: list[Header], answer: Sorted) -> list[tuple[list[Header], tuple[str, ...]]]:
    """`group` without duplicates, parted where different slices lie at one place; each part with its flags."""
    kept, n_lost = _without_duplicates(group, answer)
    flags: tuple[str, ...] = (
        (f"{n_lost} duplicate slice{'s' if n_lost > 1 else ''} left out",) if n_lost else ()
    )
    if not _collide(kept):
        return [(kept, flags)]
    if not _spread(kept):  # images of one plane, as over time: no stack of slices
        return [([header], flags) for header in kept]
    for mark in kept[0].marks:
        parts: dict[str, list[Header]] = defaultdict(list)
        for header in kept:
            parts[header.marks.get(mark, "")].append(header)
        if len(parts) > 1 and not any(_collide(part) for part in parts.values()):
            return [(part, flags) for part in parts.values()]
    reason = f"different slices lie at one place, and nothing tells them apart: {len(kept)} slices"
    answer.refused.append(Refused(_series_name(kept), reason))
    return []


def _without_duplicates(group: list[Header], answer: Sorted) -> tuple[list[Header], int]:
    """The first of files that hold the same slice, and that is whole; the others are refused by name."""
    seen: dict[tuple, str] = {}
    kept = []
    for header in sorted(group, key=lambda header: header.broken is not None):
        keys = [("pixels", header.pixels, _place(header)), ("instance", header.instance, None)]
        same = next((seen[key] for key in keys if key[1] and key in seen), None)
        if same is None:
            kept.append(header)
        else:
            reason = header.broken or f"the same slice as another, left out: {same}"
            answer.refused.append(Refused(header.name, reason))
        for key in keys:
            seen.setdefault(key, header.name)
    return kept, len(group) - len(kept)


def _place(header: Header) -> tuple[float, ...]:
    return tuple(round(x, 2) for x in header.planes[0].position or ())


def _collide(group: Sequence[Header]) -> bool:
    if len(group) < 2:
        return False
    normal = _normal(group[0].planes[0])
    places = np.sort([float(np.dot(header.planes[0].position or (), normal)) for header in group])
    return bool((np.diff(places) < _SAME_PLACE_MM).any())


def _spread(group: Sequence[Header]) -> bool:
    """Whether the planes lie at more than one place along their normal."""
    normal = _normal(group[0].planes[0])
    places = [float(np.dot(header.planes[0].position or (), normal)) for header in group]
    return max(places) - min(places) >= _SAME_PLACE_MM


def _usual(distances: np.ndarray) -> float:
    """The lower median: of two different distances the smaller one, since slices get lost and are not added."""
    return float(np.sort(distances)[(len(distances) - 1) // 2])


def _gap(distances: np.ndarray, places: np.ndarray, files: list[str]) -> str | None:
    """Why the slices are no regular stack, or None where they are."""
    if (distances < _SAME_PLACE_MM).any():
        return f"different slices lie at one place: {places[int(np.argmin(distances))]:.2f} mm"
    usual = _usual(distances)
    wide = np.flatnonzero(distances > usual * (1 + _GAP) + _SAME_PLACE_MM)
    narrow = np.flatnonzero(distances < usual * (1 - _GAP) - _SAME_PLACE_MM)
    odd = wide if len(wide) else narrow
    if not len(odd):
        return None
    at = int(odd[0])
    after = f"after {PurePosixPath(files[at]).name} at {places[at]:.2f} mm"
    what = "a slice is missing" if len(wide) else "the slices are not evenly spaced"
    return f"{what}: {after} the next is {distances[at]:.2f} mm away, others {usual:.2f} mm"


def _geometry(
    planes: list[Plane], distance: float
) -> tuple[tuple[float, ...] | None, tuple[tuple[float, ...], ...] | None]:
    """Spacing (slices, rows, columns) in mm, and the affine from (slice, row, column) to RAS+."""
    first, last = planes[0], planes[-1]
    if first.spacing is None or first.orientation is None or first.position is None or last.position is None:
        return None, None
    along_row, along_column = np.array(first.orientation[:3]), np.array(first.orientation[3:])
    matrix = np.eye(4)
    matrix[:3, 0] = (np.array(last.position) - np.array(first.position)) / (len(planes) - 1)
    matrix[:3, 1] = along_column * first.spacing[0]
    matrix[:3, 2] = along_row * first.spacing[1]
    matrix[:3, 3] = first.position
    matrix[:2] *= -1  # the patient's left and back are positive in DICOM, right and front in NIfTI
    rows = tuple(tuple(float(x) for x in row) for row in matrix + 0.0)
    return (round(distance, 6), *first.spacing), rows


def _normal(plane: Plane) -> np.ndarray:
    """The vector product of the directions of row and column; `np.cross` is slow for one pair."""
    assert plane.orientation is not None
    a, b, c, x, y, z = plane.orientation
    return np.array([b * z - c * y, c * x - a * z, a * y - b * x])


def _plane_flags(header: Header, plane: Plane) -> list[str]:
    flags = list(header.flags)
    if plane.orientation is not None and np.abs(_normal(plane)).max() < _AXIS:
        flags.append("oblique")
    if header.localizer:
        flags.append("localizer")
    return flags


def _tilt(ordered: list[tuple[int, Plane]], normal: np.ndarray) -> list[str]:
    """Whether the slices are shifted against each other, as with a tilted gantry."""
    first, last = (np.array(plane.position) for plane in (ordered[0][1], ordered[-1][1]))
    step = last - first
    aside = np.linalg.norm(step - (step @ normal) * normal)
    return ["slices shifted against each other (tilted gantry)"] if aside > 0.02 * abs(step @ normal) else []


def _series_name(members: Sequence[Header]) -> str:
    """The folder that all files lie in, and the series UID."""
    folders = [PurePosixPath(header.name).parent.parts for header in members]
    common = []
    for parts in zip(*folders, strict=False):
        if len(set(parts)) > 1:
            break
        common.append(parts[0])
    return "/".join([*common, members[0].series or members[0].name])
