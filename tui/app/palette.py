"""The command palette: finds actions by name, and `go to` any instance."""

from __future__ import annotations

from typing import cast

from textual.binding import Binding
from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.content import Content

from ..views.text import safe
from .app_base import AppBase
from .screens.help_screen import key_words
from .screens.study_screen import StudyScreen
from .themes import THEMES

_MOST_INSTANCES = 30  # limit of matches that are shown


class Actions(Provider):
    """The actions of the screen's keys, the themes, and a few actions without a key."""

    def _actions(self) -> list[tuple[str, str, str]]:
        """Return name, help and action of each entry."""
        found = [
            (binding.description, f"{key_words(binding.key)}: {binding.tooltip or binding.description}", binding.action)
            for binding in type(self.screen).__dict__.get("BINDINGS", ())
            if isinstance(binding, Binding) and binding.id
        ]
        found.sort(key=lambda action: action[0] == "Leave")  # last, because Enter runs the first one
        found += [(f"Theme: {theme.name}", "and keep it", f"app.choose_theme('{theme.name}')") for theme in THEMES]
        return [
            *found,
            ("Unicode or ASCII glyphs", "and keep it", "app.toggle_glyphs"),
            ("Drive this study", "if it has no driver", "app.drive"),
            ("Save a screenshot", "as SVG in the current directory", "app.picture"),
        ]

    async def discover(self) -> Hits:
        for name, words, action in self._actions():
            yield DiscoveryHit(name, self._run(action), help=words)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for name, words, action in self._actions():
            score = matcher.match(name)
            if score > 0:
                yield Hit(score, matcher.highlight(name), self._run(action), help=words)

    def _run(self, action: str):
        async def run() -> None:
            await self.screen.run_action(action)

        return run


class Instances(Provider):
    """Finds instances by parts of their names."""

    async def search(self, query: str) -> Hits:
        screen = self.screen
        if not isinstance(screen, StudyScreen):
            return
        words = query.lower().removeprefix("go to ").split()
        shown = 0
        for instance in screen.study.plan.instances:
            name = instance.name.lower()
            if words and all(word in name for word in words):
                status = screen.study.state.status[instance.index].value
                # Shorter names first: the query covers more of them.
                score = 1.0 / (1 + len(name) - sum(map(len, words)) / 2)
                shown_as = Content(f"go to {safe(instance.name)}")  # a name is never markup
                yield Hit(score, shown_as, self._go(instance.index), text=shown_as.plain, help=status)
                shown += 1
                if shown >= _MOST_INSTANCES:
                    return

    def _go(self, index: int):
        def go() -> None:
            cast(AppBase, self.app).go_to(index)

        return go
