"""The paper's figures and pages: well-formed, self-contained, escaped."""

import re
import xml.etree.ElementTree as ET

import pytest

from fairbench_paper.reproduction.blocks import Bullets, Facts, Section, Text, Warned
from fairbench_paper.reproduction.figures import Figure
from fairbench_paper.reproduction.render import _html, _markdown, _plain, _section
from fairbench_paper.reproduction.results import Quantity, Spread
from fairbench_paper.reproduction.svg import BLUE, Bands, Bars, Dots, Line, Panel, draw
from fairbench_paper.reproduction.words import number, percentile, printed

EVIL = '<script>alert("&")</script>'
SVG = "{http://www.w3.org/2000/svg}"


def drawn(**panel):
    marks = [
        Bands("band", [(0, 1, 2), (1, 2, 4)], BLUE),
        Line("line", [(0, 1.5), (1, 3)], BLUE, dashed=True),
        Dots("dots", [(0.5, 2)], BLUE, titles=[EVIL]),
        Bars("bars", [0, 0.5, 1], [1, 2], BLUE),
    ]
    return draw(EVIL, EVIL, [Panel(EVIL, EVIL, EVIL, marks, **panel)] * 2)


def test_figures_are_xml_with_every_word_escaped():
    root = ET.fromstring(drawn())
    assert root.find(f"{SVG}title").text == EVIL
    assert root.find(f"{SVG}desc").text == EVIL
    assert not [element for element in root.iter() if element.tag == f"{SVG}script"]
    assert len(root.findall(f".//{SVG}polyline")) == 2
    assert len(root.findall(f".//{SVG}circle")) == 2
    assert len(root.findall(f".//{SVG}polygon")) == 2
    legend = [text.text for text in root.iter(f"{SVG}text")]
    assert legend.count("line") == 2


def test_places_are_where_the_numbers_say():
    root = ET.fromstring(
        draw("t", "d", [Panel("p", "x", "y", [Line("", [(0, 0), (10, 5)], BLUE)])])
    )
    (low, high) = (
        [float(number) for number in point.split(",")]
        for point in root.find(f".//{SVG}polyline").get("points").split()
    )
    assert low[0] < high[0]
    assert low[1] > high[1]
    ticks = {t.text: float(t.get("y")) for t in root.iter(f"{SVG}text") if t.get("dy")}
    assert ticks["0"] == pytest.approx(low[1])
    assert ticks["5"] == pytest.approx(high[1])


def test_named_ticks_and_a_cut_axis():
    root = ET.fromstring(drawn(ticks=[(0, "men"), (1, "women")], top=2.0))
    words = [text.text for text in root.iter(f"{SVG}text")]
    assert words.count("men") == 2
    high = [float(t.text) for t in root.iter(f"{SVG}text") if t.get("dy")]
    assert max(high) <= 2.1


def test_one_value_alone_can_be_drawn():
    ET.fromstring(draw("t", "d", [Panel("p", "x", "y", [Dots("one", [(3, 0)], BLUE)])]))


@pytest.mark.parametrize(
    "block",
    [Text(EVIL), Warned(EVIL), Bullets([EVIL]), Facts([EVIL, "n"], [[EVIL, "1"]], frozenset({1}))],
)
def test_pages_escape_every_word(block):
    page = _html(block)
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "<script" not in "\n".join(_markdown(block, "paper"))
    assert EVIL in "\n".join(_plain(block))


def test_code_is_marked_and_pipes_do_not_break_tables():
    (_, _, row) = _markdown(Facts(["a", "b"], [["x|y", "`f_1`"]]), "")
    assert row == "| x\\|y | `f_1` |"
    assert _html(Text("see `f_1`")) == "<p>see <code>f_1</code></p>"


def test_figures_in_one_page_do_not_share_ids():
    pages = [_html(Figure(number, "t", "c", drawn())) for number in (1, 2)]
    ids = re.findall(r'id="([^"]+)"', "".join(pages))
    used = re.findall(r"url\(#([^)]+)\)", "".join(pages))
    assert len(ids) == len(set(ids)) == 4
    assert set(used) == set(ids)


def test_sections_have_anchors():
    assert _section(Section("Table 1: A & B", 3, [])).startswith(
        '<h3 id="table-1-a-b">Table 1: A &amp; B</h3>'
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [(11.45, "11.4"), (0.0205, "0.0205"), (1234.5, "1234"), (0.0, "0.00"), (2e-5, "2.00e-05")],
)
def test_numbers(value, text):
    assert number(value) == text


def test_the_papers_figures_keep_their_digits():
    assert printed(11.45) == "11.45"
    assert printed(0.020463) == "0.02046"


@pytest.mark.parametrize(
    ("place", "words"),
    [(0, "below all"), (100, "above all"), (1, "1st"), (12, "12th"), (33.3, "33rd"), (62, "62nd")],
)
def test_percentiles_in_words(place, words):
    assert percentile(Quantity("error", 1.0, Spread(1.0, 1.0, 1.0, 3), place)) == words
