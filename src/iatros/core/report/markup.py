"""HTML and SVG as text, escaped where it is made: only `Markup` passes through untouched."""

from __future__ import annotations

import html
import math
import re

_VOID = frozenset({"meta", "br", "hr", "col", "wbr", "img"})
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u202a-\u202e\u2066-\u2069]")


class Markup(str):
    """Text that is markup already; any other string is escaped when it enters an element."""

    __slots__ = ()


def escape(text: object) -> Markup:
    """`text` as it may stand inside an element or a quoted attribute.

    Control characters and bidirectional overrides become U+FFFD: a column name can neither run nor
    reorder what stands beside it.

    >>> escape("<b> & co")
    '&lt;b&gt; &amp; co'
    """
    if isinstance(text, Markup):
        return text
    return Markup(html.escape(_CONTROL.sub("\ufffd", str(text)), quote=True))


def element(tag: str, *content: str | None, **attributes: object) -> Markup:
    """`<tag attributes>content</tag>`; `class_` is class, `stroke_width` is stroke-width, None is left out.

    >>> element("td", "a < b", class_="number")
    '<td class="number">a &lt; b</td>'
    """
    inner = "".join(escape(part) for part in content if part is not None)
    opening = tag + "".join(_attribute(name, value) for name, value in attributes.items())
    if tag in _VOID:
        return Markup(f"<{opening}>")
    return Markup(f"<{opening}>{inner}</{tag}>")


def join(parts: list[Markup] | tuple[Markup, ...], between: str = "") -> Markup:
    """The parts one after the other."""
    return Markup(between.join(parts))


def _attribute(name: str, value: object) -> str:
    if value is None or value is False:
        return ""
    name = name.rstrip("_").replace("_", "-")
    if value is True:
        return f" {name}"
    return f' {name}="{escape(_short(value))}"'


def _short(value: object) -> object:
    """Pixels need no more than two decimals."""
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError("a drawing cannot hold a number that is not finite")
        return f"{value:.2f}".rstrip("0").rstrip(".") or "0"
    return value
