"""From the arguments of the process to its exit code."""

from __future__ import annotations

import os
import signal
import sys
import threading
from types import FrameType
from typing import TYPE_CHECKING

from iatros.core.errors import IatrosError, LimitError, RequestError, unknown_name

if TYPE_CHECKING:
    from cyclopts import CycloptsError

INTERRUPTED = 130
PIPE_CLOSED = 141
TERMINATED = 143
TRACEBACK = "--traceback"
"""Understood by every command, wherever it stands."""


def run(arguments: list[str] | None = None) -> int:
    """Run the command that `arguments` spell; errors are one line on stderr, and a document on stdout with --json."""
    tokens = sys.argv[1:] if arguments is None else list(arguments)
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _terminate)
    try:
        code = _dispatch(tokens)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # Python flushes stdout once more at exit; without this that flush would print a traceback.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED


def _terminate(number: int, frame: FrameType | None) -> None:
    raise SystemExit(TERMINATED)


def _dispatch(tokens: list[str]) -> int:
    from cyclopts import CycloptsError

    from iatros.cli.application import build_app

    try:
        code = build_app()([token for token in tokens if token != TRACEBACK])
        return code if isinstance(code, int) else 0
    except KeyboardInterrupt as interrupt:
        print(
            "; ".join(["iatros: interrupted; no output was written", *map(str, interrupt.args)]),
            file=sys.stderr,
        )
        return INTERRUPTED
    except MemoryError:
        return _fail(
            LimitError("there is not enough memory for this", hint="use fewer rows or --workers"), tokens
        )
    except IatrosError as error:
        return _fail(error, tokens)
    except CycloptsError as error:
        return _fail(_our_error(error), tokens)
    except BrokenPipeError:
        raise
    except Exception as error:
        if TRACEBACK in tokens:
            raise
        return _fail(_internal(error), tokens)


def _fail(error: IatrosError, tokens: list[str]) -> int:
    if "--json" in tokens:
        from iatros.app.plain import dumps

        print(dumps(error.document()))
    print(f"iatros: {_printable(str(error))}", file=sys.stderr)
    return error.exit_code


def _internal(error: Exception) -> IatrosError:
    return IatrosError(
        f"this is a fault of iatros itself ({type(error).__name__})",
        hint=f"run it again with {TRACEBACK} and report what it prints, without patient data",
    )


def _our_error(error: CycloptsError) -> IatrosError:
    """The error of iatros for what the parser of the command line found."""
    from cyclopts.exceptions import (
        MissingArgumentError,
        RepeatArgumentError,
        UnknownCommandError,
        UnknownOptionError,
        UnusedCliTokensError,
    )

    if isinstance(error, UnknownCommandError):
        app, token = error.app, (error.unused_tokens or [""])[0]
        known = [name for name in (app or ()) if not name.startswith("-")]
        return unknown_name("command", token, known)
    if isinstance(error, UnknownOptionError):
        keyword = (error.token.keyword or error.token.value).split("=", 1)[0]
        known = [name for argument in error.argument_collection for name in argument.names]
        return RequestError(f"{keyword} is not known", hint=_hint(keyword, known))
    if isinstance(error, UnusedCliTokensError):
        tokens = error.unused_tokens or []
        return RequestError(
            f"{len(tokens)} arguments too many: {' '.join(map(repr, tokens))}", hint="see --help"
        )
    if isinstance(error, RepeatArgumentError):
        return RequestError(f"{error.token.keyword} is given twice", hint="see --help")
    if isinstance(error, MissingArgumentError) and error.argument is not None:
        return RequestError(f"{error.argument.name} needs a value", hint="see --help")
    return RequestError(str(error), hint="see --help")


def _hint(keyword: str, known: list[str]) -> str:
    import difflib

    near = difflib.get_close_matches(keyword, [name for name in known if name.startswith("--")], n=2)
    return f"did you mean {' or '.join(near)}?" if near else "see --help"


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text)
