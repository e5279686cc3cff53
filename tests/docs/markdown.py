"""Reads what the documents hold: tables, code blocks, headings, links."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
_FENCE = re.compile(r"^```(\w*)\s*$")


def documents() -> list[str]:
    """The Markdown files of the repository, as paths from its top."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    return sorted(path for path in listed if (ROOT / path).exists())


def read(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def cells(line: str) -> list[str]:
    """The cells of a table's line; `\\|` is no border."""
    return [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line.strip())[1:-1]]


def tables(path: str) -> list[list[list[str]]]:
    """Each table as its rows of cells, the head first, without the line below it."""
    found: list[list[list[str]]] = []
    before = ""
    for line in read(path).splitlines():
        if line.startswith("|"):
            if not before.startswith("|"):
                found.append([])
            found[-1].append(cells(line))
        before = line
    return [[rows[0], *rows[2:]] for rows in found]


@dataclass(frozen=True, slots=True)
class Block:
    """A block of code: its language as the fence says it (empty for an indented one), and where it begins."""

    language: str
    text: str
    line: int


def blocks(path: str) -> Iterator[Block]:
    """The blocks of code of a document, fenced or indented by four blanks after an empty line."""
    lines = read(path).splitlines()
    at = 0
    while at < len(lines):
        fence = _FENCE.match(lines[at])
        if fence:
            end = lines.index("```", at + 1)
            yield Block(fence.group(1), "\n".join(lines[at + 1 : end]), at + 2)
            at = end + 1
        elif lines[at].startswith("    ") and (at == 0 or not lines[at - 1].strip()):
            end = at
            while end < len(lines) and (lines[end].startswith("    ") or not lines[end].strip()):
                end += 1
            yield Block("", "\n".join(line[4:] for line in lines[at:end]).rstrip(), at + 1)
            at = end
        else:
            at += 1


def headings(path: str) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    found: set[str] = set()
    for line in read(path).splitlines():
        if match := re.match(r"#{1,6} (.+)", line):
            slug = re.sub(r"[^\w\- ]", "", match.group(1).strip().lower()).replace(" ", "-")
            number = 0
            while (name := f"{slug}-{number}" if number else slug) in found:
                number += 1
            found.add(name)
    return found


def links(path: str) -> list[str]:
    """The targets of a document's links and pictures, outside of code."""
    text = re.sub(r"(?ms)^```.*?^```|`[^`\n]*`", "", read(path))
    return re.findall(r"\]\(([^)\s]+)\)", text)
