"""Frames as an SVG picture that moves: styles of CSS alone, no script, nothing from outside of the file.

All frames stand side by side, and an animation shows one after the other. Rows that are equal are drawn once.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from tests.recording.frames import BACKGROUND, FOREGROUND, Frame, Row, Run, Style

WIDTH, HEIGHT = 8.4, 17  # of a cell
_BASE = 13  # from the top of a cell to the base line
_FONT = 14
_MARGIN = 10
_FAMILY = '"Fira Code","DejaVu Sans Mono",Menlo,Consolas,monospace'


class Picture:
    """An SVG of frames; each is shown from its time on, the last one until `seconds`, then all again."""

    def __init__(self, frames: Sequence[tuple[float, Frame]], seconds: float, size: tuple[int, int]) -> None:
        self._frames = frames
        self._seconds = seconds
        self._size = size
        self._rows: dict[Row, str] = {}
        self._styles: dict[str, str] = {}

    def moving(self, poster: float) -> str:
        """The picture that moves. Readers who prefer no motion see the frame of the time `poster`."""
        columns, _ = self._size
        step = columns * WIDTH
        drawn = [self._frame(frame, number * step) for number, (_, frame) in enumerate(self._frames)]
        shown = max(number for number, (at, _) in enumerate(self._frames) if at <= poster)
        keys = [
            f"{100 * at / self._seconds:.3f}%{{transform:translateX({-number * step:.1f}px)}}"
            for number, (at, _) in enumerate(self._frames)
        ]
        still = f"#film{{animation:none;transform:translateX({-shown * step:.1f}px)}}"
        motion = (
            f"@keyframes play{{{''.join(keys)}}}#film{{animation:play {self._seconds:g}s step-end infinite}}"
            f"@media(prefers-reduced-motion:reduce){{{still}}}"
        )
        return self._svg("".join(drawn), motion)

    def still(self, at: float) -> str:
        """The frame of a time, as a picture that does not move."""
        return self._svg(self._frame(max((f for f in self._frames if f[0] <= at), key=lambda f: f[0])[1], 0), "")

    # --- parts

    def _svg(self, film: str, motion: str) -> str:
        columns, rows = self._size
        width, height = columns * WIDTH, rows * HEIGHT
        outer = f"{width + 2 * _MARGIN:g} {height + 2 * _MARGIN:g}"
        drawn = "".join(f'<g id="{name}">{self._row(row)}</g>' for row, name in self._rows.items())
        classes = "".join(f".{name}{{{css}}}" for css, name in self._styles.items())
        style = f"text{{font:{_FONT}px {_FAMILY};white-space:pre;fill:#{FOREGROUND}}}{classes}{motion}"
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {outer}">'
            f"<style>{style}</style><defs>{drawn}</defs>"
            f'<rect width="100%" height="100%" rx="6" fill="#{BACKGROUND}"/>'
            f'<svg x="{_MARGIN}" y="{_MARGIN}" width="{width:g}" height="{height:g}">'
            f'<g id="film">{film}</g></svg></svg>\n'
        )

    def _frame(self, frame: Frame, left: float) -> str:
        uses: list[str] = []
        for y, row in enumerate(frame):
            if row:
                name = self._rows.setdefault(row, f"r{len(self._rows)}")
                uses.append(f'<use href="#{name}" y="{y * HEIGHT}"/>')
        return f'<g transform="translate({left:.1f})">{"".join(uses)}</g>'

    def _row(self, row: Row) -> str:
        return "".join(map(self._background, row)) + "".join(map(self._text, row))

    def _background(self, run: Run) -> str:
        if run.style.background == BACKGROUND:
            return ""
        fill = self._class(f"fill:#{run.style.background}")
        # A little wider, so that no line shows between neighbours.
        x, width = run.column * WIDTH, run.width * WIDTH + 0.3
        return f'<rect x="{x:.1f}" width="{width:.1f}" height="{HEIGHT}" class="{fill}"/>'

    def _text(self, run: Run) -> str:
        text = run.text.rstrip()
        lead = len(text) - len(text.lstrip())
        if not text:
            return ""
        css = self._css(run.style)
        named = f' class="{self._class(css)}"' if css else ""
        width = (run.width - (len(run.text) - len(text)) - lead) * WIDTH
        # The width is given, so that columns stay columns in whatever font the reader has.
        fitted = f' textLength="{width:.1f}"' if len(text) - lead > 1 else ""
        x = (run.column + lead) * WIDTH
        return f'<text x="{x:.1f}" y="{_BASE}"{fitted}{named}>{escape(text[lead:], quote=False)}</text>'

    def _css(self, style: Style) -> str:
        parts = {
            f"fill:#{style.foreground}": style.foreground != FOREGROUND,
            "font-weight:bold": style.bold,
            "font-style:italic": style.italic,
            "text-decoration:underline": style.underlined,
        }
        return ";".join(part for part, holds in parts.items() if holds)

    def _class(self, css: str) -> str:
        return self._styles.setdefault(css, f"s{len(self._styles)}")
