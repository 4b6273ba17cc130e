"""What a report is made of: sections of plain blocks that hold data, not markup."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any, Literal

from iatros.core.report.figures import Figure
from iatros.core.report.numbers import interval, number

Tone = Literal["good", "watch", "bad", "neutral"]
_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_HEAD = 33
"""Bytes of the signature and the header chunk."""


@dataclass(frozen=True)
class Estimate:
    """A number with its interval; the two are never written apart."""

    value: Any
    low: Any = None
    high: Any = None
    digits: int = 3
    suffix: str = ""

    def __str__(self) -> str:
        """`0.842 (0.801 to 0.880)`."""
        written = interval(self.low, self.high, self.digits)
        return number(self.value, self.digits) + self.suffix + (f" ({written})" if written else "")


@dataclass(frozen=True)
class Tag:
    """A word that classifies; the word carries the meaning, the colour repeats it."""

    text: str
    tone: Tone = "neutral"

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Link:
    """A word that leads to a section of the same document."""

    text: str
    anchor: str

    def __str__(self) -> str:
        return self.text


Cell = str | Estimate | Tag | Link


@dataclass(frozen=True)
class Row:
    """A table row; its first cell is the row's heading. `indent` steps a level in under the row above."""

    cells: tuple[Cell, ...]
    kind: Literal["plain", "strong", "heading"] = "plain"
    indent: int = 0


@dataclass(frozen=True)
class Table:
    """Rows under named columns; columns in `right` (by position) hold numbers."""

    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    caption: str = ""
    foot: str = ""
    right: tuple[int, ...] = ()
    stacked: bool = False
    """Intervals stand under their estimates rather than beside them."""
    compact: bool = False


@dataclass(frozen=True)
class Paragraph:
    """Plain text; `lead` tells how to read what follows."""

    text: str
    kind: Literal["text", "lead", "small"] = "text"


@dataclass(frozen=True)
class Heading:
    """A title inside a section."""

    text: str


@dataclass(frozen=True)
class Note:
    """A remark that stands out; `absent` says what is not there and why."""

    text: str
    kind: Literal["remark", "warning", "absent"] = "remark"


@dataclass(frozen=True)
class KeyNumber:
    """One headline number; `how` names the interval's method or the reference."""

    label: str
    estimate: Estimate
    how: str = ""


@dataclass(frozen=True)
class KeyNumbers:
    """The headline numbers side by side."""

    items: tuple[KeyNumber, ...]


@dataclass(frozen=True)
class Facts:
    """Terms and what they are."""

    items: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Finding:
    """One sentence that a reader must weigh, with its weight in a word."""

    word: str
    tone: Tone
    text: str


@dataclass(frozen=True)
class Findings:
    """Findings under each other."""

    items: tuple[Finding, ...]


@dataclass(frozen=True)
class Code:
    """Text that keeps its lines and its width."""

    text: str


@dataclass(frozen=True)
class Picture:
    """An image that stands in the page itself: the bytes of a PNG file, and in `alt` what it shows.

    `width` is how wide it is shown at most, in CSS pixels; its height follows. Raises ValueError where the
    bytes are no PNG, or nothing is said for those who cannot see it.
    """

    png: bytes
    alt: str
    caption: str = ""
    width: int = 260

    def __post_init__(self) -> None:
        """A page with a picture that does not open, or says nothing, is a page with a hole."""
        if self.png[:8] != _PNG or self.png[12:16] != b"IHDR" or len(self.png) < _PNG_HEAD:
            raise ValueError("a picture is the bytes of a PNG file")
        if not self.alt.strip():
            raise ValueError("a picture needs words for those who cannot see it")
        if self.width < 1 or not all(self.size):
            raise ValueError("a picture is at least one pixel wide and high")

    @property
    def size(self) -> tuple[int, int]:
        """Columns and rows of the image as the file has them."""
        columns, rows = struct.unpack(">II", self.png[16:24])
        return columns, rows


@dataclass(frozen=True)
class Drawing:
    """An SVG document that stands in the page as an image, so nothing in it can run; `alt` says what it shows.

    `width` is how wide it is shown at most, in CSS pixels; its height follows. Raises ValueError where it is no
    SVG, or nothing is said for those who cannot see it.
    """

    svg: str
    alt: str
    caption: str = ""
    width: int = 404

    def __post_init__(self) -> None:
        """As in `Picture`."""
        if not self.svg.lstrip().startswith("<svg"):
            raise ValueError("a drawing is an SVG document")
        if not self.alt.strip():
            raise ValueError("a drawing needs words for those who cannot see it")
        if self.width < 1:
            raise ValueError("a drawing is at least one pixel wide")


@dataclass(frozen=True)
class Grid:
    """Figures, tables, pictures and drawings side by side."""

    items: tuple[Figure | Table | Picture | Drawing, ...]
    columns: Literal[2, 3, 4] = 2


Block = (
    Paragraph
    | Heading
    | Note
    | Table
    | KeyNumbers
    | Facts
    | Findings
    | Code
    | Grid
    | Picture
    | Drawing
    | Figure
)


@dataclass(frozen=True)
class Section:
    """A numbered part of the document; `anchor` is its address, `references` what it answers (checklist items)."""

    title: str
    blocks: tuple[Block, ...]
    anchor: str
    references: str = ""


@dataclass(frozen=True)
class Document:
    """A whole report. `opening` stands under the title, before the numbered sections."""

    title: str
    sections: tuple[Section, ...]
    kicker: str = ""
    subtitle: str = ""
    banner: str = "Research software, not a medical device."
    opening: tuple[Block, ...] = ()
    closing: str = ""
    language: str = "en"
