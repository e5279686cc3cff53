"""The Slurm of a newer Debian on this machine: unpacked into a folder, and entered with its own files and processes.

The machine stays as it is: the folder has its own programs and libraries, and what runs there has its own mounts,
processes, host name and network (loopback only). The project and the data beside it are mounted read-only, so the tests
are those of this checkout. Needs root and the package mmdebstrap.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
ROOTS = Path("/var/tmp/mtui-slurm")
PACKAGES = "slurm-wlm,slurmdbd,mariadb-server,munge,python3-venv,tmux,git,procps,mount,jq,iproute2"
LEFT_OUT = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*")  # a third of the size
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")

# Maestro 1.2.1, which tests compare with, calls a function that Python 3.14 has no more. In a .pth file it is run by
# every Python of the environment, so also by the processes that Maestro starts.
GET_LOADER = """\
import pkgutil, importlib.util; pkgutil.get_loader = lambda name, find=importlib.util.find_spec: find(name).loader
"""

# The programs of this machine that make a root and enter it.
PROGRAMS = ("mmdebstrap", "unshare", "chroot")

# Run in its own namespaces: ROOT PROJECT DATA NETWORK COMMAND... slurmdbd wants an address besides the loopback's.
ENTER = r"""
root=$1 project=$2 data=$3 network=$4; shift 4
mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
mount --rbind /dev "$root/dev"
mount -t tmpfs -o mode=1777,size=4g tmpfs "$root/tmp"
mount -o bind,ro "$project" "$root/w/main"
[ ! -d "$data" ] || mount -o bind,ro "$data" "$root/w/shared"
if [ "$network" = none ]; then
    hostname mtui-newer
    printf '127.0.0.1 localhost mtui-newer\n' >"$root/etc/hosts"
    ip link set lo up
    ip addr add 10.99.2.1/32 dev lo
fi
exec chroot "$root" sh -c 'cd /w/main && exec "$@"' sh "$@"
"""


class RootError(RuntimeError):
    """The root could not be made."""


class DebianRoot:
    """A folder with the programs of one release of Debian."""

    def __init__(self, suite: str) -> None:
        self.suite = suite
        self.folder = ROOTS / suite

    def make(self) -> None:
        """Unpack the release and install what the tests need, unless that is done; RootError says what failed."""
        if missing := [program for program in PROGRAMS if not shutil.which(program)]:
            raise RootError(f"missing programs: {', '.join(missing)}")
        if os.getuid() != 0:
            raise RootError("only root can make and enter a root")
        if not self.folder.exists():
            begun = self.folder.with_name(f"{self.suite}.begun")
            shutil.rmtree(begun, ignore_errors=True)
            ROOTS.mkdir(parents=True, exist_ok=True)
            self._unpack(begun)
            begun.rename(self.folder)  # a root with this name is complete
        self._install_tests()

    def command(self, *words: str, network: bool = False) -> list[str]:
        """The command that runs another one in the project's folder there; for `environment`."""
        namespaces = ["--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "--ipc"]
        if not network:
            namespaces += ["--uts", "--net"]
        places = (self.folder, PROJECT, PROJECT.parent / "shared", "host" if network else "none")
        return ["unshare", *namespaces, "bash", "-ec", ENTER, "enter", *map(str, places), *words]

    def environment(self) -> dict[str, str]:
        """The environment of what runs there."""
        return {
            **os.environ,
            "HOME": "/root",
            "LANG": "C.UTF-8",
            "PATH": "/w/venv/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
            "PYTHONDONTWRITEBYTECODE": "1",  # the project is mounted read-only
            "SHELL": "/bin/bash",
        }

    def size(self) -> int:
        """The bytes that it takes on the disk."""
        return int(subprocess.run(["du", "-sb", self.folder], capture_output=True, check=True).stdout.split()[0])

    def _unpack(self, folder: Path) -> None:
        options = [
            "--quiet",
            "--mode=root",
            "--variant=apt",
            f"--include={PACKAGES}",
            '--aptopt=Acquire::Retries "3"',
            '--aptopt=Acquire::Check-Valid-Until "false"',  # a mirror that is not renewed any more
            '--aptopt=Apt::Install-Recommends "false"',
            *(f"--dpkgopt=path-exclude={path}" for path in LEFT_OUT),
        ]
        done = subprocess.run(["mmdebstrap", *options, self.suite, str(folder), mirror()], check=False)
        if done.returncode:
            raise RootError(f"mmdebstrap could not unpack {self.suite}")
        for path in (folder / "w" / "main", folder / "w" / "shared"):
            path.mkdir(parents=True)
        # With libmariadb3 11.8 slurmdbd ends with error 5027; /usr/local/lib comes first in the search for libraries.
        shutil.copy(mariadb_library(), folder / "usr/local/lib/libmariadb.so.3")
        subprocess.run(["chroot", str(folder), "ldconfig"], check=True)
        shutil.copy("/etc/resolv.conf", folder / "etc/resolv.conf")
        (folder / "etc/ssl/certs").mkdir(parents=True, exist_ok=True)
        if CERTIFICATES.exists():
            shutil.copy(CERTIFICATES, folder / CERTIFICATES.relative_to("/"))

    def _install_tests(self) -> None:
        """An environment with what the tests need, and the product as it is in the project's folder."""
        complete, dependencies = self.folder / "w/complete", (PROJECT / "pyproject.toml").read_text()
        if not complete.exists() or complete.read_text() != dependencies:
            (self.folder / "etc/hosts").write_text(Path("/etc/hosts").read_text())
            shell = "python3 -m venv --clear /w/venv && pip install -q -e '/w/main[test]'"
            command = self.command("sh", "-c", shell, network=True)
            if subprocess.run(command, env={**self.environment(), **pip_settings()}, check=False).returncode:
                raise RootError(f"pip could not install the tests in {self.folder}")
            for packages in self.folder.glob("w/venv/lib/python3.*/site-packages"):
                (packages / "get_loader.pth").write_text(GET_LOADER)
            complete.write_text(dependencies)


def mirror() -> str:
    """The address from which this machine takes Debian's packages."""
    for path in (*sorted(Path("/etc/apt/sources.list.d").glob("*")), Path("/etc/apt/sources.list")):
        if path.is_file() and (
            found := re.search(r"(?m)^(?:URIs:|deb(?: \[.*\])?) *(\S+/debian)/?\s", path.read_text())
        ):
            return found[1]
    raise RootError("no mirror of Debian in /etc/apt")


def mariadb_library() -> Path:
    """The client library of this machine's MariaDB."""
    listed = subprocess.run(["ldconfig", "-p"], capture_output=True, text=True, check=True).stdout
    if found := re.search(r"libmariadb\.so\.3 .*=> (\S+)", listed):
        return Path(found[1])
    raise RootError("no libmariadb.so.3 on this machine")


def pip_settings() -> dict[str, str]:
    """What pip of this machine is configured with, as variables, without folders that are not in the root."""
    listed = subprocess.run(["python3", "-m", "pip", "config", "list"], capture_output=True, text=True, check=True)
    settings: dict[str, str] = {"PIP_CONFIG_FILE": os.devnull, "PIP_CONSTRAINT": "", "PIP_FIND_LINKS": ""}
    for name, value in re.findall(r"(?m)^global\.(index-url|trusted-host|proxy|timeout)='(.*)'$", listed.stdout):
        settings[f"PIP_{name.upper().replace('-', '_')}"] = value
    return settings
