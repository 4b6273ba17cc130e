"""A document as one self-contained HTML page: no script, no network, readable on screen and on paper."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from iatros.core.report.charts import draw
from iatros.core.report.document import (
    Block,
    Cell,
    Code,
    Document,
    Drawing,
    Estimate,
    Facts,
    Findings,
    Grid,
    Heading,
    KeyNumbers,
    Link,
    Note,
    Paragraph,
    Picture,
    Row,
    Section,
    Table,
    Tag,
)
from iatros.core.report.figures import Figure
from iatros.core.report.markup import Markup, element, join
from iatros.core.report.numbers import interval, number
from iatros.core.report.readings import readings
from iatros.core.report.style import SHEET

_LONG = 18
_SHORT = 14
"""Rows up to which a table is kept on one sheet of paper."""
_ENLARGED = 2
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"


def render(document: Document) -> str:
    """`document` as a whole HTML page.

    Everything in the document is text and is escaped; the page also forbids scripts and loading anything.

    >>> "<script>" in render(Document("<script>", ()))
    False
    """
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="generator", content="iatros"),
        element("title", document.title),
        element("style", Markup(SHEET)),
    )
    body = element(
        "body",
        element("a", "Skip to the report", href="#report", class_="skip"),
        element("div", _navigation(document), _main(document), class_="page"),
    )
    return "<!DOCTYPE html>\n" + element("html", head, "\n", body, lang=document.language) + "\n"


def _navigation(document: Document) -> Markup:
    links = [
        element("li", element("a", f"{k}  {section.title}", href=f"#{section.anchor}"))
        for k, section in enumerate(document.sections, start=1)
    ]
    return element("nav", element("strong", "Contents"), element("ol", *links), aria_label="Contents")


def _main(document: Document) -> Markup:
    head = element(
        "header",
        element("p", document.kicker, class_="kicker") if document.kicker else None,
        element("h1", document.title),
        element("p", document.subtitle, class_="subtitle") if document.subtitle else None,
        element("p", document.banner, class_="banner", role="note") if document.banner else None,
    )
    opening = [_block(block, f"opening-{k}") for k, block in enumerate(document.opening)]
    sections = [_section(section, k) for k, section in enumerate(document.sections, start=1)]
    closing = element("footer", document.closing) if document.closing else None
    return element("main", head, *opening, *sections, closing, id="report")


def _section(section: Section, position: int) -> Markup:
    title = element("h2", element("span", str(position), class_="no"), section.title)
    references = element("span", section.references, class_="refs") if section.references else None
    blocks = [_block(block, f"{section.anchor}-{k}") for k, block in enumerate(section.blocks)]
    return element(
        "section",
        element("div", title, references, class_="section-head"),
        "\n",
        *blocks,
        "\n",
        id=section.anchor,
    )


def _block(block: Block, identifier: str) -> Markup:
    drawer: Callable[[Any, str], Markup] = _DRAWERS.get(type(block), _figure)
    return drawer(block, identifier)


def _paragraph(block: Paragraph, _: str) -> Markup:
    return element("p", block.text, class_=None if block.kind == "text" else block.kind)


def _note(block: Note, _: str) -> Markup:
    return element(
        "div", block.text, class_="note" if block.kind == "remark" else f"note {block.kind}", role="note"
    )


def _key_numbers(block: KeyNumbers, _: str) -> Markup:
    items = []
    for item in block.items:
        at = item.estimate
        span = interval(at.low, at.high, at.digits)
        items.append(
            element(
                "div",
                element("dt", item.label),
                element("dd", number(at.value, at.digits) + at.suffix),
                element("dd", span, class_="ci") if span else None,
                element("dd", item.how, class_="how") if item.how else None,
            )
        )
    return element("dl", *items, class_="numbers")


def _facts(block: Facts, _: str) -> Markup:
    pairs = [element("dt", term) + element("dd", meaning) for term, meaning in block.items]
    return element("dl", *[Markup(pair) for pair in pairs], class_="facts")


def _findings(block: Findings, _: str) -> Markup:
    items = [
        element("li", element("span", item.word, class_=f"tag {item.tone}"), element("span", item.text))
        for item in block.items
    ]
    return element("ul", *items, class_="findings")


def _grid(block: Grid, identifier: str) -> Markup:
    items = [element("div", _block(item, f"{identifier}-{k}")) for k, item in enumerate(block.items)]
    return element("div", *items, class_=f"grid c{block.columns}")


def _figure(figure: Figure, identifier: str) -> Markup:
    table = readings(figure)
    numbers = None
    if table and table.rows:
        numbers = element(
            "details", element("summary", "The numbers behind this figure"), _table(table, identifier)
        )
    caption = element("figcaption", figure.caption) if figure.caption else None
    title = element("div", figure.title, class_="figure-title")
    return element("figure", title, draw(figure, identifier), caption, numbers)


def _picture(picture: Picture, _: str) -> Markup:
    """The image inside the page; an enlarged one shows its pixels rather than a blur that is not in the data."""
    columns, rows = picture.size
    enlarged = picture.width >= _ENLARGED * columns
    image = element(
        "img",
        src="data:image/png;base64," + base64.b64encode(picture.png).decode("ascii"),
        alt=picture.alt,
        width=picture.width,
        height=max(1, round(picture.width * rows / columns)),
        class_="pixels" if enlarged else None,
    )
    caption = element("figcaption", picture.caption) if picture.caption else None
    return element("figure", image, caption, class_="picture")


def _drawing(drawing: Drawing, _: str) -> Markup:
    image = element(
        "img",
        src="data:image/svg+xml;base64," + base64.b64encode(drawing.svg.encode()).decode("ascii"),
        alt=drawing.alt,
        width=drawing.width,
        class_="drawing",
    )
    caption = element("figcaption", drawing.caption) if drawing.caption else None
    return element("figure", image, caption, class_="picture")


def _table(table: Table, _: str) -> Markup:
    header = [
        element("th", column, scope="col", class_=_classes(column, right=k in table.right))
        for k, column in enumerate(table.columns)
    ]
    kinds = " ".join(name for name in ("stacked", "compact") if getattr(table, name)) or None
    body = element(
        "table",
        element("caption", table.caption) if table.caption else None,
        element("thead", element("tr", *header)),
        element("tbody", *[_row(row, table) for row in table.rows]),
        class_=kinds,
    )
    foot = element("p", table.foot, class_="foot") if table.foot else None
    short = len(table.rows) <= _SHORT
    return element("div", element("div", body, class_="scroll"), foot, class_="short" if short else None)


def _row(row: Row, table: Table) -> Markup:
    first, *others = row.cells
    if row.kind == "heading":
        head = element("th", _cell(first), colspan=len(table.columns), scope="rowgroup")
        return element("tr", head, class_="heading")
    cells = [element("th", _cell(first), scope="row", class_=_classes(first, indent=bool(row.indent)))]
    cells += [
        element("td", _cell(cell), class_=_classes(cell, right=k in table.right))
        for k, cell in enumerate(others, start=1)
    ]
    return element("tr", *cells, class_="strong" if row.kind == "strong" else None)


def _classes(cell: Cell, *, right: bool = False, indent: bool = False) -> str | None:
    """Where a cell stands, and whether a word in it is so long that it may break anywhere."""
    long = max((len(word) for word in str(cell).split()), default=0) > _LONG
    chosen = [name for name, wanted in (("right", right), ("in1", indent), ("any", long)) if wanted]
    return " ".join(chosen) or None


def _cell(cell: Cell) -> Markup | str:
    if isinstance(cell, Tag):
        return element("span", cell.text, class_=f"tag {cell.tone}")
    if isinstance(cell, Link):
        return element("a", cell.text, href=f"#{cell.anchor}")
    if isinstance(cell, Estimate):
        span = interval(cell.low, cell.high, cell.digits)
        value = element("span", number(cell.value, cell.digits) + cell.suffix, class_="est")
        return join([value, element("span", f" ({span})", class_="ci")]) if span else value
    return cell


_DRAWERS: dict[type, Callable[[Any, str], Markup]] = {
    Paragraph: _paragraph,
    Heading: lambda block, _: element("h3", block.text),
    Note: _note,
    Table: _table,
    KeyNumbers: _key_numbers,
    Facts: _facts,
    Findings: _findings,
    Code: lambda block, _: element("pre", block.text),
    Grid: _grid,
    Picture: _picture,
    Drawing: _drawing,
}
