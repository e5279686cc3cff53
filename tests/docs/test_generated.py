"""The generated parts of the documents are what the code would make of them now."""

from __future__ import annotations

import re

import pytest

from mtui.core.engine.status import Status
from tests.docs.markdown import documents, read, tables
from tests.docs.parts import PARTS, renewed

_MARK = re.compile(r"<!-- generated: (\w+) -->")


@pytest.mark.parametrize("path", documents())
def test_document_is_up_to_date(path: str) -> None:
    assert renewed(path) == read(path), "run: python -m tests.docs"


def test_every_part_stands_in_a_document_once() -> None:
    assert sorted(name for path in documents() for name in _MARK.findall(read(path))) == sorted(PARTS)


def test_every_state_is_explained() -> None:
    (table,) = (table for table in tables("docs/states.md") if table[0][0] == "state")
    assert [row[0] for row in table[1:]] == [status.value for status in Status]
