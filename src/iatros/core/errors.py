"""Every error that iatros raises on purpose, each with its HTTP status and its exit code.

IatrosError                  500  1   the head of the tree: an iatros bug if raised itself
├─ InputError                422  2   something given by the caller is wrong
│  ├─ RequestError           422  2   a field, flag or configuration key is unknown or out of bounds
│  ├─ UnknownNameError       404  2   a model, bundle, dataset or column name that is not known
│  ├─ TableError             422  3   a table cannot be read or used; says file, row and column
│  │  ├─ SchemaError         422  3   a table does not have the columns and types that a bundle expects
│  │  └─ OutcomeError        422  3   the outcome cannot be learned from (one class, too few events)
│  ├─ SplitError             422  3   an empty side, a patient on two sides, too few patients for the folds
│  └─ LimitError             413  3   larger than a limit that protects the machine
├─ BundleError               422  4   a bundle cannot be opened
│  ├─ NotABundleError        422  4   the path holds something else (a pickle, a file, an empty folder)
│  ├─ BundleFormatError      422  4   written in a format that this version does not read
│  └─ TamperedBundleError    422  4   a file differs from the hash in the manifest
├─ FitError                  422  5   training failed for a numerical reason
├─ ConflictError             409  6   the output is there already, or a resumed run was begun otherwise
├─ StorageError              507  7   writing failed (disk full, no permission); what was there is untouched
├─ MissingExtraError         501  8   an optional package is not installed; says what to type
└─ AuthenticationError       401  9   the API key is missing or wrong

A message says what was wrong, what was got and what is allowed; `hint` says what to do; `where` names
the file, row or column. None of the three may hold patient data beyond the one offending cell, and
`document()`, which is what leaves the machine over HTTP, leaves even that cell out.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any, ClassVar


class IatrosError(Exception):
    """Head of the tree; `http_status` and `exit_code` belong to the class, the words to the instance."""

    http_status: ClassVar[int] = 500
    exit_code: ClassVar[int] = 1
    code: ClassVar[str] = "internal"

    def __init__(
        self, message: str, *, hint: str | None = None, where: str | None = None, cell: str | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.where = where
        self.cell = cell

    def __str__(self) -> str:
        """One line: where, what, the offending cell, what to do."""
        line = f"{self.where}: {self.message}" if self.where else self.message
        if self.cell is not None:
            line += f" (got {self.cell!r})"
        if self.hint:
            line += f"; {self.hint}"
        return " ".join(line.split())

    def __reduce__(self) -> tuple[Any, ...]:
        """Keep every field when an error crosses a process boundary."""
        return (_rebuild, (type(self), self.message, self.hint, self.where, self.cell))

    def document(self) -> dict[str, Any]:
        """The one JSON shape of an error, on every door; without the offending cell."""
        return {"error": {"code": self.code, "message": self.message, "where": self.where, "hint": self.hint}}


def _rebuild(
    kind: type[IatrosError], message: str, hint: str | None, where: str | None, cell: str | None
) -> IatrosError:
    return kind(message, hint=hint, where=where, cell=cell)


class InputError(IatrosError):
    """Something given by the caller is wrong."""

    http_status, exit_code, code = 422, 2, "input"


class RequestError(InputError):
    """A field, flag or configuration key is unknown or out of bounds."""

    code = "request"


class UnknownNameError(InputError):
    """A model, bundle, dataset or column name is not known."""

    http_status, code = 404, "unknown-name"


class TableError(InputError):
    """A table cannot be read or used."""

    exit_code, code = 3, "table"


class SchemaError(TableError):
    """A table does not have the columns and types that a bundle expects."""

    code = "schema"


class OutcomeError(TableError):
    """The outcome cannot be learned from."""

    code = "outcome"


class SplitError(InputError):
    """An empty side, a patient on two sides, or too few patients for the folds."""

    exit_code, code = 3, "split"


class LimitError(InputError):
    """Larger than a limit that protects the machine."""

    http_status, exit_code, code = 413, 3, "limit"


class BundleError(IatrosError):
    """A bundle cannot be opened."""

    http_status, exit_code, code = 422, 4, "bundle"


class NotABundleError(BundleError):
    """The path holds something else."""

    code = "not-a-bundle"


class BundleFormatError(BundleError):
    """Written in a format that this version does not read."""

    code = "bundle-format"


class TamperedBundleError(BundleError):
    """A file differs from the hash in the manifest."""

    code = "tampered-bundle"


class FitError(IatrosError):
    """Training failed for a numerical reason."""

    http_status, exit_code, code = 422, 5, "fit"


class ConflictError(IatrosError):
    """The output is there already, or a resumed run was begun otherwise."""

    http_status, exit_code, code = 409, 6, "conflict"


class StorageError(IatrosError):
    """Writing failed; what was there is untouched."""

    http_status, exit_code, code = 507, 7, "storage"


class MissingExtraError(IatrosError):
    """An optional package is not installed."""

    http_status, exit_code, code = 501, 8, "missing-extra"


class AuthenticationError(IatrosError):
    """The API key is missing or wrong."""

    http_status, exit_code, code = 401, 9, "authentication"


def unknown_name(kind: str, name: str, known: Iterable[str], *, where: str | None = None) -> UnknownNameError:
    """The error for a name that is not known, with the nearest known names first."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.6)
    hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(names) or 'none'}"
    return UnknownNameError(f"no {kind} is called {name!r}", hint=hint, where=where)
