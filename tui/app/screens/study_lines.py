"""The lines around the panes of the study screen: progress, driver, counts, and the last command."""

from __future__ import annotations

import time

from ....core.engine.status import Status
from ...views.appearance import by_group
from ...views.study_session import Sent, StudySession
from ..widgets.bars import Counts, Head, Progress, WordLine, Words


class StudyLines:
    """Updates the lines. They may change with time alone, so they are shown again every second."""

    def __init__(self, study: StudySession, head: Head, who: WordLine, counts: Counts, notice: WordLine) -> None:
        self._study = study
        self._head = head
        self._who = who
        self._counts = counts
        self._notice = notice
        self._final: Sent | None = None  # the command whose result is shown: other notices may replace it

    def show(self, group: str, *, selecting: bool, paused: bool) -> None:
        """Update the lines; `group` is the group of states shown alone, `selecting`: a range is being marked."""
        study = self._study
        state = study.state
        counts = by_group(state.counts) if study.is_read else {}
        total = len(study.plan.instances)
        words = study.progress_words(time.time())
        self._head.show(Progress(study.plan.name, counts, state.counts[Status.FINISHED], total, words))
        who = [
            (f"{' ' if place == 0 else ', '}{text}", name) for place, (text, name) in enumerate(study.describe_driver())
        ]
        self._who.show_words(who, [(f"{study.directory.root} ", "line--faint")])
        self._counts.show(counts, total, group, self._selection(selecting=selecting, paused=paused))

    def _selection(self, *, selecting: bool, paused: bool) -> Words:
        view = self._study.view
        words: Words = []
        if paused:
            words.append(("display paused (p)", "state--queued"))
        if view.marks:
            words.append((f"{len(view.marks):,} marked", "line--strong"))
        if selecting:
            words.append(("range: move to its other end, then V", "line--strong"))
        if view.hits is not None:
            words.append((f"/{view.filter.text}  {len(view.hits):,} shown", "line--strong"))
        if view.sort.key:
            words.append((f"sorted by {view.sort.words}", "line--faint"))
        return words

    def show_command(self) -> None:
        """Show the progress of the command that was sent last."""
        if not self._study.sent or self._study.sent[-1] is self._final:
            return
        sent = self._study.sent[-1]
        words, kind = self._study.describe_progress(sent)
        clock = time.strftime("%H:%M:%S", time.localtime(sent.at))
        self._notice.show_words([(f" {clock} {sent.words}: ", "line--faint"), (words, kind)])
        command = self._study.state.commands.get(sent.command)
        if command and command.outcome:
            self._final = sent
