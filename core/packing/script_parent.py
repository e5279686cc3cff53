"""The parents of a node's scripts, so that a script which kills its parent ends alone, and not the worker.

A parent is forked from the worker, starts one script at a time, and is used again: a new process for each attempt would
take longer than many scripts.
"""

from __future__ import annotations

import os
import signal
import traceback
from multiprocessing import Pipe
from typing import NoReturn

from .script_start import NotStarted, ScriptStarter
from .transport import Line, Message, receive, send

_FIRST = 3  # the first descriptor that is not a standard stream
_LAST = 1 << 20  # more than any process has
_IGNORED = (  # what would end or stop a parent, and can be ignored
    *(signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGPIPE, signal.SIGALRM, signal.SIGTERM),
    *(signal.SIGUSR1, signal.SIGUSR2, signal.SIGXCPU, signal.SIGXFSZ, signal.SIGVTALRM, signal.SIGPROF),
    *(signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU),
)


class ScriptParent:
    """A process that starts a script when it is ordered to, and reports its end. For the worker.

    It answers an order with `script`, the process of the script, and later `ended`, or with `failed`: the fields of
    NotStarted. When the worker closes `line`, or ends, it exits.
    """

    def __init__(self, starter: ScriptStarter) -> None:
        """Fork it. Raises OSError."""
        self.line, far = Pipe()
        try:
            self.process = os.fork()
        except OSError:
            self.line.close()
            far.close()
            raise
        if not self.process:
            _serve(far, starter)
        far.close()
        self.attempt = ""  # what it was ordered to start, until that has ended
        self.script = 0  # the process of that; 0 as long as it is not known

    def order(self, order: Message) -> None:
        """Let it start an attempt. Raises OSError if it has ended."""
        send(self.line, order)
        self.attempt, self.script = order["attempt"], 0


def _serve(line: Line, starter: ScriptStarter) -> NoReturn:
    """Carry out orders, in the forked process, until the worker closes the connection."""
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for number in _IGNORED:
            signal.signal(number, signal.SIG_IGN)
        # The leader's connection, and those of other parents, must not stay open here when the worker ends.
        os.closerange(_FIRST, line.fileno())
        os.closerange(line.fileno() + 1, _LAST)
        while (order := receive(line)) is not None:
            _run(line, starter, order)
        code = 0
    except OSError:  # the worker has ended
        pass
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def _run(line: Line, starter: ScriptStarter, order: Message) -> None:
    try:
        script = starter.start(order)
    except NotStarted as why:
        send(line, {"failed": [why.code, why.verdict, why.reason]})
        return
    send(line, {"script": script})
    end = os.waitid(os.P_PID, script, os.WEXITED)
    assert end
    killed = end.si_code != os.CLD_EXITED
    send(line, {"ended": 128 + end.si_status if killed else end.si_status})
