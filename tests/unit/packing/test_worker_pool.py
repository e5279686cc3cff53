"""Where the leader waits for its workers."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest

from mtui.core.packing import transport
from mtui.core.packing.worker_pool import _address  # pyright: ignore[reportPrivateUsage]


@pytest.fixture
def names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """scontrol, which prints what is in this file."""
    (tmp_path / "scontrol").write_text(f"#!/bin/sh\ncat {tmp_path}/names\n")
    (tmp_path / "scontrol").chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return tmp_path / "names"


@pytest.mark.parametrize(
    ("own", "nodes", "hostnames", "address"),
    [
        ("n1", "n1", "", "127.0.0.1"),  # the only node is this one
        ("n1", "n[1-2]", "n1\n127.0.0.2\n", "127.0.0.1"),  # towards the other
        ("", "n1", "127.0.0.2\n", "127.0.0.1"),  # salloc: this host is not in the allocation
        ("n1", "n[1-2]", "n1\nno-such-host.invalid\n", ""),
        ("n1", "n[1-2]", "", ""),
        ("", "", "", ""),
    ],
)
def test_leader_listens_on_the_interface_towards_the_workers(
    names: Path, own: str, nodes: str, hostnames: str, address: str
) -> None:
    names.write_text(hostnames)
    batch = {"SLURMD_NODENAME": own, "SLURM_JOB_NODELIST": nodes}
    assert _address({name: text for name, text in batch.items() if text}) == address


def test_a_worker_tries_again_when_it_was_dropped() -> None:
    """As an old client among too many that are not authenticated."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drop_first() -> None:
            server.accept()[0].close()
            server.close()

        dropping = threading.Thread(target=drop_first)
        dropping.start()
        door = transport.Door(b"key", "127.0.0.1")
        port = server.getsockname()[1]
        with pytest.MonkeyPatch.context() as patch:
            real = socket.create_connection
            ports = iter((port,))
            patch.setattr(
                socket, "create_connection", lambda _, timeout: real(("127.0.0.1", next(ports, door.port)), timeout)
            )
            found: list[transport.Line] = []
            calling = threading.Thread(target=lambda: found.append(transport.call("127.0.0.1", port, b"key")))
            calling.start()
            admitted: list[transport.Line] = []
            while not admitted:
                admitted += door.answer()
            calling.join(20)
        dropping.join(20)
    (worker,), (leader,) = found, admitted
    transport.send(worker, {"node": "n1"})
    assert transport.receive(leader) == {"node": "n1"}
    for line in (worker, leader, door):
        line.close()
