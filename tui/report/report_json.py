"""The report as a JSON record: the content of the HTML page without the timeline."""

from __future__ import annotations

from .content import Failure, Report, Spread


def report_as_json(report: Report) -> dict[str, object]:
    """Return the record; docs/json.md describes its fields."""
    return {
        "study": report.name,
        "description": report.description,
        "directory": report.directory,
        "spec": report.spec,
        "result": report.result,
        "counts": {group.value: count for group, count in report.counts.items()},
        "began_at": report.began,
        "took_seconds": report.took,
        "steps": [
            {
                "name": step.name,
                "instances": step.instances,
                "counts": {group.value: count for group, count in step.counts.items()},
                "ran_seconds": _spread(step.ran),
                "queued_seconds": _spread(step.queued),
                "attempts_again": step.again,
            }
            for step in report.steps
        ],
        "failures": [_failure_record(failure) for failure in report.failures],
        "more_failures": report.more_failures,
        "warnings": [_failure_record(failure) for failure in report.warnings],
        "usage": [
            {
                "step": need.step,
                "jobs": need.jobs,
                "cores": need.cores,
                "memory": need.memory,
                "walltime": need.time,
                "advice": need.words,
            }
            for need in report.needs
        ],
        "no_usage": report.no_needs,
    }


def _failure_record(failure: Failure) -> dict[str, object]:
    return {
        "status": failure.status,
        "cause": failure.cause,
        "count": failure.count,
        "names": list(failure.names),
        "examples": [
            {"name": example.name, "cause": example.cause, "log": example.log, "last_lines": list(example.lines)}
            for example in failure.examples
        ],
    }


def _spread(spread: Spread | None) -> dict[str, float] | None:
    return {"least": spread.least, "median": spread.middle, "most": spread.most} if spread else None
