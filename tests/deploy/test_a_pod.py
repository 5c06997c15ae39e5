"""A real daemon with the rules of the manifest, asked as a cluster asks it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

import httpx
import pytest

from tests.cli.office import NOW, scenario
from tests.deploy.reading import container, environment, image_command, manifests, mapped_rules
from tests.fakes.alertmanager import eventually
from usage_watch import places
from usage_watch.clock import STEPPED, SteppedClock
from usage_watch.simulator import DEFAULT_KEY, SimulatorServer

LONG = 20.0
POD = "10.42.0.17:8321"
"""How the kubelet names it in the Host header, and Prometheus too."""


@dataclass
class Pod:
    """What the manifest starts, with other paths and ports."""

    process: subprocess.Popen[str]
    port: str
    environ: dict[str, str]

    def get(self, path: str, host: str) -> int:
        url = f"http://127.0.0.1:{self.port}{path}"
        return httpx.get(url, headers={"Host": host}, trust_env=False, timeout=LONG).status_code

    def healthcheck(self) -> int:
        """As the image has it."""
        _, *arguments = image_command("HEALTHCHECK")
        command = [sys.executable, "-m", "usage_watch", *arguments]
        return subprocess.run(command, env=self.environ, capture_output=True, timeout=60).returncode


def rules(source: str, folder: Path) -> str:
    """Those of the manifest: its source is the simulator, and it tells nobody but its own log."""
    text = mapped_rules().replace("/run/secrets/usage-watch", str(folder)).replace("0.0.0.0:8321", "0.0.0.0:0")
    changed = text.replace("source:\n", f'source:\n  base_url: "{source}"\n  backfill: 6d\n').replace("[ops, ", "[")
    assert "base_url" in changed
    assert "notify: [screen]" in changed
    return changed


@pytest.fixture
def pod(tmp_path: Path) -> Iterator[Pod]:
    clock = SteppedClock(tmp_path / "clock")
    clock.step(NOW)
    (tmp_path / "analytics_key").write_text(f"{DEFAULT_KEY}\n")
    file = tmp_path / "rules.yaml"
    environ = {
        **os.environ,
        STEPPED: str(tmp_path / "clock"),
        "NO_PROXY": "*",
        places.CONFIG_VARIABLE: str(file),
        places.STORE_VARIABLE: str(tmp_path / Path(environment()[places.STORE_VARIABLE]).name),
    }
    command = [sys.executable, "-m", "usage_watch", *image_command("CMD")]
    with SimulatorServer(scenario(), now=clock.now) as source:
        file.write_text(rules(source.base_url, tmp_path))
        pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
        with subprocess.Popen(command, env=environ, cwd=tmp_path, **pipes) as process:  # type: ignore[call-overload]
            log: list[str] = []
            follower = Thread(target=lambda: log.extend(process.stderr or ()))
            follower.start()
            try:
                assert eventually(lambda: bool(listening(log)) or process.poll() is not None)
                assert listening(log), log
                [port] = listening(log)
                file.write_text(file.read_text().replace("0.0.0.0:0", f"0.0.0.0:{port}"))
                yield Pod(process, port, environ)
            finally:
                process.terminate()
                process.wait(LONG)
                follower.join()


def probe(name: str) -> str:
    return str(container()[name]["httpGet"]["path"])


def listening(log: list[str]) -> list[str]:
    return re.findall(r" web\.listening .*:(\d+)", "".join(log))


def test_it_answers_as_probes_and_prometheus_ask(pod: Pod) -> None:
    assert pod.get(probe("startupProbe"), POD) == 200, "before its first cycle is done"
    assert eventually(lambda: pod.get(probe("readinessProbe"), POD) == 200)
    assert pod.get(probe("livenessProbe"), POD) == 200
    annotations = manifests()["StatefulSet"]["spec"]["template"]["metadata"]["annotations"]
    for host in (POD, "usage-watch:8321"):
        assert pod.get(annotations["prometheus.io/path"], host) == 200
    assert pod.get("/healthz", "evil.example") == 421


def test_the_health_check_of_the_image_follows_it(pod: Pod) -> None:
    assert pod.healthcheck() == 0
    pod.process.terminate()
    assert pod.process.wait(LONG) == 0
    assert pod.healthcheck() != 0
