"""A Debian 12 with systemd as its first process, in a container of its own: no network but its loopback."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
SLOW = "USAGE_WATCH_SLOW"
ROOTFS = "USAGE_WATCH_ROOTFS"
"""Names a tar of what `_debian` makes, to do without the half minute that it takes."""
KEY = "simulated-analytics-key"

_PACKAGES = "systemd,systemd-sysv,dbus,python3,python3-venv"
_ENVIRON = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LANG": "C.UTF-8"}
_OFFLINE = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "/srv/wheels", "PIP_ROOT_USER_ACTION": "ignore"}
_SHIPPED = ("pyproject.toml", "constraints.txt", "README.md", "LICENSE", "usage_watch", "systemd")
_PATIENCE_S = 90.0

Done = subprocess.CompletedProcess[str]


def require() -> None:
    """Skip, unless these slow tests are wanted; fail where they are and cannot be."""
    if os.environ.get(SLOW) != "1":
        pytest.skip(f"takes minutes: set {SLOW}=1 to boot a machine")
    for program in ("systemd-nspawn", "mmdebstrap", "nsenter"):
        if shutil.which(program) is None:
            pytest.fail(f"{program} is not installed: apt-get install systemd-container mmdebstrap util-linux")
    if os.geteuid() != 0 or sys.version_info[:2] != (3, 11):
        pytest.fail("only root can boot a machine, and the wheels are to be those of its Python 3.11")


class Machine:
    """One that is up."""

    def __init__(self, leader: int) -> None:
        self._leader = leader

    def run(
        self, *command: str, check: bool = True, said: str = "", folder: str = "/root", offline: bool = False
    ) -> Done:
        """As root, in a shell that knows nothing; `said` is its standard input."""
        variables = [f"{name}={value}" for name, value in (_ENVIRON | (_OFFLINE if offline else {})).items()]
        enter = ["nsenter", "-t", str(self._leader), "-a", f"--wdns={folder}", "env", "-i", *variables]
        done = subprocess.run([*enter, *command], input=said, capture_output=True, text=True, timeout=300)
        assert not check or done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def shell(self, script: str, check: bool = True, said: str = "", folder: str = "/root") -> Done:
        """The same for lines of a shell."""
        return self.run("bash", "-euc", script, check=check, said=said, folder=folder, offline=True)

    def shown(self, name: str, unit: str = "usage-watch") -> str:
        """A property of a unit."""
        return self.run("systemctl", "show", unit, "--value", "--property", name).stdout.strip()

    def write(self, path: str, text: str) -> None:
        self.run("tee", path, said=text)

    def log(self) -> str:
        """What the service has written, and what was written of it."""
        self.run("journalctl", "--sync")
        return self.run("journalctl", "-u", "usage-watch", "--no-pager", "-o", "cat").stdout

    def until(self, true: Callable[[], bool], why: str) -> None:
        """Wait for it."""
        deadline = time.monotonic() + _PATIENCE_S
        while not true():
            assert time.monotonic() < deadline, f"never: {why}\n{self.log()}"
            time.sleep(0.05)


@contextmanager
def booted(folder: Path) -> Iterator[Machine]:
    """What it needs to install the program is in /srv, the program itself in /root/usage-watch."""
    root = folder / "root"
    root.mkdir()
    tar = Path(os.environ[ROOTFS]) if ROOTFS in os.environ else _debian(folder)
    subprocess.run(["tar", "-C", root, "-xf", tar], check=True, timeout=120)
    _ship(root)
    command = ["systemd-nspawn", "--quiet", f"--directory={root}", f"--machine=usage-watch-{os.getpid()}", "--boot"]
    command += ["--register=no", "--keep-unit", "--private-network", "--console=read-only"]
    # Without that variable nothing useful is seen where the host itself has cgroups of both versions.
    environ = {**os.environ, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "0"}
    with (folder / "console").open("w") as console:
        process = subprocess.Popen(command, env=environ, stdin=subprocess.DEVNULL, stdout=console, stderr=console)
        try:
            yield _up(process, folder / "console")
        finally:
            process.terminate()  # it is shut down in good order
            process.wait(60)


def _debian(folder: Path) -> Path:
    tar = folder / "debian.tar"
    made = ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={_PACKAGES}", "bookworm", str(tar)]
    subprocess.run(made, check=True, timeout=600)
    return tar


def _ship(root: Path) -> None:
    """A checkout, and the wheels that installing it would fetch."""
    checkout, wheels = root / "root" / "usage-watch", root / "srv" / "wheels"
    checkout.mkdir(parents=True)
    for name in _SHIPPED:
        found, there = CHECKOUT / name, checkout / name
        if found.is_dir():
            shutil.copytree(found, there, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(found, there)
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--wheel-dir", str(wheels)]
    subprocess.run(
        [*pip, "-c", "constraints.txt", ".", "hatchling"],
        cwd=checkout,
        check=True,
        timeout=300,
        stderr=subprocess.DEVNULL,
    )


def _up(process: subprocess.Popen[bytes], console: Path) -> Machine:
    deadline = time.monotonic() + _PATIENCE_S
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    while time.monotonic() < deadline:
        assert process.poll() is None, console.read_text()
        for leader in map(int, children.read_text().split()):
            machine = Machine(leader)
            if machine.run("systemctl", "is-system-running", check=False).stdout.strip() in ("running", "degraded"):
                return machine
        time.sleep(0.05)
    pytest.fail(f"it does not boot:\n{console.read_text()}")


def step(name: str) -> str:
    """What README.md says to type, under that heading."""
    text = (CHECKOUT / "systemd" / "README.md").read_text()
    found = re.search(rf"<!-- {name} -->\n```sh\n(.*?)```", text, re.DOTALL)
    assert found is not None, name
    return found[1]
