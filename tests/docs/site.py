"""Builds the site of the documents: python -m tests.docs.site [--serve] [FOLDER]

The folder, build/docs if none is named, gets the site in `site`. Every broken link or anchor fails the build.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.docs.markdown import ROOT, documents, links, read


def collect(folder: Path) -> None:
    """Copy the documents and the files that they link to into `folder`/pages, and mkdocs.yml beside it."""
    pages = folder / "pages"
    shutil.rmtree(pages, ignore_errors=True)
    linked = {_resolved(path, link) for path in documents() for link in links(path) if not link.startswith("https:")}
    for path in sorted({*documents(), *linked}):
        if (ROOT / path).is_file():
            (pages / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / path, pages / path)
    shutil.copy(ROOT / "mkdocs.yml", folder)


def _resolved(path: str, link: str) -> str:
    """The path from the top of the repository to which a link of a document leads."""
    return str(((ROOT / path).parent / link.partition("#")[0]).resolve().relative_to(ROOT))


def run(verb: str, folder: Path, *options: str, capture: bool = False) -> subprocess.CompletedProcess[str]:
    """`zensical VERB` for what `collect` has put into the folder."""
    command = [sys.executable, "-m", "zensical", verb, "--config-file", str(folder / "mkdocs.yml"), *options]
    return subprocess.run(command, capture_output=capture, text=True, check=False)


def menu() -> list[str]:
    """The pages that the menu of the site names."""
    return re.findall(r"([\w./-]+\.md)$", read("mkdocs.yml"), re.MULTILINE)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.docs.site", description="Builds the site of the documents.")
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "build" / "docs", metavar="FOLDER")
    parser.add_argument("--serve", action="store_true", help="serve it on this machine instead, to look at")
    arguments = parser.parse_args()
    folder: Path = arguments.folder
    folder.mkdir(parents=True, exist_ok=True)
    collect(folder)
    return (run("serve", folder) if arguments.serve else run("build", folder, "--clean", "--strict")).returncode


if __name__ == "__main__":
    sys.exit(main())
