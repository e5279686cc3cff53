"""The documents as a site: every link and anchor leads somewhere, and every page is in the menu."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs import site
from tests.docs.markdown import documents, tables


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which the site has been built, strictly."""
    folder = tmp_path_factory.mktemp("site")
    site.collect(folder)
    done = site.run("build", folder, "--strict", capture=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def html(folder: Path, path: str) -> str:
    name = "index.html" if path == "README.md" else f"{path.removesuffix('.md')}.html"
    # A README of a folder is its index.
    name = name.replace("sample_specs/README.html", "sample_specs/index.html")
    return (folder / "site" / name).read_text(encoding="utf-8")


def test_every_document_is_in_the_menu() -> None:
    assert sorted(site.menu()) == sorted(documents())


def test_every_document_becomes_a_page_with_all_its_tables(folder: Path) -> None:
    for path in documents():
        assert html(folder, path).count("<table") == len(tables(path)), path


def test_pages_load_nothing_from_other_hosts(folder: Path) -> None:
    for path in documents():
        text = html(folder, path)
        assert 'src="http' not in text, path
        assert not [line for line in text.split("<link") if line.startswith(' rel="stylesheet" href="http')], path


@pytest.mark.parametrize("link", ["nothing.md", "guide.md#nothing", "#nothing"])
def test_a_broken_link_fails_the_build(link: str, tmp_path: Path) -> None:
    site.collect(tmp_path)
    with (tmp_path / "pages" / "docs" / "states.md").open("a") as page:
        page.write(f"\n[broken]({link})\n")
    assert site.run("build", tmp_path, "--strict", capture=True).returncode != 0
