"""Keys that arrive faster than the app paints, as over a slow link: each acts on what the one before it made."""

from __future__ import annotations

import pytest

from tests import mtui
from tests.terminal.desk import Desk


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/state:failed\r", "1 shown"),
        ("1\rG", "a_I.3  finished"),
        ("jry", "retry a_I.2: done"),
        ("?qG", "a_I.3  finished"),
    ],
)
def test_keys_typed_ahead_act_in_their_order(desk: Desk, text: str, shown: str) -> None:
    spec = desk.study("if [ $(I) = 2 ]; then exit 3; fi", rows="1, 2, 3")
    assert mtui.run("--no-ui", "-o", desk.out, spec).returncode == 2
    terminal = desk.terminal(desk.out, env=desk.env(EDITOR="true", PAGER="true", SHELL="/bin/true"))
    terminal.wait_for("✗ failed 1")
    terminal.type(text)
    terminal.wait_for(shown)
