"""The error tree: statuses, one line, no patient data over HTTP, whole across processes."""

from __future__ import annotations

import copy
import inspect
import pickle
import re

import pytest

from iatros.core import errors
from iatros.core.errors import IatrosError, TableError, UnknownNameError, unknown_name

CLASSES = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, IatrosError)]


def test_the_printed_tree_is_the_tree() -> None:
    """The docstring lists every class with the HTTP status and the exit code that it has."""
    rows = re.findall(r"^[│ ├└─]*(\w+Error)\s+(\d{3})\s+(\d)\s", errors.__doc__ or "", flags=re.MULTILINE)
    assert {name for name, _, _ in rows} == {kind.__name__ for kind in CLASSES}
    for name, status, code in rows:
        kind = getattr(errors, name)
        assert (kind.http_status, kind.exit_code) == (int(status), int(code)), name


def test_the_printed_indent_is_the_inheritance() -> None:
    above: list[tuple[int, type]] = []
    for line in (errors.__doc__ or "").splitlines():
        if found := re.match(r"^([│ ├└─]*)(\w+Error)\s+\d{3}", line):
            depth, kind = len(found.group(1)), getattr(errors, found.group(2))
            above = [pair for pair in above if pair[0] < depth]
            if above:
                assert kind.__bases__ == (above[-1][1],), kind
            above.append((depth, kind))


def test_codes_are_unique_and_exit_codes_not_zero() -> None:
    codes = [kind.code for kind in CLASSES if kind.__name__ not in ("InputError", "BundleError")]
    assert len(set(codes)) == len(codes)
    assert all(1 <= kind.exit_code < 128 and 400 <= kind.http_status < 600 for kind in CLASSES)


@pytest.mark.parametrize("kind", CLASSES)
def test_every_field_survives_a_process_boundary(kind: type[IatrosError]) -> None:
    error = kind("what", hint="do this", where="file.csv, row 3", cell="abc")
    for copied in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(copied) is kind
        assert (copied.message, copied.hint, copied.where, copied.cell, str(copied)) == (
            "what", "do this", "file.csv, row 3", "abc", str(error),
        )  # fmt: skip


def test_one_line_with_everything() -> None:
    error = TableError(
        "text in a\nnumeric  column", hint="fix it", where="a.csv, row 3, column age", cell="si\nxty"
    )
    assert str(error) == r"a.csv, row 3, column age: text in a numeric column (got 'si\nxty'); fix it"
    assert str(TableError("bare")) == "bare"
    assert "\n" not in str(error)


def test_the_document_leaves_the_cell_out() -> None:
    document = TableError("text in a numeric column", where="row 3", cell="Anna Smith", hint="h").document()
    assert document == {
        "error": {"code": "table", "message": "text in a numeric column", "where": "row 3", "hint": "h"}
    }


def test_an_empty_cell_is_still_shown() -> None:
    assert str(TableError("empty", cell="")) == "empty (got '')"


def test_unknown_names_suggest_or_list() -> None:
    near = unknown_name("model", "forst", ["forest", "svm", "mlp"])
    assert isinstance(near, UnknownNameError)
    assert str(near) == "no model is called 'forst'; did you mean forest?"
    assert (
        str(unknown_name("model", "xyzzy", ["svm", "mlp"])) == "no model is called 'xyzzy'; known: mlp, svm"
    )
    assert "known: none" in str(unknown_name("model", "x", []))
