"""Public datasets of every domain: listed, fetched into the cache, verified there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from iatros.app.domains import domains
from iatros.core.cards import Card, Cards, data_folder, get, verify
from iatros.core.domain import load as load_target
from iatros.core.errors import ConflictError, InputError, RequestError, unknown_name
from iatros.core.progress import Progress, SilentProgress
from iatros.core.storage import write_file, write_folder


def list_data() -> list[dict[str, Any]]:
    """One entry per dataset: its card, and whether it ships with a dependency, lies in the cache, or can be got."""
    return [{**card.summary(), "state": _state(card)} for card in _cards()]


def get_data(
    name: str, progress: Progress | None = None, *, out: Path | str | None = None, overwrite: bool = False
) -> dict[str, Any]:
    """Fetch a dataset into the cache, checked by its hash, with a table and a dictionary ready for training.

    With `out` (a .csv file) the table is copied there, and the dictionary beside it as `.dictionary.yaml`. Of a
    dataset of images, `out` is a folder, and everything is copied there.
    """
    card = _card(name)
    with (progress or SilentProgress()).step(f"getting {name}"):
        found = get(card)
    if out is None:
        return found
    copy = _copied_folder if card.writer else _copied
    return found | copy(found, Path(out), overwrite=overwrite)


def _copied_folder(found: dict[str, Any], out: Path, *, overwrite: bool) -> dict[str, str]:
    """Images and manifest together, since the manifest names the images by where they lie."""
    folder = Path(found["folder"])
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    if os.path.lexists(out):
        if not overwrite:
            raise ConflictError(f"{out} is there already", hint="give another out, or overwrite")
        if not _holds_only(out, names):
            raise ConflictError(
                f"{out} holds something else than this dataset, which is never deleted",
                hint="give another out",
            )
    write_folder(out, {name: (folder / name).read_bytes() for name in names})
    table = Path(found["table"]).relative_to(folder)
    return {"folder": str(out), "table": str(out / table)}


def _copied(found: dict[str, Any], out: Path, *, overwrite: bool) -> dict[str, str]:
    if out.suffix.lower() != ".csv":
        raise RequestError(
            f"out is {out.name!r}, and the table is written as .csv", hint=f"for example {out.stem}.csv"
        )
    places = {"table": out, "dictionary": out.with_suffix(".dictionary.yaml")}
    copies = {key: place for key, place in places.items() if found[key] is not None}
    taken = [place for place in copies.values() if place.exists()]
    if taken and not overwrite:
        raise ConflictError(f"{taken[0]} is there already", hint="give another out, or overwrite")
    for key, place in copies.items():
        write_file(place, Path(found[key]).read_bytes(), overwrite=overwrite)
    return {key: str(place) for key, place in copies.items()}


def _holds_only(out: Path, names: list[str]) -> bool:
    if not out.is_dir() or out.is_symlink():
        return False
    return {path.relative_to(out).as_posix() for path in out.rglob("*") if not path.is_dir()} <= set(names)


def verify_data(name: str | None = None) -> list[dict[str, Any]]:
    """One entry per dataset in the cache, or for `name` only; a broken one has `valid` False and a reason."""
    if name is not None:
        return [verify(_card(name))]
    checked = []
    for card in _cards():
        if not (data_folder() / card.name).is_dir():
            continue
        try:
            checked.append({**verify(card), "reason": None})
        except InputError as error:
            checked.append({"name": card.name, "valid": False, "reason": str(error)})
    return checked


def _cards() -> Iterator[Card]:
    for domain in domains():
        if domain.datasets:
            yield from cast(Cards, load_target(domain.datasets))


def _card(name: str) -> Card:
    known = {card.name: card for card in _cards()}
    if name not in known:
        raise unknown_name("dataset", name, known)
    return known[name]


def _state(card: Card) -> str:
    if card.embedded:
        return "embedded"
    return "in the cache" if (data_folder() / card.name).is_dir() else "to get"
