"""Selects the file of the current instance that the log pane shows."""

from __future__ import annotations

from pathlib import Path

from ....core.plan.study_plan import Instance
from ...views.log_source import DRIVER_LOG, SOURCES, missing_words, source_path, usual_source
from ...views.study_session import StudySession
from ..widgets.log_pane import LogPane


class InstanceLog:
    """Shows the chosen source of SOURCES, by default the usual one for the instance's status.

    `index` is None without a current instance.
    """

    def __init__(self, study: StudySession, pane: LogPane) -> None:
        self.words = ""  # source and name of the file that is shown
        self._study = study
        self._pane = pane
        self._chosen = ""  # empty: the usual source

    def show(self, index: int | None) -> None:
        source, path = self.source(index), self.path(index)
        name = "" if source == DRIVER_LOG or path is None else path.name
        self.words = f"{source} {name}".strip()
        self._pane.show(path, "Output", self._words_without_file(index))

    def choose_next(self, index: int | None) -> None:
        """Switch to the next source, for this and the following instances."""
        self._chosen = SOURCES[(SOURCES.index(self.source(index)) + 1) % len(SOURCES)]
        self.show(index)

    def source(self, index: int | None) -> str:
        instance = self._instance(index)
        if self._chosen or instance is None or not self._study.is_read:
            return self._chosen or "stdout"
        return usual_source(self._study.directory, instance, self._study.state.status[instance.index])

    def path(self, index: int | None) -> Path | None:
        return source_path(self._study.directory, self._study.plan, self._instance(index), self.source(index))

    def _instance(self, index: int | None) -> Instance | None:
        return None if index is None else self._study.plan.instances[index]

    def _words_without_file(self, index: int | None) -> str:
        if index is None:
            return "no instance selected"
        if not self._study.is_read:
            return ""
        return missing_words(self.source(index), self._study.state.status[index])
