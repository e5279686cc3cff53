"""The report as a self-contained HTML page: no scripts, no external resources, light and dark colour schemes."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from html import escape

from ..views.appearance import StatusGroup
from ..views.estimate import span_words
from ..views.timeline import axis
from .content import Bar, Failure, Need, Report, Spread, StepLine

_COLOURS = {  # on a light background, on a dark one
    StatusGroup.DONE: ("#1a7f37", "#3fb950"),
    StatusGroup.FAILED: ("#cf222e", "#ff7b72"),
    StatusGroup.CANCELLED: ("#8250df", "#bc8cff"),
    StatusGroup.BLOCKED: ("#9a6700", "#d29922"),
    StatusGroup.RUNNING: ("#0969da", "#58a6ff"),
    StatusGroup.QUEUED: ("#57606a", "#8b949e"),
    StatusGroup.WAITING: ("#afb8c1", "#484f58"),
}
_WIDTH, _LEFT, _ROW = 1000, 230, 14  # of the timeline, in SVG units
_LOW = 0.5  # a share below this is marked


def html_page(report: Report, *, refresh: int = 0) -> str:
    """Return the page; with `refresh`, browsers reload it after so many seconds."""
    title = f"{report.name}: {report.result or 'running'}"
    again = f'<meta http-equiv="refresh" content="{refresh}">\n' if refresh else ""
    parts = [
        _head(report),
        _section("Steps", _steps(report.steps)),
        *([_section("Failures", _failures(report))] if report.failures else []),
        *([_section("Warnings", "\n".join(map(_failure, report.warnings)))] if report.warnings else []),
        _section("Timeline", _timeline(report)),
        _section("Requested and used", _needs(report)),
        f"<footer>{_text(_clock(time.time()))}, mtui report {_text(report.directory)}</footer>",
    ]
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n{again}'
        f"<title>{_text(title)}</title>\n<style>\n{_style()}</style>\n</head>\n<body>\n"
        + "\n".join(parts)
        + "\n</body>\n</html>\n"
    )


def _text(text: object) -> str:
    """Escape text for HTML; control characters become a replacement character."""
    clean = "".join(sign if sign.isprintable() or sign == " " else "\N{REPLACEMENT CHARACTER}" for sign in str(text))
    return escape(clean)


def _style() -> str:
    light = "".join(f"--{group.value}: {colours[0]}; " for group, colours in _COLOURS.items())
    dark = "".join(f"--{group.value}: {colours[1]}; " for group, colours in _COLOURS.items())
    classes = "".join(
        f".{group.value} {{ color: var(--{group.value}); fill: var(--{group.value}); }}\n" for group in _COLOURS
    )
    return f"""\
:root {{ color-scheme: light dark; --line: #d0d7de; --faint: #57606a; --back: #ffffff; --fore: #1f2328; {light}}}
@media (prefers-color-scheme: dark) {{ :root {{ --line: #30363d; --faint: #8b949e; --back: #0d1117; --fore: #e6edf3; {dark}}} }}
body {{ background: var(--back); color: var(--fore); font: 15px/1.45 system-ui, sans-serif; max-width: 64rem;
  margin: 2rem auto; padding: 0 1rem; }}
h1 {{ font-size: 1.6rem; margin: 0; }} h2 {{ font-size: 1.15rem; margin: 2rem 0 .5rem; }}
table {{ border-collapse: collapse; width: 100%; }}
th, td {{ text-align: left; padding: .25rem .75rem .25rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }}
td.number, th.number {{ text-align: right; font-variant-numeric: tabular-nums; }}
pre {{ background: color-mix(in srgb, var(--fore) 6%, transparent); padding: .5rem .75rem; overflow-x: auto;
  font-size: 13px; white-space: pre-wrap; overflow-wrap: anywhere; }}
code {{ overflow-wrap: anywhere; }} .faint, footer {{ color: var(--faint); }} footer {{ margin-top: 3rem; font-size: 13px; }}
.bar {{ display: flex; height: .6rem; margin: .75rem 0; overflow: hidden; border-radius: .3rem; }}
.bar span {{ background: currentColor; }}
svg {{ width: 100%; height: auto; }} svg text {{ font-size: 10px; fill: var(--fore); }} svg .grid {{ stroke: var(--line); }}
svg .axis {{ fill: var(--faint); }} details {{ margin: .5rem 0; }} summary {{ cursor: pointer; }}
{classes}@media print {{ details > * {{ display: block; }} body {{ max-width: none; margin: 0; }} h2 {{ break-after: avoid; }} }}
"""  # noqa: E501


def _section(title: str, content: str) -> str:
    return f"<section>\n<h2>{_text(title)}</h2>\n{content}\n</section>"


def _head(report: Report) -> str:
    total = sum(report.counts.values())
    shown = ", ".join(f"{count:,} {group.value}" for group, count in report.counts.items())
    result = report.result or "running"
    kind = (
        StatusGroup.DONE if result == "finished" else StatusGroup.RUNNING if not report.result else StatusGroup.FAILED
    )
    shares = "".join(
        f'<span class="{group.value}" style="flex: {count}" title="{count:,} {group.value}"></span>'
        for group, count in report.counts.items()
    )
    return (
        f'<header>\n<h1>{_text(report.name)} <span class="{kind.value}">{_text(result)}</span></h1>\n'
        f"<p>{_text(report.description)}</p>\n"
        f'<div class="bar">{shares}</div>\n'
        f"<p>{total:,} instances: {_text(shown)}. Began {_text(_clock(report.began))}, "
        f"{'took' if report.result else 'for'} {_text(span_words(report.took))}.</p>\n"
        f'<p class="faint"><code>{_text(report.directory)}</code>, from <code>{_text(report.spec)}</code></p>\n'
        "</header>"
    )


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]], numbers: int) -> str:
    """Return a table; the cells are HTML, the last `numbers` columns are figures."""
    first = len(heads) - numbers

    def row(kind: str, cells: Sequence[str]) -> str:
        written = (
            f'<{kind} class="number">{cell}</{kind}>' if place >= first else f"<{kind}>{cell}</{kind}>"
            for place, cell in enumerate(cells)
        )
        return f"<tr>{''.join(written)}</tr>"

    body = "\n".join(row("td", cells) for cells in rows)
    return f"<table>\n<thead>{row('th', [_text(head) for head in heads])}</thead>\n<tbody>\n{body}\n</tbody>\n</table>"


def _steps(steps: Sequence[StepLine]) -> str:
    heads = ("Step", "Outcome", "Run time", "Waited in the queue", "Retries", "Instances")
    rows = (
        (
            _text(step.name),
            ", ".join(
                f'<span class="{group.value}">{count:,} {group.value}</span>' for group, count in step.counts.items()
            ),
            _spread(step.ran),
            _spread(step.queued),
            f"{step.again:,}" if step.again else "",
            f"{step.instances:,}",
        )
        for step in steps
    )
    return _table(heads, rows, 4)


def _spread(spread: Spread | None) -> str:
    if spread is None:
        return ""
    least, middle, most = (_text(span_words(value)) for value in (spread.least, spread.middle, spread.most))
    return middle if least == most else f'{middle} <span class="faint">({least} to {most})</span>'


def _failures(report: Report) -> str:
    parts = [_failure(failure) for failure in report.failures]
    if report.more_failures:
        parts.append(f"<p>and {report.more_failures:,} more kinds of failures</p>")
    if report.blocked:
        parts.append(f'<p class="blocked">{report.blocked:,} further instances were blocked by these.</p>')
    return "\n".join(parts)


def _failure(failure: Failure) -> str:
    named = ", ".join(_text(name) for name in failure.names)
    more = f" and {failure.count - len(failure.names):,} more" if failure.count > len(failure.names) else ""
    examples = "\n".join(
        f"<p><b>{_text(example.name)}</b> {_text(example.cause)}<br>"
        f'<code class="faint">{_text(example.log)}</code></p>\n'
        + (f"<pre>{chr(10).join(map(_text, example.lines))}</pre>" if example.lines else "")
        for example in failure.examples
    )
    return (
        f'<details open>\n<summary><span class="failed">{_text(failure.status)}</span>: {_text(failure.cause)} '
        f"({failure.count:,})</summary>\n<p>{named}{more}</p>\n{examples}\n</details>"
    )


def _needs(report: Report) -> str:
    if not report.needs:
        return f'<p class="faint">Nothing can be said: {_text(report.no_needs)}.</p>'
    rows = (
        (
            _text(need.step),
            _text(need.words) or '<span class="faint">fits</span>',
            _share(need.cores),
            _share(need.memory),
            _share(need.time),
            f"{need.jobs:,}",
        )
        for need in report.needs
    )
    note = '<p class="faint">Cores: busy on average. Memory and walltime: the most that a job used of what it had.</p>'
    return _table(("Step", "", "Cores", "Memory", "Walltime", "Jobs"), rows, 4) + note


def _share(share: float | None) -> str:
    if share is None:
        return '<span class="faint">?</span>'
    kind = "failed" if share > 0.95 else "blocked" if share < _LOW else "done"
    return f'<span class="{kind}">{share:.0%}</span>'


def needs_words(need: Need) -> str:
    """Return the shares of a step in a line."""
    shares = (("cores", need.cores), ("memory", need.memory), ("walltime", need.time))
    return ", ".join(f"{name} {share:.0%}" for name, share in shares if share is not None)


# --- the timeline


def _timeline(report: Report) -> str:
    bars = report.bars
    if not bars:
        return '<p class="faint">Nothing has begun yet.</p>'
    start = min(bar.queued or bar.started for bar in bars)
    end = max(bar.ended for bar in bars)
    scale = (_WIDTH - _LEFT) / max(1.0, end - start)
    height = len(bars) * _ROW + 24
    ticks = axis(start, end, 110)
    parts = [f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="When each instance waited and ran">']
    for column, label in ticks.ticks:
        x = _LEFT + (_WIDTH - _LEFT) * column / ticks.width
        parts.append(f'<line class="grid" x1="{x:.1f}" y1="16" x2="{x:.1f}" y2="{height}"></line>')
        parts.append(f'<text class="axis" x="{x:.1f}" y="10">{_text(label)}</text>')
    parts += [_bar(bar, number, start, scale) for number, bar in enumerate(bars)]
    parts.append("</svg>")
    if report.all_bars > len(bars):
        note = f"{len(bars):,} of {report.all_bars:,} attempts: every so many-th, and those that failed."
        parts.append(f'<p class="faint">{note}</p>')
    return "\n".join(parts)


def _bar(bar: Bar, number: int, start: float, scale: float) -> str:
    y = 20 + number * _ROW

    def rect(kind: str, begin: float, end: float, opacity: str) -> str:
        x, width = _LEFT + (begin - start) * scale, max(1.0, (end - begin) * scale)
        return (
            f'<rect class="{kind}" x="{x:.1f}" y="{y}" width="{width:.1f}" height="{_ROW - 4}"'
            f' rx="2" opacity="{opacity}"></rect>'
        )

    words = bar.name
    parts: list[str] = []
    if bar.queued:
        waited = (bar.started or bar.ended) - bar.queued
        words += f", waited {span_words(waited)}"
        parts.append(rect(StatusGroup.QUEUED.value, bar.queued, bar.started or bar.ended, "0.45"))
    if bar.started:
        words += f", ran {span_words(bar.ended - bar.started)}"
        parts.append(rect(bar.group.value, bar.started, bar.ended, "1"))
    name = bar.name if len(bar.name) <= 38 else f"{bar.name[:37]}…"
    label = f'<text x="{_LEFT - 8}" y="{y + 9}" text-anchor="end">{_text(name)}</text>'
    return f"<g><title>{_text(words)}</title>{label}{''.join(parts)}</g>"


def _clock(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))
