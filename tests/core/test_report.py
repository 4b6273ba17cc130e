"""Reports: everything is escaped, every figure is a valid drawing of its numbers, the page needs nothing else."""

from __future__ import annotations

import base64
import itertools
import math
import re
import struct
import xml.etree.ElementTree as ET
import zlib
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iatros.core.report import (
    Axis,
    Bar,
    BarChart,
    Code,
    Document,
    Drawing,
    Estimate,
    Facts,
    Figure,
    Finding,
    Findings,
    FlowDiagram,
    FlowStep,
    ForestPanel,
    ForestPlot,
    ForestPoint,
    ForestRow,
    Grid,
    Heading,
    Histogram,
    KeyNumber,
    KeyNumbers,
    LineChart,
    Link,
    Note,
    Paragraph,
    Picture,
    Points,
    Row,
    Section,
    Series,
    Strip,
    Table,
    Tag,
    render,
)
from iatros.core.report.charts import draw
from iatros.core.report.markup import Markup, element, escape
from iatros.core.report.numbers import interval, number, percent, rounded
from iatros.core.report.readings import readings
from iatros.core.report.scales import Scale, fit, limits, log_limits, text_width, tick_labels, ticks, wrap

HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)>&\u202e\x00'
NAN = float("nan")
NUMBERS = st.one_of(st.none(), st.floats(allow_nan=True, allow_infinity=True))


def png(columns: int, rows: int) -> bytes:
    """A grey PNG file, written out by its specification."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    lines = b"".join(b"\x00" + bytes((17 * r + 5 * c) % 256 for c in range(columns)) for r in range(rows))
    head = struct.pack(">IIBBBBB", columns, rows, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(lines))
        + chunk(b"IEND", b"")
    )


def figures(name: str) -> list[Figure]:
    """One figure of each kind, every word of which is `name`."""
    x, y = [0.0, 0.3, 1.0], [0.1, 0.5, 0.9]
    return [
        LineChart(
            name,
            name,
            Axis(name, 0, 1),
            Axis(name, percent=True),
            (
                Series(name, x, y, [0.0, 0.4, 0.8], [0.2, 0.6, 1.0]),
                Series(name, x, x, dash="dashed", role="reference"),
            ),
            points=(Points(name, x, y, y, y, labels=[name] * 3, hollow=True),),
            strip=Strip([0, 0.5, 1], [3, 1], [0, 7], name, name),
            corner=(name,),
            caption=name,
        ),
        Histogram(name, name, Axis(name), [0, 1, 3], [4, 9], caption=name),
        BarChart(name, name, Axis(name), (Bar(name, 0.3, 0.1, 0.4), Bar(name, -0.2))),
        ForestPlot(
            name,
            name,
            (ForestPanel(name, 1.0, log=True), ForestPanel(name)),
            (
                ForestRow(name, kind="heading"),
                ForestRow(name, (ForestPoint(1.2, 0.4, 30.0), ForestPoint(None)), (name,), weight=0.3),
                ForestRow(name, remark=name),
                ForestRow(name, (ForestPoint(1.1, 0.9, 1.3), None), kind="pooled"),
                ForestRow(name, (ForestPoint(None, 0.5, 2.1), None), kind="span"),
            ),
            columns=(name,),
        ),
        FlowDiagram(
            name, name, (FlowStep(name, (name,)), FlowStep(name, (name,), (name,))), (FlowStep(name),) * 6
        ),
    ]


def document(name: str) -> Document:
    """A document with every kind of block, every word of which is `name`."""
    table = Table(
        (name, name),
        (
            Row((name, Tag(name, "bad")), indent=1),
            Row((name,), "heading"),
            Row((Link(name, "a"), Estimate(0.5, 0.4, NAN))),
        ),
        caption=name,
        foot=name,
        right=(1,),
        stacked=True,
    )
    blocks = (
        Paragraph(name, "lead"),
        Heading(name),
        Note(name, "warning"),
        table,
        KeyNumbers((KeyNumber(name, Estimate(0.5, 0.4, 0.6, suffix=name), name),)),
        Facts(((name, name),)),
        Findings((Finding(name, "watch", name),)),
        Code(name),
        Grid((figures(name)[0], table, Picture(png(3, 5), name, name)), 4),
        Picture(png(7, 2), name, name),
        *figures(name),
    )
    return Document(
        name, (Section(name, blocks, "a", name), Section(name, (), "b")), name, name, name, blocks[:3], name
    )


class Strict(HTMLParser):
    """Collects what a browser would see, and refuses unbalanced tags."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        given = dict(attrs)
        if given.get("id"):
            self.ids.append(str(given["id"]))
        if tag == "a":
            self.links.append(str(given["href"]))
        if tag not in ("meta", "br", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def parse(page: str) -> Strict:
    parser = Strict()
    parser.feed(page)
    parser.close()
    assert parser.open == []
    return parser


def test_text_never_becomes_markup() -> None:
    page = render(document(HOSTILE))
    parsed = parse(page)
    assert "script" not in parsed.tags
    assert parsed.tags.count("img") == 2, "the two pictures of the document, none that a name brought in"
    assert not [name for name, _ in parsed.attributes if name.startswith("on")]
    assert "\x00" not in page
    assert "\u202e" not in page


def test_page_is_self_contained_and_its_links_lead_somewhere() -> None:
    page = render(document("plain"))
    parsed = parse(page)
    assert len(parsed.ids) == len(set(parsed.ids))
    assert {link[1:] for link in parsed.links} <= set(parsed.ids)
    loaded = [value for name, value in parsed.attributes if name in ("src", "srcset", "action")]
    assert all(str(value).startswith("data:image/png;base64,") for value in loaded)
    assert "default-src 'none'" in dict(parsed.attributes).get("content", "") or "default-src" in page
    assert not re.search(r"url\((?!#)", page)
    assert page == render(document("plain"))


def test_every_figure_has_words_for_those_who_cannot_see_it() -> None:
    for k, figure in enumerate(figures("a & b")):
        root = ET.fromstring(draw(figure, f"f{k}"))
        named = [child.text for child in root[:2]]
        assert named == ["a & b", "a & b"]
        assert root.attrib["aria-labelledby"] == f"f{k}-title f{k}-desc"
        table = readings(figure)
        assert (table is None) == isinstance(figure, FlowDiagram)


def test_a_picture_stands_in_the_page_with_its_words_and_its_shape() -> None:
    file = png(40, 25)
    page = render(Document("d", (), opening=(Picture(file, 'a "quoted" <b>', "under it", width=60),)))
    (image,) = re.findall("<img[^>]*>", page)
    assert base64.b64decode(re.findall('src="data:image/png;base64,([^"]*)"', image)[0]) == file
    assert 'alt="a &quot;quoted&quot; &lt;b&gt;"' in image
    assert 'width="60" height="38"' in image, "60 wide, so 60 * 25 / 40 = 37.5 high"
    assert "pixels" not in image
    assert "<figcaption>under it</figcaption>" in page
    assert "img-src data:" in page, "the page's policy allows it"
    enlarged = render(Document("d", (), opening=(Picture(file, "a", width=80),)))
    assert 'class="pixels"' in enlarged, "twice its size: shown as pixels"


@pytest.mark.parametrize(
    ("file", "alt", "width", "said"),
    [
        (b"", "a", 10, "PNG"),
        (b"\xff\xd8\xff\xe0" + bytes(60), "a", 10, "PNG"),
        (png(3, 5)[:30], "a", 10, "PNG"),
        (png(3, 5), " ", 10, "words"),
        (png(3, 5), "a", 0, "pixel"),
        (png(3, 0), "a", 10, "pixel"),
    ],
)
def test_a_picture_that_would_be_a_hole_is_refused(file: bytes, alt: str, width: int, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Picture(file, alt, width=width)


def test_a_drawing_stands_in_the_page_as_an_image_in_which_nothing_runs() -> None:
    svg = '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script><text>µ</text></svg>'
    page = render(Document("d", (), opening=(Drawing(svg, 'a "b"', "under it", width=60),)))
    (image,) = re.findall("<img[^>]*>", page)
    assert base64.b64decode(re.findall('src="data:image/svg[+]xml;base64,([^"]*)"', image)[0]).decode() == svg
    assert 'alt="a &quot;b&quot;"' in image
    assert "<script" not in page
    for broken, alt, width, said in [("<p>", "a", 9, "SVG"), (svg, " ", 9, "words"), (svg, "a", 0, "pixel")]:
        with pytest.raises(ValueError, match=said):
            Drawing(broken, alt, width=width)


@pytest.mark.parametrize(
    "values", [[], [0.5], [NAN, None, 0.2], [0.0, 0.0], [math.inf, 1.0, -math.inf], [1e9, -1e9]]
)
def test_odd_numbers_are_drawn_or_left_out_but_never_break_the_drawing(values: list[float | None]) -> None:
    x = [float(k) for k in range(len(values))]
    chart = LineChart(
        "t",
        "d",
        Axis("x"),
        Axis("y"),
        (Series("s", x, values, values, values),),
        (Points("p", x, values, values, values),),
    )
    root = ET.fromstring(draw(chart, "c"))
    assert "nan" not in ET.tostring(root, encoding="unicode").lower()
    point = ForestPoint(*(values[:1] or [None]), *(values[:2] if len(values) > 1 else [None, None]))
    forest = ForestPlot("t", "d", (ForestPanel("m", 1.0, log=True),), (ForestRow("r", (point,)),))
    ET.fromstring(draw(forest, "f"))
    assert readings(chart) is not None


def test_a_line_goes_through_its_points() -> None:
    chart = LineChart("t", "d", Axis("x", 0, 1), Axis("y", 0, 1), (Series("", [0, 0.5, 1], [0, 1, 0]),))
    root = ET.fromstring(draw(chart, "c"))
    path = next(
        e.attrib["d"] for e in root.iter("{http://www.w3.org/2000/svg}path") if e.attrib["fill"] == "none"
    )
    points = [tuple(map(float, pair.split())) for pair in path[1:].split("L")]
    (x0, y0), (x1, y1), (x2, y2) = points
    assert x0 < x1 < x2
    assert x1 == pytest.approx((x0 + x2) / 2)
    assert y1 < y0 == y2, "up the page is less in SVG"


def test_the_last_label_of_an_axis_lies_inside_the_drawing() -> None:
    chart = LineChart("t", "d", Axis("calls"), Axis("y"), (Series("", [0, 10_000], [0, 1]),), width=380)
    root = ET.fromstring(draw(chart, "c"))
    label = next(e for e in root.iter("{http://www.w3.org/2000/svg}text") if e.text == "10,000")
    assert label.attrib["text-anchor"] == "middle"
    assert float(label.attrib["x"]) + text_width("10,000") / 2 <= chart.width


def test_a_gap_in_the_numbers_is_a_gap_in_the_line() -> None:
    chart = LineChart("t", "d", Axis("x"), Axis("y"), (Series("", range(6), [1, 2, None, 3, NAN, 4]),))
    paths = [e for e in ET.fromstring(draw(chart, "c")).iter("{http://www.w3.org/2000/svg}path")]
    assert len(paths) == 1, "two points before the first gap; the lone ones after it make no line"


def test_forest_boxes_lie_in_the_order_of_their_values() -> None:
    values = (0.8, 1.7, 1.1)
    rows = tuple(ForestRow(f"r{k}", (ForestPoint(v, v * 0.9, v * 1.1),)) for k, v in enumerate(values))
    plot = ForestPlot("t", "d", (ForestPanel("m", 1.0, log=True),), rows)
    boxes = ET.fromstring(draw(plot, "f")).findall(".//{*}g/{*}rect")
    at = [float(box.attrib["x"]) for box in boxes]
    assert at[0] < at[2] < at[1]


def test_forest_tick_labels_do_not_touch() -> None:
    rows = (ForestRow("a", (ForestPoint(1.0, 0.3, 4.0),) * 3),)
    panels = tuple(ForestPanel(f"metric {k}", 1.0, log=True) for k in range(3))
    root = ET.fromstring(draw(ForestPlot("t", "d", panels, rows, width=500), "f"))
    labels = [e for e in root.iter("{http://www.w3.org/2000/svg}text") if e.attrib.get("font-size") == "11"]
    spans = sorted((float(e.attrib["x"]), text_width(str(e.text), 11) / 2) for e in labels)
    assert all(b - a > half_a + half_b for (a, half_a), (b, half_b) in itertools.pairwise(spans))


def test_readings_thin_long_lines_and_say_so() -> None:
    x = [k / 999 for k in range(1000)]
    table = readings(LineChart("t", "d", Axis("x"), Axis("y"), (Series("s", x, x),)))
    assert table is not None
    assert len(table.rows) == 26
    assert table.rows[0].cells[1:3] == ("0", "0")
    assert table.rows[-1].cells[1:3] == ("1", "1")
    assert "thinned" in table.foot


@given(low=st.floats(-1e6, 1e6), span=st.floats(1e-6, 1e6), count=st.integers(2, 9))
@settings(max_examples=80, deadline=None)
def test_ticks_are_inside_even_and_few(low: float, span: float, count: int) -> None:
    found = ticks(low, low + span, count)
    assert len(found) <= 2.6 * count + 1
    assert all(low - 1e-6 * span - 1e-9 <= value <= low + span * (1 + 1e-6) + 1e-9 for value in found)
    assert len(tick_labels(found)) == len(found)


@given(values=st.lists(NUMBERS, max_size=6))
@settings(max_examples=60, deadline=None)
def test_limits_always_span_something(values: list[float | None]) -> None:
    bounded = [v if v is None or not math.isfinite(v) else max(min(v, 1e12), -1e12) for v in values]
    low, high = limits(bounded)
    assert low < high
    low, high = log_limits(bounded, 1.0)
    assert 0 < low < 1 < high


def test_log_scale_puts_ratios_at_equal_distances() -> None:
    scale = Scale(0.5, 2.0, 0, 100, log=True)
    assert scale(1.0) == pytest.approx(50)
    assert scale(2.0) - scale(1.0) == pytest.approx(scale(1.0) - scale(0.5))
    assert math.isfinite(scale(0.0))


def test_text_is_fitted_and_wrapped() -> None:
    assert fit("short", 100) == "short"
    cut = fit("a_column_with_a_very_long_name_indeed", 100)
    assert cut.endswith("…")
    assert text_width(cut) <= 100
    lines = wrap("left out because the outcome is missing in these", 120)
    assert len(lines) > 1
    assert all(text_width(line) <= 120 for line in lines)


def test_numbers_are_written_the_same_way_everywhere() -> None:
    assert number(-0.0004, 3) == "0.000"
    assert number(True) == "–"
    assert number(-math.inf) == "−∞"
    assert interval(None, None) == ""
    assert interval(None, 0.5, 1) == "– to 0.5"
    assert percent(None) == "–"
    assert rounded(1e-9) == "1.00e−9"
    assert rounded(0.30000000000000004) == "0.3"
    assert rounded(12345.678) == "12,346"
    assert str(Estimate(0.842, 0.801, 0.88)) == "0.842 (0.801 to 0.880)"
    assert str(Estimate(None)) == "–"


def test_markup_passes_and_text_does_not() -> None:
    assert element("p", Markup("<b>x</b>"), "<b>") == "<p><b>x</b>&lt;b&gt;</p>"
    assert element("p", title='a"b') == '<p title="a&quot;b"></p>'
    assert escape("a\x07b") == "a\ufffdb"
    with pytest.raises(ValueError, match="finite"):
        element("rect", x=math.nan)
