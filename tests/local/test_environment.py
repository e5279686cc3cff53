"""What the user's environment does to mtui and to local steps."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests import mtui

STEP = "- name: a\n  description: d\n  run:\n    cmd: |\n"
UNSET = ("LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "PYTHONUTF8", "PYTHONCOERCECLOCALE", "PYTHONIOENCODING")
PLAIN = {name: text for name, text in os.environ.items() if name not in UNSET}


def test_exported_functions_reach_local_steps(tmp_path: Path) -> None:
    spec = mtui.write_study(tmp_path / "s.yaml", f"{STEP}      module x\n      env | grep -i mtui_dropped || true\n")
    env = {**os.environ, "BASH_FUNC_module%%": "() {  echo loaded $1\n}"}
    done = mtui.run("--no-ui", "-o", tmp_path / "out", spec, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "out/a/a.out").read_text() == "loaded x\n"


# --- locales

SPEC = """\
description: {name: größe, description: "日本 ü"}
env: {variables: {NAME: "é ü"}}
study:
- name: größe
  description: ü
  run: {cmd: "echo 'ü日本 $(NAME)' $(I)\\nexit $(CODE)"}
- name: last
  description: ü
  run: {cmd: "echo last", depends: [größe_*]}
"""
GENERATOR = """\
from maestrowf.datastructures.core import ParameterGenerator


def get_custom_generator(env, **kwargs):
    made = ParameterGenerator()
    made.add_parameter("I", ["é", "日"], "I.%%")
    made.add_parameter("CODE", [0, int(kwargs["LAST"])], "C.%%")
    return made
"""
LOCALES = {
    "C": {"LC_ALL": "C"},
    "POSIX": {"LANG": "POSIX"},
    "ASCII": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "ISO-8859-1": {"LC_ALL": "en_US.ISO-8859-1"},
    "ASCII output": {"PYTHONIOENCODING": "ascii"},
    "none": {},
}


@pytest.fixture(params=LOCALES)
def env(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment with a locale."""
    locale = LOCALES[request.param]
    folder = tmp_path / "locales"
    if "ISO" in locale.get("LC_ALL", ""):
        if not shutil.which("localedef") or not Path("/usr/share/i18n/locales/en_US").exists():
            pytest.skip("no locale can be made here")
        folder.mkdir()
        subprocess.run(["localedef", "-i", "en_US", "-f", "ISO-8859-1", folder / "en_US.ISO-8859-1"], check=True)
    yield {**PLAIN, **locale, "LOCPATH": str(folder), "XDG_STATE_HOME": str(tmp_path / "state")}


def test_every_command_works_in_every_locale(env: dict[str, str], tmp_path: Path) -> None:
    folder = tmp_path / "größe 日"
    folder.mkdir()
    (folder / "s.yaml").write_text(SPEC)
    (folder / "gen é.py").write_text(GENERATOR)
    out = folder / "out ü"
    new = ("--pgen", folder / "gen é.py", "--pargs", "LAST:3", "--hashws", "-o", out, folder / "s.yaml")

    def run(*words: str | Path, code: int = 0) -> str:
        done = subprocess.run([*mtui.COMMAND, *map(str, words)], env=env, capture_output=True, timeout=120, check=False)
        assert b"bug in mtui" not in done.stderr
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout.decode("latin-1")

    run("plan", *new)
    planned = json.loads(run("plan", "--json", *new))
    assert "größe" in json.dumps(planned, ensure_ascii=False)
    run("--no-ui", *new, code=2)
    names = {item["name"]: item["status"] for item in json.loads(run("status", "--json", out))["instances"]}
    assert sorted(names.values()) == ["blocked", "failed", "finished"]
    failed = next(name for name, status in names.items() if status == "failed")
    for words in (("status", out), ("why", out, failed), ("log", out, failed), ("studies",), ("doctor", out)):
        run(*words)
    run("report", out, "-o", folder / "r é.html")
    run("retry", out, failed)
    run("--no-ui", out, code=2)
    logs = {path.read_text() for path in out.glob("gr*/*/*.out")}
    assert logs == {"ü日本 é ü é\n", "ü日本 é ü 日\n"}
    assert (folder / "r é.html").read_text().count("größe")


def test_messages_are_in_the_encoding_of_the_locale(env: dict[str, str], tmp_path: Path) -> None:
    spec = mtui.write_study(tmp_path / "s.yaml", f"{STEP}      echo\n    depends: [grö]\n")
    done = subprocess.run([*mtui.COMMAND, "plan", spec], env=env, cwd=tmp_path, capture_output=True, check=False)
    expected = {"en_US.ISO-8859-1": b"gr\xf6"}.get(env.get("LC_ALL", ""), "grö".encode())
    assert (b"gr\\xf6" if "PYTHONIOENCODING" in env else expected) in done.stderr + done.stdout


def test_scripts_get_no_locale_that_python_sets(tmp_path: Path) -> None:
    cmd = "      tr '\\0' '\\n' </proc/$PPID/environ | grep -c ^LC_ || true\n"
    spec = mtui.write_study(tmp_path / "s.yaml", f"{STEP}{cmd}")
    done = mtui.run("--no-ui", "-o", tmp_path / "out", spec, env=PLAIN)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "out/a/a.out").read_text() == "0\n"


# --- PYTHONPATH

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "start", [("-m", "mtui.tui"), (str(Path(sys.executable).with_name("mtui")),)], ids=["m", "script"]
)
def test_modules_on_pythonpath_replace_none_of_mtuis(tmp_path: Path, start: tuple[str, ...]) -> None:
    for name in ("random", "json", "queue", "yaml", "textual", "rich"):
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('broken')\n")
    spec = mtui.write_study(tmp_path / "s.yaml", f"{STEP}      echo $PYTHONPATH\n")
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, *start, "--no-ui", "-o", tmp_path / "out", spec]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "out/a/a.out").read_text() == f"{tmp_path}\n"


def test_broken_package_that_only_pythonpath_has_is_not_called_a_bug(tmp_path: Path) -> None:
    (tmp_path / "yaml.py").write_text("raise RuntimeError('for another Python')\n")
    spec = mtui.write_study(tmp_path / "s.yaml", f"{STEP}      echo\n")
    site = Path(yaml.__file__).parents[1]
    env = {**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT}:{site}"}
    command = [sys.executable, "-S", "-m", "mtui.tui", "plan", spec]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120, check=False)
    message, hint = done.stderr.splitlines()
    problem = f"{tmp_path}/yaml.py: RuntimeError: for another Python"
    assert message == f"mtui: PYTHONPATH adds a module that cannot be used: {problem}"
    assert hint == "  hint: env -u PYTHONPATH mtui ... starts mtui without it"
    assert done.returncode == 1
