"""2,000 jobs through a queue that takes 100 of one user: refusals, how full the queue is, how fast it goes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext

from tests.bench import studies
from tests.bench.place import LONG, Drive, Place
from tests.bench.table import Line, note, seconds, timed


def refusals(driver: Drive) -> Counter[int]:
    """How often each instance was refused."""
    members = {
        event["submission"]: [instance for instance, _ in event["members"]]
        for event in driver.events
        if event["type"] == "submit_intended"
    }
    found: Counter[int] = Counter()
    for event in driver.events:
        if event["type"] == "submit_deferred":
            found.update(members[event["submission"]])
    return found


def fullest(driver: Drive) -> int:
    """The most instances that were accepted and had not ended, as the driver saw it."""
    members: dict[str, int] = {}
    there = most = 0
    for event in driver.events:
        if event["type"] == "submit_intended":
            members[event["submission"]] = len(event["members"])
        elif event["type"] == "submitted":
            there += members[event["submission"]]
            most = max(most, there)
        elif event["type"] == "ended":
            there -= 1
    return most


def run(place: Place) -> Iterator[Line]:
    rows = place.count(2000, least=20)
    limit = place.count(100, least=5)
    spec = studies.fan(place.new("fan.yaml"), rows, "echo $(N) > x")

    def drive(most: int | None) -> tuple[float, Drive]:
        limited = place.cluster.submit_limit("regular", most) if most else nullcontext()
        with limited, place.drive("-o", place.new("out"), spec) as driver:
            taken = timed(lambda: driver.wait_for(lambda: driver.count("study_ended") > 0, "the end", LONG))
            assert driver.count("ended") == rows
        note(f"limit {most}: {taken:.1f} s, {sum(refusals(driver).values())} refused, {fullest(driver)} at most")
        return taken, driver

    free, _ = drive(None)
    taken, driver = drive(limit)
    refused = refusals(driver)
    worst = max(refused.values(), default=0)
    work = f"{rows:,} jobs through a submit limit of {limit}"
    answers, sets = driver.count("submit_deferred"), len(refused)
    yield Line(
        f"{work}: refusals",
        f"{answers} refused calls, {sets} instances in them",
        "",
        f"none more than {worst} times",
        "never the same twice",
        worst <= 1,
    )
    yield Line(f"{work}: most in the queue", f"{fullest(driver)}", "", f"{fullest(driver) / limit:.0%} of the limit")
    speed = f"{rows / taken:.1f} jobs/s"
    peer = f"without the limit: {seconds([free])}, {rows / free:.1f} jobs/s"
    yield Line(f"{work}: time", seconds([taken]), peer, f"{speed}, {taken / free:.2f}x")
