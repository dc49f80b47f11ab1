import re
from xml.etree import ElementTree as ET

from training.report.drawing import INK, SERIES, draw, draw_legend


def paint(axes):
    axes.plot([0, 1], [0, 1], "o", color=SERIES[1], label="$x$")
    axes.text(0.5, 0.5, "$not mathematics$", color=INK)


def test_a_drawing_is_one_element_with_a_description():
    element = ET.fromstring(draw(paint, name="one", alt='a "line" & more'))
    assert (element.tag, element.get("role")) == ("svg", "img")
    assert element.get("aria-label") == 'a "line" & more'


def test_equal_drawings_are_equal():
    assert draw(paint, name="one", alt="a line") == draw(paint, name="one", alt="a line")


def test_two_drawings_share_no_id():
    ids = [set(re.findall(r'\bid="([^"]*)"', draw(paint, name=name, alt="a line"))) for name in ("one", "two")]
    assert not ids[0] & ids[1]
    assert all(ids)


def test_references_follow_their_ids():
    drawn = draw(paint, name="one", alt="a line")
    ids = set(re.findall(r'\bid="([^"]*)"', drawn))
    references = set(re.findall(r'href="#([^"]*)"|url\(#([^)]*)\)', drawn))
    assert references
    assert {plain or inside for plain, inside in references} <= ids


def test_colours_are_the_page_s():
    drawn = draw(paint, name="one", alt="a line")
    assert "var(--series-1)" in drawn
    assert "var(--ink)" in drawn
    assert INK not in drawn


def test_names_are_words_and_not_mathematics():
    assert "$not mathematics$" in draw(paint, name="one", alt="a line")


def test_a_legend_names_its_series_in_order():
    drawn = draw_legend(["none", "ill"], name="key")
    assert drawn.index("none") < drawn.index("ill")
    assert "var(--series-0)" in drawn
    assert "var(--series-1)" in drawn
