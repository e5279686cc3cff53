"""Every link in the documents leads somewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.markdown import ROOT, documents, headings, links


@pytest.mark.parametrize("path", documents())
def test_links_lead_somewhere(path: str) -> None:
    for link in links(path):
        if link.startswith("https://"):
            continue
        file, _, anchor = link.partition("#")
        target = (ROOT / path).parent / file if file else ROOT / path
        assert target.exists(), f"{path}: {link}"
        if anchor:
            assert anchor in headings(str(target.resolve().relative_to(ROOT))), f"{path}: {link}"


def test_every_document_is_reached_from_the_readme() -> None:
    reached: set[str] = set()
    waiting = ["README.md"]
    while waiting:
        path = waiting.pop()
        if path in reached:
            continue
        reached.add(path)
        for link in links(path):
            target = ((ROOT / path).parent / link.partition("#")[0]).resolve()
            if target.suffix == ".md" and target.is_relative_to(ROOT):
                waiting.append(str(target.relative_to(ROOT)))
    assert set(documents()) - reached == set()


def test_anchors_are_as_github_makes_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.docs.markdown.ROOT", tmp_path)
    (tmp_path / "a.md").write_text("# The block `mtui`\n\n## What, then?\n\n## What, then?\n")
    assert headings("a.md") == {"the-block-mtui", "what-then", "what-then-1"}
