"""The messages that docs/troubleshooting.md explains are messages that mtui says."""

from __future__ import annotations

import ast
import re

from tests.docs.markdown import ROOT, tables


def said() -> str:
    """Every text in the product's code."""
    texts: list[str] = []
    for top in ("core", "tui"):
        for path in sorted((ROOT / top).rglob("*.py")):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            texts += [
                node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)
            ]
    return "\n".join(texts)


def test_every_message_that_is_explained_is_said() -> None:
    (table,) = (table for table in tables("docs/troubleshooting.md") if table[0][0] == "message")
    messages = [message for row in table[1:] for message in re.findall(r"`([^`]+)`", row[0])]
    assert len(messages) >= 15
    code = said()
    assert [message for message in messages if message not in code] == []
