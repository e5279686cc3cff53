"""Ten short steps in a row on the cluster: mtui, an afterok chain by hand, Maestro; and mtui with its driver killed."""

from __future__ import annotations

from collections.abc import Iterator

from tests import mtui as command
from tests.bench import studies
from tests.bench.place import Place
from tests.bench.table import Line, at_most, in_turns, median, note, timed, times_faster
from tests.waiting import wait_until

_WORK = "sleep 0.2; echo done > done"
_MEASURED = 3  # steps in Maestro


def run(place: Place) -> Iterator[Line]:
    length = place.count(10, least=3)
    spec = studies.chain(place.new("chain.yaml"), length, _WORK)
    last = f"s{length - 1}"
    left: list[int] = []  # how many steps had not ended when the driver was killed
    again: list[float] = []

    def mtui() -> float:
        return timed(lambda: place.run_mtui("-o", place.new("out"), spec, env=place.env))

    def killed() -> float:
        out = place.new("out")

        def submit_kill_and_wait() -> None:
            with place.drive("-o", out, spec) as driver:
                driver.wait_accepted(length)
                left.append(length - driver.count("ended"))
            wait_until((out / last / "done").exists, 120, "the chain ran to its end without a driver")

        taken = timed(submit_kill_and_wait)
        again.append(timed(lambda: place.run_mtui(out, env=place.env)))
        assert set(command.statuses(out).values()) == {"finished"}
        note(f"killed with {left[-1]} steps to go; taken up again in {again[-1]:.2f} s")
        return taken

    def by_hand() -> float:
        folder = place.new("hand")

        def submit_and_wait() -> None:
            job = ""
            for number in range(length):
                workspace = folder / f"s{number}"
                workspace.mkdir(parents=True)
                (workspace / "job.sh").write_text(f"#!/bin/sh\n{_WORK}\n")
                job = place.sbatch(workspace, *([f"--dependency=afterok:{job}"] if job else []), "job.sh")
            wait_until((folder / last / "done").exists, 120, "the chain ran to its end")

        return timed(submit_and_wait)

    found = in_turns(place.rounds(5), {"mtui": mtui, "afterok": by_hand, "mtui, killed": killed})
    work = f"chain of {length} steps of 0.2 s"
    yield at_most(f"{work}, start to end of the driver", found["mtui"], "afterok by hand", found["afterok"], 1.05)

    sleep = 2 if place.small else 60
    steps = min(length, _MEASURED)
    short = studies.chain(place.new("short.yaml"), steps, _WORK)
    maestro = timed(lambda: place.run_maestro(short, sleep, place.env))
    whole = maestro + (length - steps) * sleep
    yield times_faster(
        f"{work}, start to end of the driver",
        found["mtui"],
        f"Maestro -s {sleep}, {steps} steps in {maestro:.1f} s, the others reckoned at {sleep} s a step",
        [whole],
        30,
    )
    yield at_most(
        f"{work}, driver killed when all are submitted ({min(left)} to {max(left)} to go), start to last step's end",
        found["mtui, killed"],
        "afterok by hand",
        found["afterok"],
        1.05,
    )
    whole_again = f"complete after {median(again):.2f} s"
    yield Line("  the same, `mtui --no-ui DIR` afterwards", whole_again, "", whole_again, "complete", True)
