"""Runs the code blocks of a page in order, and keeps the output that the page shows equal to what they print.

A block that begins with ```bash or ```python is run; ```bash no-run and every other kind is only shown. A
```text block right after a block that is run shows what it printed. Python blocks of a page share their names.

    python docs/code_blocks.py docs/tutorials/*.md      runs the pages and writes what their blocks print
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
TIMEOUT_SECONDS = 600
_FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """One code block: its kind (`bash`, `bash no-run`, `text`, ...), its text, its line, and where it lies."""

    kind: str
    text: str
    line: int
    begin: int
    end: int


@dataclass(frozen=True)
class Ran:
    """A block that was run, what it printed, and the block that shows this, if any."""

    block: Block
    printed: str
    shown: Block | None


def blocks(page: str) -> list[Block]:
    """The code blocks of a page, in order.

    >>> [(b.kind, b.text) for b in blocks("words\\n```python\\n1 + 1\\n```\\n")]
    [('python', '1 + 1\\n')]
    """
    return [
        Block(match[1].strip(), match[2], page.count("\n", 0, match.start()) + 1, match.start(), match.end())
        for match in _FENCE.finditer(page)
    ]


def run_page(page: str, folder: Path) -> list[Ran]:
    """Run every bash and python block of `page` in `folder`; a failure raises with the line of the block."""
    found = blocks(page)
    names: dict[str, Any] = {"__name__": "page"}
    ran = []
    for block, after in zip(found, [*found[1:], None], strict=True):
        if block.kind not in ("bash", "python"):
            continue
        printed = _shell(block, folder) if block.kind == "bash" else _python(block, folder, names)
        touches = after is not None and after.kind == "text" and not page[block.end : after.begin].strip()
        ran.append(Ran(block, printed, after if touches else None))
    return ran


def refreshed(page: str, folder: Path) -> str:
    """The page with the output that its blocks print now."""
    for one in reversed(run_page(page, folder)):
        if one.shown is not None:
            page = f"{page[: one.shown.begin]}```text\n{one.printed}\n```{page[one.shown.end :]}"
    return page


def translated(page: str, other: str) -> str:
    """`other`, a translation of `page`, with the same blocks as `page`; those that are only shown may differ."""
    ours, theirs = (
        [block for block in blocks(text) if block.kind != "bash no-run"] for text in (page, other)
    )
    for mine, its in reversed(list(zip(ours, theirs, strict=True))):
        other = other[: its.begin] + page[mine.begin : mine.end] + other[its.end :]
    return other


def environment() -> dict[str, str]:
    """Ours, with `iatros` and this Python first on the path and a plain, wide screen."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    return {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT / "src"), "NO_COLOR": "1"}


def _shell(block: Block, folder: Path) -> str:
    run = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block.text],
        cwd=folder, env=environment(), capture_output=True, text=True, timeout=TIMEOUT_SECONDS,
    )  # fmt: skip
    if run.returncode:
        raise AssertionError(f"line {block.line}: exit code {run.returncode}\n{run.stdout}{run.stderr}")
    return _trimmed(run.stdout)


def _python(block: Block, folder: Path, names: dict[str, Any]) -> str:
    screen = io.StringIO()
    with contextlib.chdir(folder), contextlib.redirect_stdout(screen):
        # The padding makes a traceback name the line of the page.
        exec(compile("\n" * block.line + block.text, "page", "exec"), names)
    return _trimmed(screen.getvalue())


def _trimmed(printed: str) -> str:
    return "\n".join(line.rstrip() for line in printed.strip("\n").splitlines())


def main(paths: list[str]) -> None:
    """Run each page in a folder of its own, write its outputs, and give them to its translation."""
    for path in map(Path, paths):
        with tempfile.TemporaryDirectory() as folder:
            os.environ.setdefault("IATROS_HOME", folder)
            page = refreshed(path.read_text(encoding="utf-8"), Path(folder))
        path.write_text(page, encoding="utf-8")
        for other in path.parent.glob(f"{path.stem}.*-*{path.suffix}"):
            other.write_text(translated(page, other.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
