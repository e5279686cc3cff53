"""A package imports from packages below it only, and heavy things are imported where they are used."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# What each package may import from besides itself and the version in `mtui`, which every one may.
FLOORS = {
    "mtui": (),
    "core": (),
    "core.errors": (),
    "core.claims": (),
    "core.durable_files": (),
    "core.debug_log": (),
    "core.file_reading": (),
    "core.isolated": (),
    "core.packing": ("core.errors",),
    "core.pack": ("core.packing",),
    "core.spec": ("core.errors",),
    "core.plan": ("core.errors", "core.packing", "core.spec"),
    "core.sites": ("core.errors", "core.spec", "core.plan"),
    "core.engine": ("core.errors", "core.packing", "core.spec", "core.plan"),
    "core.store": ("core.errors", "core.packing", "core.spec", "core.plan", "core.engine"),
    "core.backends": ("core.errors", "core.spec", "core.plan", "core.engine"),
    "core.study_creation": ("core.errors", "core.spec", "core.plan", "core.sites", "core.engine", "core.store"),
    "core.maestro": ("core.errors", "core.spec", "core.plan", "core.study_creation", "core.store", "core.engine"),
    "core.doctor": (
        *("core.errors", "core.spec", "core.plan", "core.sites", "core.engine", "core.store"),
        *("core.backends", "core.study_creation"),
    ),
    "core.driver": (
        "core.errors",
        "core.packing",
        "core.spec",
        "core.plan",
        "core.engine",
        "core.store",
        "core.backends",
    ),
}
INTERFACE = {
    "tui": ("tui.cli",),
    "tui.views": (),
    "tui.report": ("tui.views",),
    "tui.app": ("tui.views",),
    "tui.cli": ("tui.views", "tui.report", "tui.app"),
}
# Modules that import nothing of ours but each other, and that every package may import.
LEAVES = ("core.claims", "core.debug_log", "core.durable_files", "core.file_reading", "core.isolated")
ALLOWED = {name: {"core", "mtui", *LEAVES, *below} for name, below in FLOORS.items()}
ALLOWED |= {name: {*FLOORS, "tui", *below} for name, below in INTERFACE.items()}
PURE = ("core.spec", "core.plan", "core.engine")
IMPURE = {"time", "subprocess", "threading", "socket", "shutil", "random", "secrets", "asyncio", "tempfile"}
RUNS_GENERATORS = ("pgen.py", "pgen_child.py")  # the one thing that a pure package does
NO_TEXTUAL = ("tui/views", "tui/report")  # what is shown is worked out without the app
SCREEN = {"tui", "textual", "rich", "curses"}
HEAVY = ("textual", "rich", "networkx", "watchfiles", "yaml", "asyncio")


def _files() -> list[Path]:
    return sorted(path for top in ("core", "tui") for path in (ROOT / top).rglob("*.py"))


def _module(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _package_of(module: str) -> str:
    """The package of a module: the longest name in the list that it begins with."""
    parts = module.split(".")
    for length in range(len(parts), 0, -1):
        if (name := ".".join(parts[:length])) in ALLOWED:
            return name
    raise LookupError(f"{module} is in no package of the list")


@cache
def _imports(path: Path) -> list[tuple[int, str]]:
    """Line and name of every import in a file; our own modules as `core.spec.study_spec`, also in functions."""
    return list(_find_imports(path))


def _find_imports(path: Path) -> Iterator[tuple[int, str]]:
    module = _module(path)
    package = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name.removeprefix("mtui.")) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            source = ".".join([*base, *(node.module or "").split(".")]).strip(".").removeprefix("mtui.")
            submodules = {
                found.stem for found in (ROOT / source.replace(".", "/")).glob("*") if found.suffix in ("", ".py")
            }
            for alias in node.names:  # `from ..store import lease` means the module core.store.lease
                yield node.lineno, f"{source}.{alias.name}" if alias.name in submodules else source


def _is_ours(name: str) -> bool:
    return name.split(".")[0] in ("core", "tui", "mtui")


@pytest.mark.parametrize("path", _files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_down_only(path: Path) -> None:
    package = _package_of(_module(path))
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for line, name in _imports(path)
        if _is_ours(name) and _package_of(name) != package and _package_of(name) not in ALLOWED[package]
    ]
    assert wrong == []


def test_every_import_that_is_ours_exists() -> None:
    """So that the rule above is not passed over by a name that it cannot read."""
    modules = {_module(path) for path in _files()}
    assert {name for path in _files() for _, name in _imports(path) if _is_ours(name)} <= modules | {"core", "mtui"}


def test_the_rule_sees_imports_of_every_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "core" / "store").mkdir(parents=True)
    (tmp_path / "core" / "spec").mkdir()
    for name in ("study_directory", "lease"):
        (tmp_path / "core" / "store" / f"{name}.py").touch()
    file = tmp_path / "core" / "spec" / "x.py"
    file.write_text(
        "import mtui.core.store.study_directory\nfrom ..store import lease\nfrom ..store.lease import hold\n"
        "from mtui.core.store import study_directory, thing\nfrom .study_spec import Step\nfrom .. import store\n"
        "def f():\n    from ...tui import app\n    import textual.app\n"
    )
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    assert _imports(file) == [
        (1, "core.store.study_directory"),
        (2, "core.store.lease"),
        (3, "core.store.lease"),
        (4, "core.store.study_directory"),
        (4, "core.store"),
        (5, "core.spec.study_spec"),
        (6, "core.store"),
        (8, "tui"),
        (9, "textual.app"),
    ]


PURE_FILES = [path for path in _files() if _package_of(_module(path)) in PURE and path.name not in RUNS_GENERATORS]


@pytest.mark.parametrize("path", PURE_FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_pure_packages_look_at_no_clock_process_or_environment(path: Path) -> None:
    names = {name.split(".")[0] for _, name in _imports(path)}
    assert names & IMPURE == set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    attributes = {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert {text for text in attributes if text.startswith("os.") and not text.startswith("os.path")} == set()


def test_core_knows_nothing_of_the_screen() -> None:
    names = {(path.name, name.split(".")[0]) for path in (ROOT / "core").rglob("*.py") for _, name in _imports(path)}
    assert {(file, name) for file, name in names if name in SCREEN} == set()


def test_only_the_app_knows_of_textual() -> None:
    files = [path for name in NO_TEXTUAL for path in (ROOT / name).rglob("*.py")]
    found = {(path.name, name.split(".")[0]) for path in files for _, name in _imports(path)}
    assert {(file, name) for file, name in found if name in ("textual", "rich")} == set()
    others = [path for path in _files() if "app" not in path.relative_to(ROOT).parts]
    assert [path for path in others for _, name in _imports(path) if name.split(".")[0] == "textual"] == []


def test_command_line_knows_of_the_app_only_how_it_is_run() -> None:
    names = {name for path in (ROOT / "tui" / "cli").rglob("*.py") for _, name in _imports(path)}
    assert {name for name in names if name.startswith("tui.app")} == {"tui.app.run"}


SPEC = "description: {name: t, description: d}\nstudy:\n- {name: a, description: d, run: {cmd: 'true'}}\n"


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the spec study.yaml, and the directory of that study in `out`."""
    folder = tmp_path_factory.mktemp("packages")
    (folder / "study.yaml").write_text(SPEC)
    command = [sys.executable, "-m", "mtui.tui", "run", "--dry", "-o", "out", "study.yaml"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return folder


@pytest.mark.parametrize(
    ("words", "not_loaded"),
    [
        (["--help"], HEAVY),
        (["--version"], HEAVY),
        (["plan", "--help"], HEAVY),
        (["plan", "study.yaml"], ("textual", "rich", "watchfiles")),
        (["plan", "--json", "study.yaml"], ("textual", "rich", "watchfiles")),
        (["status", "out"], ("textual", "rich", "networkx", "watchfiles")),
        (["status", "--json", "out"], ("textual", "rich", "networkx", "watchfiles")),
    ],
    ids=lambda words: " ".join(words) if isinstance(words, list) else "",
)
def test_what_a_verb_does_not_need_is_not_imported(study: Path, words: list[str], not_loaded: tuple[str, ...]) -> None:
    code = (
        "import sys\n"
        "from mtui.tui.cli.main import main\n"
        "try:\n    code = main(sys.argv[1:])\n"
        "except SystemExit as end:\n    code = end.code or 0\n"
        "print(*sys.modules, file=sys.stderr)\n"
        "raise SystemExit(code)\n"
    )
    command = [sys.executable, "-c", code, *words]
    done = subprocess.run(command, cwd=study, capture_output=True, text=True, check=True)
    assert done.stdout
    loaded = {name.split(".")[0] for name in done.stderr.split()}
    assert "mtui" in loaded
    assert loaded & set(not_loaded) == set()
