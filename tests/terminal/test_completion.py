"""TAB in real shells: what they insert and show for command lines of mtui."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import mtui
from tests.local.test_completion import STUDY
from tests.terminal.screen import Terminal, environment

PROMPT = "ready>"
START = {
    "bash": f"PS1='{PROMPT} ' exec bash --norc --noprofile -i",
    "zsh": f"PS1='{PROMPT} ' exec zsh -f -i",
    "fish": f'exec fish --no-config -i -C \'function fish_prompt; echo -n "{PROMPT} "; end; '
    "set -g fish_autosuggestion_enabled 0'",
}
LOAD = {
    "bash": 'eval "$(mtui completion bash)"',
    "zsh": 'eval "$(mtui completion zsh)"',
    "fish": "mtui completion fish | source",
}


@pytest.fixture(params=START)
def shell(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Terminal]:
    """A shell that has read what `mtui completion` prints, in a folder with study.yaml and the study `out` of it."""
    name: str = request.param
    if not shutil.which(name):
        pytest.skip(f"there is no {name}")
    (tmp_path / "study.yaml").write_text(STUDY)
    assert mtui.run("--dry", "-o", "out", "study.yaml", cwd=tmp_path).returncode == 0
    env = environment(tmp_path, PATH=f"{Path(sys.executable).parent}:{os.environ['PATH']}", HOME=str(tmp_path))
    # The words of mtui that Terminal puts after it are arguments of this script, which looks at none. A shell shows
    # what is typed only where the terminal echoes.
    terminal = Terminal(env=env, prefix=("sh", "-c", f"stty echo; cd {tmp_path}; {START[name]}"))
    terminal.wait_for(PROMPT)
    terminal.type(f"{LOAD[name]} && clear && echo loaded\r")
    terminal.wait_for(lambda text: text.lstrip().startswith("loaded") and PROMPT in text)
    yield terminal
    terminal.kill()


@pytest.mark.parametrize(
    ("typed", "inserted"),
    [
        ("mtui stat", "mtui status "),
        ("mtui stu", "mtui stud"),
        ("mtui plan stu", "mtui plan study.yaml "),
        ("mtui study.yaml --no-u", "mtui study.yaml --no-ui "),
        ("mtui status o", "mtui status out "),
        ("mtui why out post_SIZE.2", "mtui why out post_SIZE.20 "),
        ("mtui log out si", "mtui log out sim_SIZE."),
        ("mtui retry out --set wallt", "mtui retry out --set walltime="),
        ("true; mtui hold out fa", "true; mtui hold out failed "),
    ],
)
def test_tab_inserts(shell: Terminal, typed: str, inserted: str) -> None:
    shell.type(f"{typed}\t#")  # the mark shows whether a space was inserted
    shell.wait_for(f"{PROMPT} {inserted}#")


def test_tab_shows_the_instances(shell: Terminal) -> None:
    shell.type("mtui cancel out \t\t")
    shell.wait_for(lambda text: all(name in text for name in ("sim_SIZE.10", "post_SIZE.20", "failed")))
