"""Compares what the scripts of a study wrote into its trace with what its journal says."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any, Protocol

from tests.soak.studies import ROWS


class Traced(Protocol):
    """A study and what its scripts wrote."""

    out: Path
    trace: Path
    log: Path  # the output of its drivers
    reruns: set[str]

    @property
    def instances(self) -> list[str]: ...


def find_faults(study: Traced, totals: Counter[str]) -> list[str]:
    """Return what contradicts the promises: nothing lost, nothing twice, no child before its parents."""
    lines = [line.split() for line in study.trace.read_text().splitlines()]
    starts = Counter(name for kind, name in lines if kind == "start")
    ends = Counter(name for kind, name in lines if kind == "end")
    totals["instances"] += len(study.instances)
    totals["starts of scripts"] += sum(starts.values())
    totals["ends of scripts"] += sum(ends.values())
    wrong = [f"two at once: {name}" for kind, name in lines if kind == "overlap"]
    wrong += _out_of_order(lines)
    attempts, finished, unfinished = _journal(study)
    for name in study.instances:
        if starts[name] > len(attempts[name]):
            wrong.append(f"{name}: {starts[name]} starts in {len(attempts[name])} attempts")
        if finished[name] and not ends[name]:
            wrong.append(f"{name}: finished in the journal, but its script never ended")
        again = ends[name] - 1
        if again > 0 and name not in study.reruns:
            # Its script had ended, but its job was ended by force before it could report that.
            totals["scripts that ended in an attempt that failed otherwise"] += again
            if again > unfinished[name]:
                wrong.append(f"{name}: ended {ends[name]} times, but {unfinished[name]} attempts did not finish")
    if "Traceback" in study.log.read_text(errors="replace"):
        wrong.append(f"a traceback in {study.log}")
    totals["attempts"] += sum(len(numbers) for numbers in attempts.values())
    return wrong


def _out_of_order(lines: list[list[str]]) -> list[str]:
    """Return starts before a parent's first end."""
    done: set[str] = set()
    wrong: list[str] = []
    for kind, name in lines:
        if kind == "end":
            done.add(name)
        elif kind == "start" and (missing := [parent for parent in _parents(name) if parent not in done]):
            wrong.append(f"{name} started before the end of {', '.join(missing)}")
    return wrong


def _parents(name: str) -> list[str]:
    step, _, row = name.partition("_")
    above = {"sim": "prep", "post": "sim", "tidy": "post"}.get(step)
    if step == "all":
        return [f"post_I.{number}" for number in range(ROWS)]
    return [f"{above}_{row}"] if above else []


def _journal(study: Traced) -> tuple[dict[str, set[int]], Counter[str], Counter[str]]:
    """Return by instance: its attempts, how many finished, how many ended otherwise."""
    names = _names(study)
    attempts: defaultdict[str, set[int]] = defaultdict(set)
    finished, unfinished = Counter[str](), Counter[str]()
    for event in _events(study):
        match event["type"]:
            case "submit_intended":
                for index, number in event["members"]:
                    attempts[names[index]].add(number)
            case "ended":
                (finished if event["status"] == "finished" else unfinished)[names[event["instance"]]] += 1
            case "returned":
                unfinished.update(names[index] for index, _ in event["members"])
            case _:
                pass
    return attempts, finished, unfinished


def _names(study: Traced) -> list[str]:
    """The names of the instances in the order of the plan."""
    record = json.loads((study.out / ".mtui" / "study.json").read_text())
    return [name for name, *_ in record["instances"]]


def _events(study: Traced) -> list[dict[str, Any]]:
    """All events of all drivers; a line that was cut off by a kill or a full disk is left out."""
    events: list[dict[str, Any]] = []
    for path in sorted((study.out / ".mtui" / "journal").glob("*.jsonl")):
        for line in path.read_text(errors="replace").splitlines():
            try:
                events.append(json.loads(line))
            except ValueError:
                continue
    return events
