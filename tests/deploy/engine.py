"""Builds and runs the image without a docker: by buildah and podman, on a Debian 12 that is made on the spot.

The base image of the Dockerfile comes from a registry and is not asked for here; Debian's own Python stands in its
place, without its compiled standard library, as Python's images come.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.reading import ROOT

SLOW = "USAGE_WATCH_SLOW"
PROGRAMS = ("mmdebstrap", "buildah", "podman", "runc")
BASE, IMAGE = "localhost/python:local", "localhost/usage-watch:local"
_BASE_FILE = """\
FROM scratch
ADD base.tar /
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 PIP_NO_INDEX=1 PIP_FIND_LINKS=/wheels
RUN find /usr/lib/python3* -name '*.pyc' -delete
"""
_LIMITS = ("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1000:1000")
"""Else it would raise its own, which root inside of another container may not."""
_AS_COMPOSE = ("--read-only", "--read-only-tmpfs=false", "--cap-drop=all", "--security-opt=no-new-privileges")
"""What deploy/compose.yaml says; a docker mounts no /tmp of its own accord, podman does."""


def require() -> None:
    """Skip, unless these slow tests are wanted; fail where they are and cannot be."""
    if os.environ.get(SLOW) != "1":
        pytest.skip(f"takes minutes: set {SLOW}=1 to build and run the image")
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        pytest.fail(f"apt-get install {' '.join(missing)}")
    if os.getuid():
        pytest.fail("building a Debian takes root")


def done(*command: str, **more: Any) -> subprocess.CompletedProcess[str]:
    found = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=600, **more)
    assert found.returncode == 0, f"{command}\n{found.stdout[-3000:]}\n{found.stderr[-3000:]}"
    return found


@dataclass(frozen=True)
class Engine:
    """Has its images in a folder of its own, and nothing of this machine's."""

    folder: Path

    def podman(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        command = [*_at("podman", self.folder), "--runtime", "runc", "--cgroup-manager=cgroupfs", *arguments]
        found = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=120)
        assert found.returncode == 0 or not check, f"{arguments}\n{found.stdout}\n{found.stderr}"
        return found

    def inspect(self, name: str) -> dict[str, Any]:
        [found] = json.loads(self.podman("inspect", name).stdout)
        assert isinstance(found, dict)
        return found

    def start(self, name: str, *mounts: str) -> Container:
        """The image as Compose would run it, on this machine's network."""
        shared = [word for mount in mounts for word in ("--volume", mount)]
        self.podman("run", "--detach", "--name", name, "--network=host", *_LIMITS, *_AS_COMPOSE, *shared, IMAGE)
        return Container(self, name)

    def close(self) -> None:
        self.podman("rm", "--all", "--force", "--time", "0", check=False)
        self.podman("volume", "rm", "--all", "--force", check=False)
        self.podman("rmi", "--all", "--force", check=False)
        subprocess.run([*_at("buildah", self.folder), "rmi", "--all", "--force"], capture_output=True, timeout=120)
        for mounted in (self.folder / "podman" / "overlay", self.folder / "buildah" / "overlay"):
            subprocess.run(["umount", str(mounted)], capture_output=True, timeout=60)
        shutil.rmtree(self.folder)


@dataclass(frozen=True)
class Container:
    """One that was started."""

    engine: Engine
    name: str

    @property
    def pid(self) -> int:
        """Of its first process, as seen from here."""
        return int(self.engine.inspect(self.name)["State"]["Pid"])

    @property
    def exit_code(self) -> int:
        return int(self.engine.inspect(self.name)["State"]["ExitCode"])

    @property
    def health(self) -> str:
        return str(self.engine.inspect(self.name)["State"]["Health"]["Status"])

    def log(self) -> str:
        """All that it said on both streams."""
        found = self.engine.podman("logs", self.name)
        return found.stdout + found.stderr

    def healthcheck(self) -> int:
        return self.engine.podman("healthcheck", "run", self.name, check=False).returncode

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Beside the daemon, as `docker compose exec` does."""
        return self.engine.podman("exec", self.name, *command, check=False)

    def kernel(self) -> dict[str, str]:
        """What the kernel knows of its first process."""
        text = Path(f"/proc/{self.pid}/status").read_text()
        return {name: rest.strip() for name, _, rest in (line.partition(":") for line in text.splitlines())}


def _at(program: str, folder: Path) -> list[str]:
    return [program, "--root", str(folder / program), "--runroot", str(folder / f"{program}.run")]


@contextmanager
def engine(folder: Path) -> Iterator[Engine]:
    """With the image built."""
    require()
    found = Engine(folder)
    try:
        _make_base(folder)
        _build(folder, "--build-arg", f"BASE={BASE}", "--tag", IMAGE, str(ROOT))
        archive = folder / "image.tar"
        # In docker's format: the other knows no HEALTHCHECK.
        done(*_at("buildah", folder), "push", "--quiet", IMAGE, f"docker-archive:{archive}:{IMAGE}")
        found.podman("load", "--quiet", "--input", str(archive))
        yield found
    finally:
        found.close()


def _make_base(folder: Path) -> None:
    context, wheels = folder / "base", folder / "wheels"
    context.mkdir()
    tools = "python3,python3-venv,ca-certificates"
    done("mmdebstrap", "--quiet", "--variant=minbase", f"--include={tools}", "bookworm", str(context / "base.tar"))
    (context / "Dockerfile").write_text(_BASE_FILE)
    _build(folder, "--tag", BASE, str(context))
    pins = str(ROOT / "constraints.txt")
    # What builds our wheel, and what ours needs: inside nothing is asked of the network.
    done(sys.executable, "-m", "pip", "wheel", "-q", "-w", str(wheels), "-c", pins, "hatchling", f"{ROOT}[png]")
    for ours in wheels.glob("usage_watch-*.whl"):
        ours.unlink()


def _build(folder: Path, *arguments: str) -> None:
    (folder / "wheels").mkdir(exist_ok=True)
    wheels = f"{folder / 'wheels'}:/wheels:ro"
    how = ("--isolation", "chroot", "--format", "docker", "--volume", wheels)
    done(*_at("buildah", folder), "build", *how, *arguments)
