"""The report as Markdown, for a wiki, an issue or a mail."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Sequence

from ..views.estimate import span_words
from .content import Report, Spread
from .html_page import needs_words

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|#~!])")


def markdown(report: Report) -> str:
    """Return the report as Markdown; only the HTML page has the timeline."""
    shown = ", ".join(f"{count:,} {group.value}" for group, count in report.counts.items())
    began = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(report.began))
    lines = [
        f"# {_text(report.name)}: {_text(report.result or 'under way')}",
        "",
        _text(report.description),
        "",
        f"- instances: {sum(report.counts.values()):,} ({shown})",
        f"- began {began}, {'took' if report.result else 'for'} {span_words(report.took)}",
        f"- directory: {_code(report.directory)}",
        "",
        "## Steps",
        "",
        *_table(
            ("Step", "Instances", "Outcome", "Run time", "Waited in the queue", "Retries"),
            (
                (
                    _text(step.name),
                    f"{step.instances:,}",
                    ", ".join(f"{count:,} {group.value}" for group, count in step.counts.items()),
                    _spread(step.ran),
                    _spread(step.queued),
                    f"{step.again:,}" if step.again else "",
                )
                for step in report.steps
            ),
        ),
    ]
    for failure in (*report.failures, *report.warnings):
        lines += ["", f"## {_text(failure.status)}: {_text(failure.cause)} ({failure.count:,})", ""]
        more = f" and {failure.count - len(failure.names):,} more" if failure.count > len(failure.names) else ""
        lines.append(", ".join(map(_text, failure.names)) + more)
        for example in failure.examples:
            lines += ["", f"{_text(example.name)}: {_text(example.cause)}, {_code(example.log)}"]
            lines += ["", *(f"    {_plain(line)}" for line in example.lines)] if example.lines else []
    if report.more_failures:
        lines += ["", f"and {report.more_failures:,} more kinds of failures"]
    lines += ["", "## Requested and used", ""]
    if report.needs:
        rows = ((_text(need.step), f"{need.jobs:,}", needs_words(need), _text(need.words)) for need in report.needs)
        lines += _table(("Step", "Jobs", "Used", ""), rows)
    else:
        lines.append(f"Nothing can be said: {_text(report.no_needs)}.")
    return "\n".join([*lines, ""])


def _plain(text: str) -> str:
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text)


def _text(text: str) -> str:
    """Escape text for Markdown; control characters and line ends become a replacement character."""
    return _SPECIAL.sub(r"\\\1", _plain(text))


def _code(text: str) -> str:
    fence = "``" if "`" in text else "`"
    return f"{fence}{_plain(text)}{fence}"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    return lines + [f"| {' | '.join(row)} |" for row in rows]


def _spread(spread: Spread | None) -> str:
    if spread is None:
        return ""
    least, middle, most = (span_words(value) for value in (spread.least, spread.middle, spread.most))
    return middle if least == most else f"{middle} ({least} to {most})"
