"""The study screen on a study that really ran: what it shows, and keys that move on it."""

from __future__ import annotations

from pathlib import Path

from tests.app.app_helpers import SIMS, Desk, lines_of, visit


def test_the_whole_study_is_seen_at_once(ran: Path) -> None:
    async def user(desk: Desk) -> None:
        await desk.see("no driver: study failed", "8/11", "72 %", str(ran))
        text = desk.text
        for words in (
            "Steps",
            "Instances",
            "prep",
            "mesh",
            "sim",
            "report",
            "all 11",
            "done 8",
            "failed 2",
            "blocked 1",
        ):
            assert words in text, words
        assert text.count("FAIL") == 2

    visit(ran, user)


def test_a_step_that_uses_fewer_parameters_spans_its_rows(ran: Path) -> None:
    async def user(desk: Desk) -> None:
        rows = [line.split("││")[1] for line in lines_of(desk.app) if "││ 5 " in line or "││ 10 " in line]
        assert len(rows) == 4
        assert [row.count("done") for row in rows] == [3, 1, 2, 1]
        assert [row.count("╎") for row in rows] == [0, 3, 2, 3]

    visit(ran, user)


def test_keys_move_the_cursor_and_the_panes_follow(ran: Path) -> None:
    async def user(desk: Desk) -> None:
        assert desk.here == "prep"
        await desk.press("l", "l")
        assert desk.here == SIMS[0]
        await desk.see("simulating 5 a")
        assert desk.steps.step and desk.steps.step.name == "sim"
        await desk.press("j")
        assert desk.here == SIMS[1]
        await desk.see("simulating 5 b", f" {SIMS[1]} ", " finished")
        await desk.press("G")
        await desk.see("no room for 20", "stderr", "failed")
        await desk.press("o")
        await desk.see("#!/bin/bash")
        await desk.press("o", "o", "o")
        await desk.see("no room for 20")

    visit(ran, user)


def test_the_step_tree_moves_the_grid(ran: Path) -> None:
    async def user(desk: Desk) -> None:
        await desk.press("1", "j", "j")
        assert desk.grid.column == 2
        await desk.see("sim: 6 instances", "depends on mesh", "4 done")
        await desk.press("enter", "j")
        assert desk.here == SIMS[1]

    visit(ran, user)
