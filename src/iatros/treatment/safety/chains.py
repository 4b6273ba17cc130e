"""Names that stand for other names: followed to their end; a circle or two ends are refused with their lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from iatros.core.errors import TableError


class Step(NamedTuple):
    """That one name, in one spelling (`key`) and as written, stands for another; `place` is its file and line."""

    key: str
    target: str
    written: str
    target_written: str
    place: str


Steps = dict[str, list[Step]]


def ends(steps: Iterable[Step], what: str) -> dict[str, str]:
    """For each name the name at the end of its chain.

    TableError where a chain returns to itself, naming the circle, or where a name has two ends. A name that stands for
    itself is no circle.
    """
    after = _by_name(step for step in steps if step.key != step.target)
    found: dict[str, str] = {}
    for name in _deepest_first(after, what):
        reached = {found.get(step.target, step.target): step for step in reversed(after[name])}
        if len(reached) > 1:
            other, one = list(reached.values())[:2]
            raise TableError(
                f"{one.written!r} stands for {one.target_written!r} ({one.place}) and for {other.target_written!r}",
                where=other.place,
                hint=f"leave one of them, or join the two by a further line of {what}",
            )
        found[name] = next(iter(reached))
    return found


def contents(steps: Iterable[Step], what: str) -> dict[str, frozenset[str]]:
    """For each name everything that it consists of, however deep; TableError where something contains itself."""
    after = _by_name(steps)
    found: dict[str, frozenset[str]] = {}
    for name in _deepest_first(after, what):
        inside = {step.target for step in after[name]}
        found[name] = frozenset(inside.union(*(found.get(target, ()) for target in inside)))
    return found


def _by_name(steps: Iterable[Step]) -> Steps:
    after: Steps = {}
    for step in steps:
        after.setdefault(step.key, []).append(step)
    return after


def _deepest_first(after: Steps, what: str) -> Iterator[str]:
    """The names that lead to others, each after those that it leads to; TableError for a circle."""
    done: set[str] = set()
    for start in after:
        path: list[Step] = []
        branches = [iter(after[start])] if start not in done else []
        on_path = {start}
        while branches:
            step = next(branches[-1], None)
            if step is None:
                branches.pop()
                name = path.pop().target if path else start
                on_path.discard(name)
                done.add(name)
                if name in after:
                    yield name
            elif step.target in on_path:
                raise _circle([*path, step], what)
            elif step.target not in done:
                path.append(step)
                on_path.add(step.target)
                branches.append(iter(after.get(step.target, ())))


def _circle(path: list[Step], what: str) -> TableError:
    back = path[-1].target
    circle = path[next(place for place, step in enumerate(path) if step.key == back) :]
    return TableError(
        f"{what} go in a circle: " + " -> ".join([*(step.written for step in circle), circle[0].written]),
        where=circle[-1].place,
        hint="remove one of these lines: " + "; ".join(step.place for step in circle),
    )
