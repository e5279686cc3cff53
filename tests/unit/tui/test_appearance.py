"""How states look: each glyph takes one cell, and differs from the rest without colours."""

from __future__ import annotations

import unicodedata

from mtui.core.engine.status import Status
from mtui.tui.views.appearance import BAR_GLYPHS, GROUP_GLYPHS, LOOKS, StatusGroup


def test_every_state_and_group_has_a_look() -> None:
    assert set(LOOKS) == set(Status)
    assert set(GROUP_GLYPHS) == set(BAR_GLYPHS) == set(StatusGroup)


def test_every_glyph_takes_one_cell() -> None:
    signs = {look.glyph for look in LOOKS.values()} | {glyph for pair in GROUP_GLYPHS.values() for glyph in pair}
    assert {unicodedata.east_asian_width(sign) for sign in signs} <= {"N", "Na"}


def test_in_ascii_groups_are_distinguished() -> None:
    plain = [plain for _, plain in GROUP_GLYPHS.values()]
    assert all(sign.isascii() for sign in plain)
    assert len(set(plain)) == len(plain)
