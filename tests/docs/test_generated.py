"""The generated parts of the documents are what the code would make of them now."""

from __future__ import annotations

import json
import re
from dataclasses import fields

import pytest
from textual.binding import Binding
from textual.screen import ModalScreen, Screen

from mtui.core.engine.status import Status
from mtui.tui.app.preferences import Preferences
from tests.docs.app_keys import key_classes, key_rows
from tests.docs.markdown import blocks, documents, read, tables
from tests.docs.parts import PARTS, renewed

_MARK = re.compile(r"<!-- generated: (\w+) -->")


@pytest.mark.parametrize("path", documents())
def test_document_is_up_to_date(path: str) -> None:
    assert renewed(path) == read(path), "run: python -m tests.docs"


def test_every_part_is_in_a_document_once() -> None:
    assert sorted(name for path in documents() for name in _MARK.findall(read(path))) == sorted(PARTS)


def test_every_state_is_explained() -> None:
    (table,) = (table for table in tables("docs/states.md") if table[0][0] == "state")
    assert [row[0] for row in table[1:]] == [status.value for status in Status]


def test_preferences_that_are_shown_name_actions() -> None:
    (shown,) = (json.loads(block.text) for block in blocks("docs/app.md") if block.language == "json")
    assert shown["keys"].keys() <= {name for _, rows in key_rows() for _, _, name in rows}
    assert shown.keys() == {field.name for field in fields(Preferences)}


def test_every_screen_shows_its_keys() -> None:
    screens = [cls for cls in key_classes() if issubclass(cls, Screen) and not issubclass(cls, ModalScreen)]
    assert len(screens) >= 6
    bound = {cls: [key.action for key in cls.__dict__["BINDINGS"] if isinstance(key, Binding)] for cls in screens}
    assert [cls.__name__ for cls, actions in bound.items() if "app.help" not in actions] == []
