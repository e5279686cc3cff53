"""The moving picture of README.md: it plays in an <img>, is small, and shows what the session showed."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

import pyte
import pytest

from tests.docs.markdown import ROOT, links
from tests.recording.frames import Run, frame_of
from tests.recording.picture import Picture

PICTURE = "screenshots/session.svg"


@pytest.fixture(scope="module")
def svg() -> str:
    return (ROOT / PICTURE).read_text(encoding="utf-8")


def screen(*lines: str) -> pyte.Screen:
    found = pyte.Screen(20, 3)
    pyte.Stream(found).feed("\r\n".join(lines))
    return found


def test_the_readme_shows_it() -> None:
    assert PICTURE in links("README.md")


def test_it_is_small(svg: str) -> None:
    assert len(svg.encode()) < 600_000


def test_it_lasts_about_twenty_seconds(svg: str) -> None:
    (seconds,) = re.findall(r"animation:play ([\d.]+)s step-end infinite", svg)
    assert 15 <= float(seconds) <= 30


def test_it_needs_no_script_and_nothing_from_outside(svg: str) -> None:
    elements = list(ElementTree.fromstring(svg).iter())
    assert {element.tag.rpartition("}")[2] for element in elements} <= {
        "svg",
        "style",
        "defs",
        "g",
        "use",
        "rect",
        "text",
    }
    names = {element.get("id") for element in elements}
    references = [element.get("href", "") for element in elements if element.tag.endswith("use")]
    assert references
    assert all(reference.removeprefix("#") in names for reference in references)
    assert "url(" not in svg
    assert "@import" not in svg


def test_it_shows_a_failure_its_log_the_retry_and_the_end(svg: str) -> None:
    for words in ("FAIL", "energy diverged", "mtui retry alloy", "45/45"):
        assert words in re.sub(r"</?\w[^>]*>", "", svg), words


# --- how it is made


def test_a_screen_becomes_runs_of_one_style() -> None:
    row = frame_of(screen("a \x1b[1;31mred\x1b[0m b"))[0]
    assert [(run.column, run.text, run.style.bold) for run in row] == [
        (0, "a ", False),
        (2, "red", True),
        (5, " b", False),
        (7, " ", False),  # the cursor
    ]


def test_a_wide_character_takes_two_columns() -> None:
    run = frame_of(screen("\x1b[?25l漢x"))[0][0]
    assert isinstance(run, Run)
    assert (run.text.rstrip(), run.width) == ("漢x", 20)


def test_each_frame_begins_at_its_time_and_equal_rows_are_drawn_once() -> None:
    first, second = frame_of(screen("one", "same", "\x1b[?25l")), frame_of(screen("two", "same", "\x1b[?25l"))
    svg = Picture([(0.0, first), (2.5, second)], 10.0, (20, 3)).moving(poster=3.0)
    assert re.findall(r"([\d.]+)%\{transform:translateX\((-?[\d.]+)px", svg) == [("0.000", "0.0"), ("25.000", "-168.0")]
    assert svg.count(">same<") == 1
    assert svg.count("<use ") == 4


def test_a_reader_without_motion_sees_the_poster() -> None:
    frames = [(0.0, frame_of(screen("one"))), (2.5, frame_of(screen("two")))]
    svg = Picture(frames, 10.0, (20, 3)).moving(poster=3.0)
    assert "animation:none;transform:translateX(-168.0px)" in svg
