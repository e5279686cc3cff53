"""The app's themes and the colours of the states.

The state colours of the two colour themes can be distinguished with every common form of colour blindness (they follow
the palette of Okabe and Ito); the mono theme relies on glyphs and words.
"""

from __future__ import annotations

from textual.theme import Theme

from ..views.appearance import StatusGroup

DARK, LIGHT, MONO = "mtui-dark", "mtui-light", "mtui-mono"


def _states(
    running: str, queued: str, waiting: str, done: str, failed: str, cancelled: str, blocked: str
) -> dict[str, str]:
    colours = (running, queued, waiting, done, failed, cancelled, blocked)
    return {f"state-{group.value}": colour for group, colour in zip(StatusGroup, colours, strict=True)}


_DARK_STATES = _states("#56b4e9", "#f0e442", "#8b949e", "#2fbf8f", "#ff6a3d", "#cc79a7", "#b08968")
_LIGHT_STATES = _states("#0065a3", "#806600", "#6e7781", "#00714d", "#b83a00", "#93386f", "#7a5230")
_MONO_STATES = _states(*["#e0e0e0"] * 7)

THEMES = (
    Theme(
        name=DARK,
        primary="#56b4e9",
        secondary="#8b949e",
        accent="#e69f00",
        warning="#f0e442",
        error="#ff6a3d",
        success="#2fbf8f",
        foreground="#d7dde4",
        background="#0f141a",
        surface="#151b23",
        panel="#1d2530",
        dark=True,
        variables={
            **_DARK_STATES,
            "faint": "#8b98a5",
            "mark": "#5a4310",
            "block-cursor-background": "#2b5d8a",
            "block-cursor-foreground": "#ffffff",
            "block-cursor-blurred-background": "#24303d",
            "border": "#56b4e9",
            "border-blurred": "#303a46",
            "footer-key-foreground": "#e69f00",
        },
    ),
    Theme(
        name=LIGHT,
        primary="#0065a3",
        secondary="#57606a",
        accent="#9a5b00",
        warning="#806600",
        error="#b83a00",
        success="#00714d",
        foreground="#1c2128",
        background="#ffffff",
        surface="#ffffff",
        panel="#eef1f4",
        dark=False,
        variables={
            **_LIGHT_STATES,
            "faint": "#5d6873",
            "mark": "#ffe2ad",
            "block-cursor-background": "#bfe0f7",
            "block-cursor-foreground": "#000000",
            "block-cursor-blurred-background": "#e4e9ee",
            "border": "#0065a3",
            "border-blurred": "#c5cdd5",
            "footer-key-foreground": "#9a5b00",
        },
    ),
    Theme(
        name=MONO,
        primary="#e0e0e0",
        secondary="#b0b0b0",
        accent="#ffffff",
        warning="#ffffff",
        error="#ffffff",
        success="#e0e0e0",
        foreground="#e0e0e0",
        background="#000000",
        surface="#000000",
        panel="#202020",
        dark=True,
        variables={
            **_MONO_STATES,
            "faint": "#9a9a9a",
            "mark": "#505050",
            "block-cursor-background": "#e0e0e0",
            "block-cursor-foreground": "#000000",
            "block-cursor-blurred-background": "#404040",
            "border": "#ffffff",
            "border-blurred": "#606060",
            "footer-key-foreground": "#ffffff",
        },
    ),
)


def variable_defaults(dark: bool) -> dict[str, str]:
    """Return mtui's variables for a theme that does not define them."""
    theme = next(theme for theme in THEMES if theme.dark == dark)
    return {name: theme.variables[name] for name in (*_DARK_STATES, "faint", "mark")}
