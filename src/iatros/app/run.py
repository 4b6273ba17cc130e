"""Running one action: run id, engine, checkpoint, what is written where, and one line in the run log."""

from __future__ import annotations

import errno
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from iatros.app.checkpoint import checkpoint
from iatros.app.domains import load_domain
from iatros.app.outputs import destination, write_documents, write_table
from iatros.app.plain import plain
from iatros.core.bundle import write_bundle
from iatros.core.context import Context, Produced
from iatros.core.domain import Action
from iatros.core.domain import load as load_target
from iatros.core.engine import Engine
from iatros.core.errors import IatrosError, RequestError, StorageError
from iatros.core.progress import Progress, SilentProgress
from iatros.core.request import Request
from iatros.core.runs import append_run, new_run_id
from iatros.core.storage import Scratch
from iatros.engines import DEFAULT_ENGINE, open_engine
from iatros.version import __version__


@dataclass(frozen=True)
class Means:
    """What belongs to a door and changes no answer: where output goes, and what does the work.

    `out` is a folder for an action that makes a bundle or documents, and a .csv or .parquet file for one
    that makes a table. `resume` keeps work in `OUT.checkpoint` and takes up what lies there. `workers` is None for
    as many as there are cores.
    """

    out: Path | str | None = None
    overwrite: bool = False
    resume: bool = False
    engine: str = DEFAULT_ENGINE
    workers: int | None = None
    progress: Progress | None = None


@dataclass(frozen=True)
class Finished:
    """A finished run: the result that every door hands out, and the table for those that show it."""

    result: dict[str, Any]
    table: dict[str, list[Any]] | None = None


def execute(
    domain: str,
    action: str,
    request: Request,
    *,
    out: Path | str | None = None,
    overwrite: bool = False,
    resume: bool = False,
    engine: str = DEFAULT_ENGINE,
    workers: int | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """The plain result of `action`, with `run_id`, `seconds`, and `bundle` or `table` where one was written.

    Raises an IatrosError for everything that is wrong with the request, its inputs or the output.
    """
    means = Means(out, overwrite, resume, engine, workers, progress)
    return finish(domain, action, request, means).result


def finish(domain: str, action: str, request: Request, means: Means) -> Finished:
    """Run `action` by `means`; nothing is written unless all of it worked."""
    chosen = load_domain(domain).action(action)
    _check_kind(domain, chosen, request)
    out = destination(chosen, request, means.out, overwrite=means.overwrite)
    progress = means.progress or SilentProgress()
    with _logged(domain, chosen, request, means, progress) as record:
        with (
            _engine(means) as engine,
            checkpoint(out, domain, action, request, resume=means.resume) as folder,
            Scratch(None if out is None else out.parent) as scratch,
        ):
            produced = load_target(chosen.function)(
                request, Context(progress, engine, folder, scratch, record["run_id"])
            )
            written = _write(produced, out, record, overwrite=means.overwrite)
        record.update(written)
    result = plain(produced.result) | {"run_id": record["run_id"], "seconds": record["seconds"]} | written
    return Finished(result, produced.table)


def _check_kind(domain: str, action: Action, request: Request) -> None:
    expected = load_target(action.request)
    if type(request) is not expected:
        raise RequestError(
            f"{domain} {action.name} takes a {getattr(expected, '__name__', action.request)}, "
            f"not a {type(request).__name__}"
        )


def _write(
    produced: Produced, out: Path | None, record: dict[str, Any], *, overwrite: bool
) -> dict[str, Any]:
    """Write what was produced to `out`; the keys that tell the caller where it lies."""
    if out is None:
        return {}
    if produced.bundle is not None:
        manifest = {"iatros": __version__, **produced.bundle.manifest}
        manifest["created"] = {
            **manifest.get("created", {}),
            "at": record["at"],
            "run_id": record["run_id"],
            "seconds": round(time.monotonic() - record["started"], 3),
        }
        write_bundle(replace(produced.bundle, manifest=manifest), out, overwrite=overwrite)
        return {"bundle": str(out), "documents": [str(out / name) for name in produced.bundle.documents]}
    if produced.documents:
        write_documents(produced.result, produced.documents, out)
        return {"documents": [str(out / name) for name in produced.documents]}
    if produced.table is not None:
        write_table(produced.table, out, overwrite=overwrite)
        return {"table": str(out)}
    raise TypeError("the action made nothing that can be written")


@contextmanager
def _engine(means: Means) -> Iterator[Engine]:
    engine = open_engine(means.engine, means.workers)
    try:
        yield engine
    finally:
        engine.close()


@contextmanager
def _logged(
    domain: str, action: Action, request: Request, means: Means, progress: Progress
) -> Iterator[dict[str, Any]]:
    """The record of a run; one line in the run log when it ends, however it ends. Never patient data."""
    record: dict[str, Any] = {
        "run_id": new_run_id(),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "started": time.monotonic(),
        "status": "failed",
        "error": "internal",
    }
    try:
        with _storage_errors():
            yield record
        record |= {"status": "done", "error": None}
    except KeyboardInterrupt:
        record |= {"status": "interrupted", "error": None}
        raise
    except IatrosError as error:
        record["error"] = error.code
        raise
    finally:
        record["seconds"] = round(time.monotonic() - record.pop("started"), 3)
        _append(record, domain, action, request, means, progress)


def _append(
    record: dict[str, Any], domain: str, action: Action, request: Request, means: Means, progress: Progress
) -> None:
    line = {
        **record,
        "domain": domain,
        "action": action.name,
        "request": request.model_dump(mode="json"),
        "engine": means.engine,
        "workers": means.workers,
        "iatros": __version__,
    }
    try:
        append_run(plain(line))
    except (StorageError, OSError) as error:
        progress.note(f"the run log could not be written: {error}")


@contextmanager
def _storage_errors() -> Iterator[None]:
    """A full disk or a missing permission as a StorageError; other errors pass."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS):
            raise
        raise StorageError(
            f"{error.strerror or 'the system refused'}: {error.filename or 'a file'}",
            hint="free space, or choose another place",
        ) from error
