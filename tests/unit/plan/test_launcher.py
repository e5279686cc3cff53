"""$(LAUNCHER) becomes the srun command line of the step, or of its bracket."""

from __future__ import annotations

import pytest

from mtui.core.plan.launcher import LauncherError, remove_launchers, replace_launchers


@pytest.mark.parametrize(
    ("text", "procs", "nodes", "cores", "expected"),
    [
        ("$(LAUNCHER) ./a", "4", "2", "8", "srun -n 4 -N 2 -c 8 ./a"),
        ("$(LAUNCHER) ./a", "4", "", "", "srun -n 4 ./a"),
        ("$(LAUNCHER) ./a", "", "2", "", "srun -N 2 ./a"),
        ("$(LAUNCHER) ./a; $(LAUNCHER) ./b", "2", "", "", "srun -n 2 ./a; srun -n 2 ./b"),
        ("$(LAUNCHER)[4p] ./a", "8", "2", "3", "srun -n 4 -c 3 ./a"),
        ("$(LAUNCHER)[2n, 4p] ./a", "8", "2", "", "srun -n 4 -N 2 ./a"),
        ("$(LAUNCHER)[4p,2n] ./a", "8", "2", "", "srun -n 4 -N 2 ./a"),
        ("$(LAUNCHER)[2nodes, 4procs] ./a", "8", "2", "", "srun -n 4 -N 2 ./a"),
        ("$(LAUNCHER)[2, 4] ./a", "8", "2", "", "srun -n 4 -N 2 ./a"),
        ("$(LAUNCHER)[1p] ./a ${v[0]} $(LAUNCHER) ./b[1]", "2", "", "", "srun -n 1 ./a ${v[0]} srun -n 2 ./b[1]"),
        ("$(LAUNCHER)[4p] a; $(LAUNCHER)[4p] b", "4", "1", "", "srun -n 4 a; srun -n 4 b"),
        ("$(LAUNCHER)[4p] ./a", "", "", "", "srun -n 4 ./a"),
        ("$(LAUNCHER)[4p] ./a", "$(NOPE)", "", "", "srun -n 4 ./a"),
        ("$(LAUNCHER) [4p] ./a", "2", "", "", "srun -n 2 [4p] ./a"),
        ("echo LAUNCHER $LAUNCHER", "2", "", "", "echo LAUNCHER $LAUNCHER"),
    ],
)
def test_replacement(text: str, procs: str, nodes: str, cores: str, expected: str) -> None:
    assert replace_launchers(text, procs, nodes, cores) == expected


@pytest.mark.parametrize(
    ("bracket", "message", "hint"),
    [
        ("[5p]", "$(LAUNCHER)[5p] uses 5 procs, but the step requests 4", "raise 'procs:'"),
        ("[3n, 4p]", "$(LAUNCHER)[3n, 4p] uses 3 nodes, but the step requests 2", "raise 'nodes:'"),
        ("[3, 4]", "$(LAUNCHER)[3, 4] uses 3 nodes, but the step requests 2", "raise 'nodes:'"),
        *((bracket, f"$(LAUNCHER){bracket} does not set the number of tasks", "write $(LAUNCHER)[4p]")
          for bracket in ("[]", "[2n]", "[p]", "[$(P)p]", "[1p, 2p]", "[1n, 1n, 2p]", "[4]", "[x]")),
    ],
)  # fmt: skip
def test_brackets_that_cannot_be_carried_out(bracket: str, message: str, hint: str) -> None:
    with pytest.raises(LauncherError) as caught:
        replace_launchers(f"x; $(LAUNCHER){bracket} ./a", "4", "2", "")
    assert str(caught.value) == message
    assert caught.value.hint.startswith(hint)
    assert caught.value.written == f"$(LAUNCHER){bracket}"


def test_without_slurm_programs_run_as_they_are() -> None:
    assert remove_launchers("$(LAUNCHER)[2n, 4p] ./a && $(LAUNCHER) ./b") == " ./a &&  ./b"
