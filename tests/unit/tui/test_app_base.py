"""The app as screens know it."""

from __future__ import annotations

from mtui.tui.app.app import MtuiApp
from mtui.tui.app.app_base import AppBase


def test_the_app_does_everything_that_screens_may_ask_of_it() -> None:
    promised = {name for name, member in vars(AppBase).items() if getattr(member, "__isabstractmethod__", False)}
    assert {"pick", "act", "show_instance"} <= promised
    assert promised <= set(vars(MtuiApp))
