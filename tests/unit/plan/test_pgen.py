"""Parameter generators run in a separate process, and fail with their own error."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from textwrap import dedent

import pytest

from mtui.core.errors import PgenError, UsageError
from mtui.core.plan import ParameterTable
from mtui.core.plan.pgen import parse_pargs, run_pgen
from mtui.core.spec import EnvEntry
from tests.waiting import wait_until

ENV = (EnvEntry("OUTPUT_PATH", "./studies"), EnvEntry("COUNT", 3), EnvEntry("RAW", "$(COUNT)x"))


@pytest.fixture(scope="session")
def bare_python() -> str:
    """A Python that has no Maestro."""
    for name in ("/usr/bin/python3", "/usr/local/bin/python3"):
        python = shutil.which(name)
        command = [name, "-c", "import maestrowf"]
        if python and b"ModuleNotFoundError" in subprocess.run(command, capture_output=True, check=False).stderr:
            return python
    pytest.skip("every Python here has Maestro, or there is none besides ours")


@pytest.fixture(params=["with Maestro", "without Maestro"])
def python(request: pytest.FixtureRequest) -> str:
    return sys.executable if request.param == "with Maestro" else request.getfixturevalue("bare_python")


@pytest.fixture
def run(tmp_path: Path):
    """Runs the text of a generator file."""

    def runner(
        text: str, pargs: Mapping[str, str] | None = None, python: str = sys.executable, deadline: float = 60
    ) -> ParameterTable:
        file = tmp_path / "gen.py"
        file.write_text(dedent(text))
        return run_pgen(
            file, pargs or {}, env=ENV, output_path="/out", spec_root="/specs", python=python, deadline=deadline
        )

    return runner


IMPORT = "from maestrowf.datastructures.core import ParameterGenerator\n"


def test_a_generator_as_in_maestros_documentation(run, python: str) -> None:
    table = run(
        IMPORT
        + """
def get_custom_generator(env, **kwargs):
    p_gen = ParameterGenerator()
    count = env.find("COUNT").value
    p_gen.add_parameter("SIZE", [10 * n for n in range(count)], "SIZE.%%")
    p_gen.add_parameter("NAME", ["a", None, 1.5], name="named")
    p_gen.add_parameter("SEED", list(range(count)), ["one", "two", "three"])
    return p_gen
""",
        python=python,
    )
    assert table.keys == ("SIZE", "NAME", "SEED")
    assert table.names == ("SIZE", "named", "SEED")
    assert table.values == (("0", "10", "20"), ("a", "None", "1.5"), ("0", "1", "2"))
    assert table.labels == (
        ("SIZE.0", "SIZE.10", "SIZE.20"),
        ("NAME.a", "NAME.None", "NAME.1.5"),
        ("one", "two", "three"),
    )
    assert table.apply(1, "$(NAME.name) $(NAME)") == "named None"


def test_a_generator_gets_what_maestro_gives_it(run, python: str) -> None:
    table = run(
        IMPORT
        + """
def get_custom_generator(env, **kwargs):
    found = [kwargs["SEED"], kwargs["OUTPUT_PATH"], kwargs["SPECROOT"].value]
    found += [env.find("OUTPUT_PATH").value, env.find("SPECROOT").value, env.find("RAW").value, env.find("NONE")]
    found += [type(env.find("COUNT").value).__name__, str(kwargs["SPECROOT"])]
    p_gen = ParameterGenerator()
    p_gen.add_parameter("FOUND", found)
    return p_gen
""",
        {"SEED": "42"},
        python,
    )
    assert table.values == (
        ("42", "/out", "/specs", "/out", "/specs", "$(COUNT)x", "None", "int", "$(SPECROOT)"),
    )  # fmt: skip


def test_a_generator_may_use_all_of_maestros_interface(run, python: str) -> None:
    table = run(
        """
from maestrowf.datastructures.core.parameters import Combination, ParameterGenerator
from maestrowf.datastructures.environment import Variable
from maestrowf.datastructures import core
import maestrowf.datastructures.core as again
assert core.ParameterGenerator is ParameterGenerator is again.ParameterGenerator

def get_custom_generator(env, **kwargs):
    p_gen = core.ParameterGenerator(ltoken="@@")
    assert not p_gen
    p_gen.add_parameter("B", range(2), "b@@", "bee")
    p_gen.add_parameter("B", [5, 6], "b@@", "bee")
    p_gen.add_parameter("A", (1, 2))
    assert p_gen and p_gen.length == 2 and list(p_gen.parameters) == ["B", "A"] and p_gen.labels["B"] == "b@@"
    rows = list(p_gen)
    assert isinstance(rows[0], Combination)
    found = [rows[1].get_param_string(["B", "A"]), rows[1].apply("$(A) $(B.label) $(B.name) $(C)"), str(rows[0])]
    found += [dict(rows[1].get_param_values(["A"])), sorted(p_gen.get_metadata())]
    found += [Variable("V", 1).value, p_gen.token, p_gen.label_token]
    try:
        p_gen.add_parameter("C", [1])
    except ValueError:
        found.append("refused")
    result = core.ParameterGenerator()
    result.add_parameter("FOUND", found)
    return result
""",
        python=python,
    )
    assert table.values[0] == (
        "A.2.b6", "2 b6 bee $(C)", "b5.A.1", "{'A': 2}", "['b5.A.1', 'b6.A.2']", "1", "$", "@@", "refused"
    )  # fmt: skip


def test_what_it_prints_is_no_answer(run, capfd: pytest.CaptureFixture[str]) -> None:
    table = run(
        IMPORT
        + """
import os, sys
print('{"parameters": []}')
os.write(1, b"raw\\n")
os.system("echo from a shell")

def get_custom_generator(env, **kwargs):
    print("x" * 200_000)
    print("to stderr", file=sys.stderr)
    p_gen = ParameterGenerator()
    p_gen.add_parameter("P", [1])
    return p_gen
"""
    )
    assert table.values == (("1",),)
    assert capfd.readouterr().out == ""


def test_the_file_may_name_its_encoding(tmp_path: Path) -> None:
    file = tmp_path / "gen.py"
    text = (
        "# -*- coding: latin-1 -*-\n"
        + IMPORT
        + """
def get_custom_generator(env, **kwargs):
    p_gen = ParameterGenerator()
    p_gen.add_parameter("P", ["größe"])
    return p_gen
"""
    )
    file.write_bytes(text.encode("latin-1"))
    table = run_pgen(file, {}, env=ENV, output_path="/out", spec_root="/specs", python=sys.executable)
    assert table.values == (("größe",),)


def test_values_need_only_a_length_and_an_index(run) -> None:
    table = run(
        IMPORT
        + """
class Values:
    def __len__(self):
        return 2
    def __getitem__(self, index):
        return f"v{index}"

def get_custom_generator(env, **kwargs):
    p_gen = ParameterGenerator()
    p_gen.add_parameter("P", Values())
    return p_gen
"""
    )
    assert table.values == (("v0", "v1"),)


def test_dataclasses_and_pickles_find_the_generators_module(run) -> None:
    table = run(
        IMPORT
        + """
import dataclasses, pickle

@dataclasses.dataclass
class Point:
    x: int

def get_custom_generator(env, **kwargs):
    p_gen = ParameterGenerator()
    p_gen.add_parameter("P", [pickle.loads(pickle.dumps(Point(1))).x])
    return p_gen
"""
    )
    assert table.values == (("1",),)


# --- failures


def failure(run, text: str, **options) -> list[str]:
    with pytest.raises(PgenError) as caught:
        run(text, **options)
    return caught.value.message.split("\n")


def test_an_error_shows_the_users_own_lines_only(run, python: str, tmp_path: Path) -> None:
    text = """\
import os

def helper():
    return 1 / 0

def get_custom_generator(env, **kwargs):
    return helper()
"""
    assert failure(run, text, python=python) == [
        f"the parameter generator {tmp_path}/gen.py failed:",
        f"  {tmp_path}/gen.py:7: in get_custom_generator",
        "      return helper()",
        f"  {tmp_path}/gen.py:4: in helper",
        "      return 1 / 0",
        "  ZeroDivisionError: division by zero",
    ]


WRONG_LABELS = """
def get_custom_generator(env, **kwargs):
    p = ParameterGenerator()
    p.add_parameter("P", [1, 2], ["a"])
    return p
"""
WRONG_LENGTHS = """
class Own:
    parameters, labels, names = {"A": [1], "B": [1, 2]}, {"A": "a", "B": "b"}, {"A": "A", "B": "B"}

def get_custom_generator(env, **kwargs):
    return Own()
"""


@pytest.mark.parametrize(
    ("text", "last"),
    [
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("x = (", "SyntaxError: '(' was never closed"),
        ("raise SystemExit('bye')", "SystemExit: bye"),
        ("x = 1", "LookupError: the file defines no function get_custom_generator(env, **kwargs)"),
        ("def get_custom_generator(env, **kwargs): return 5", "returned int, not a ParameterGenerator"),
        ("def get_custom_generator(env): return 5", "unexpected keyword argument 'OUTPUT_PATH'"),
        (IMPORT + WRONG_LABELS, "ValueError: parameter 'P' has 2 values but 1 labels"),
        (WRONG_LENGTHS, "returned parameters of different lengths"),
        ("import os; os._exit(3)", "ended (exit code 3) without returning parameters"),
        (
            "import os, signal; os.kill(os.getpid(), signal.SIGTERM)",
            "ended (exit code -15) without returning parameters",
        ),
    ],
)
def test_failures_are_named(run, text: str, last: str) -> None:
    assert last in failure(run, text)[-1]


def test_an_answer_cut_in_the_middle_is_no_answer(run) -> None:
    text = "import os, sys\nos.write(int(sys.argv[1]), b'{\"parameters\": [')\nos._exit(0)\n"
    assert "ended (exit code 0) without returning parameters" in failure(run, text)[-1]


class _Timer(threading.Thread):
    """A timer that goes off once the generator has a child, however many seconds it is to wait."""

    def __init__(self, started: Path, function: Callable[[], object]) -> None:
        super().__init__(daemon=True)
        self.started, self.function = started, function

    def run(self) -> None:
        wait_until(lambda: self.started.exists() and self.started.read_text(), 60, "the generator has a child")
        self.function()

    def cancel(self) -> None:
        """It went off already, since the generator never ends."""


def test_one_that_hangs_is_ended_at_the_deadline_with_its_children(
    run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds: list[float] = []

    def timer(deadline: float, function: Callable[[], object]) -> _Timer:
        seconds.append(deadline)
        return _Timer(tmp_path / "child", function)

    monkeypatch.setattr("mtui.core.plan.pgen.threading.Timer", timer)
    text = f"""
import os, signal
child = os.fork()
if child:
    open({str(tmp_path / "child")!r}, "w").write(str(child))
signal.pause()
"""
    (message,) = failure(run, text, deadline=8)
    assert seconds == [8]
    assert message == f"the parameter generator {tmp_path}/gen.py was still running after 8 s and was ended"
    child = int((tmp_path / "child").read_text())
    wait_until(lambda: _is_gone(child), 10, "the generator's child has ended")


def test_an_interrupt_ends_the_generator(tmp_path: Path) -> None:
    started = tmp_path / "started"
    file = tmp_path / "gen.py"
    file.write_text(
        f"import os, pathlib, signal\npathlib.Path({str(started)!r}).write_text(str(os.getpid()))\nsignal.pause()\n"
    )
    code = (
        "import sys, pathlib\nfrom mtui.core.plan.pgen import run_pgen\n"
        "run_pgen(pathlib.Path(sys.argv[1]), {}, env=(), output_path='', spec_root='', python=sys.executable)\n"
    )
    runner = subprocess.Popen([sys.executable, "-c", code, str(file)], stderr=subprocess.DEVNULL)
    generator = int(wait_until(lambda: started.exists() and started.read_text(), 30, "the generator has started"))
    runner.send_signal(signal.SIGINT)
    assert runner.wait(30) != 0
    wait_until(lambda: _is_gone(generator), 10, "the generator has ended")


def test_a_child_left_running_does_not_hold_up_the_answer(run) -> None:
    begin = time.monotonic()
    table = run(
        IMPORT
        + """
import os, signal

def get_custom_generator(env, **kwargs):
    if os.fork() == 0:
        signal.alarm(120)
        signal.pause()
    p_gen = ParameterGenerator()
    p_gen.add_parameter("P", [1])
    return p_gen
"""
    )
    assert table.values == (("1",),)
    assert time.monotonic() - begin < 100


def _is_gone(pid: int) -> bool:
    """Whether a process has ended; its parent may not have waited for it yet."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (ProcessLookupError, FileNotFoundError):
        return True


def test_missing_files_and_pythons_are_reported(run, tmp_path: Path) -> None:
    options = {"env": ENV, "output_path": "/out", "spec_root": "/specs"}
    with pytest.raises(UsageError, match=r"no such parameter generator file: .*/none\.py"):
        run_pgen(tmp_path / "none.py", {}, python=sys.executable, **options)
    with pytest.raises(UsageError, match="cannot run /no/python: No such file or directory"):
        run("x = 1", python="/no/python")
    program = tmp_path / "noexec"
    program.write_text("")
    with pytest.raises(UsageError, match=r"cannot run .*noexec: Permission denied"):
        run("x = 1", python=str(program))


def test_a_program_that_is_no_python_is_reported(run) -> None:
    assert "ended (exit code 1) without returning parameters" in failure(run, "x = 1", python="false")[0]


def test_pargs() -> None:
    assert parse_pargs(["A:1", " B : x:y ", "C:", "A:2"]) == {"A": "2", "B": "x:y", "C": ""}


@pytest.mark.parametrize("text", ["A", ":1", " :1", ""])
def test_pargs_need_a_key_and_a_value(text: str) -> None:
    with pytest.raises(UsageError, match="is not KEY:VALUE"):
        parse_pargs([text])
