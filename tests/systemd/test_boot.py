"""The service as an admin has it: installed by README.md's steps on a Debian 12 that is really booted."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest

from tests.systemd.machine import KEY, Machine, booted, require, step

SIMULATOR = "[Service]\nExecStart=/opt/usage-watch/bin/usage-watch simulate\nDynamicUser=yes\n"
RULES = "/etc/usage-watch/rules.yaml"
CREDENTIAL = "/etc/usage-watch/credentials/analytics-key"
STATE = "/var/lib/usage-watch"
ONCE = "CREDENTIALS_DIRECTORY=/etc/usage-watch/credentials usage-watch run --once"
HASTY = "[Service]\nRestartSec=1s\nWatchdogSec=4s\n"
DROP_IN = "/etc/systemd/system/usage-watch.service.d/test.conf"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """Installed as README.md says; its source is the simulator in the same machine."""
    require()
    with booted(tmp_path_factory.mktemp("machine")) as machine:
        machine.shell(step("install"), folder="/root/usage-watch")
        machine.shell(step("rules"), folder="/root/usage-watch", said=f"{KEY}\n")
        machine.run("sed", "-i", 's|^source: {|source: {base_url: "http://127.0.0.1:8765", |', RULES)
        machine.write("/etc/systemd/system/simulator.service", SIMULATOR)
        machine.run("systemctl", "start", "simulator")
        machine.shell(step("start"), folder="/root/usage-watch")
        machine.run("mkdir", "-p", DROP_IN.rpartition("/")[0])
        yield machine


@pytest.fixture
def service(installed: Machine) -> Iterator[Machine]:
    """It runs; and whatever a test does to it, it is as it was afterwards."""
    rules = installed.run("cat", RULES).stdout
    installed.run("systemctl", "restart", "usage-watch")
    yield installed
    installed.write(RULES, rules)
    installed.run("rm", "-f", DROP_IN)
    installed.run("systemctl", "daemon-reload")
    installed.run("systemctl", "reset-failed", "usage-watch", check=False)


@pytest.fixture
def hasty(service: Machine) -> Machine:
    """It waits for a second where it would wait for half a minute, and for 4 s where it would for 3 min."""
    service.write(DROP_IN, HASTY)
    service.run("systemctl", "daemon-reload")
    service.run("systemctl", "restart", "usage-watch")
    return service


def turned(machine: Machine) -> bool:
    return (
        re.fullmatch(r"1 rule; data until .*; \d+ alerts? open; next turn .* \w+", machine.shown("StatusText"))
        is not None
    )


def restarted(machine: Machine, times: int) -> bool:
    return int(machine.shown("NRestarts")) > times and machine.shown("ActiveState") == "active"


def test_it_is_up_at_once_and_says_how_it_goes(service: Machine) -> None:
    assert service.shown("ActiveState") == "active"
    service.until(lambda: turned(service), "a first turn")
    began, up = (int(service.shown(f"{name}TimestampMonotonic")) for name in ("InactiveExit", "ActiveEnter"))
    print(f"READY after {(up - began) / 1e6:.2f} s: {service.shown('StatusText')}")
    assert service.run("systemctl", "is-enabled", "usage-watch").stdout == "enabled\n"
    assert service.run("usage-watch", "health").stdout.startswith("ok")


def test_nobody_else_reads_its_credentials_or_its_database(service: Machine) -> None:
    pid = service.shown("MainPID")
    copied = "/run/credentials/usage-watch.service/analytics-key"
    assert service.run("cat", copied).stdout.strip() == KEY
    for path in (copied, CREDENTIAL, f"{STATE}/usage-watch.db", f"/proc/{pid}/environ"):
        refused = service.run("setpriv", "--reuid=65534", "--clear-groups", "cat", path, check=False)
        assert refused.returncode == 1, path
        assert "Permission denied" in refused.stderr
    assert KEY not in service.run("cat", f"/proc/{pid}/environ").stdout
    assert KEY not in service.run("systemctl", "show", "usage-watch").stdout
    assert KEY not in service.log()


def test_it_can_do_nothing_that_it_does_not_need(service: Machine) -> None:
    status = service.run("cat", f"/proc/{service.shown('MainPID')}/status").stdout
    assert re.search(r"^CapEff:\s0+$", status, re.MULTILINE)
    assert re.search(r"^NoNewPrivs:\s1$", status, re.MULTILINE)
    assert re.search(r"^Seccomp:\s2$", status, re.MULTILINE)
    assert not re.search(r"^Uid:\s0\s", status, re.MULTILINE)


def test_roots_shell_finds_the_same_database_and_needs_no_key(service: Machine) -> None:
    service.until(lambda: turned(service), "a first turn")
    assert "fine" in service.run("usage-watch", "status").stdout
    assert RULES in service.run("usage-watch", "check").stdout
    refused = service.run("setpriv", "--reuid=65534", "--clear-groups", "usage-watch", "status", check=False)
    assert refused.returncode == 5
    assert "this user may not look into" in refused.stderr
    assert "as root" in refused.stderr


@pytest.mark.parametrize(
    "command",
    [
        "usage-watch status",
        ONCE,
        f"rm {STATE}/*; {ONCE}",
        f"rm {STATE}/*.daemon {STATE}/*.lock; {ONCE}",
        f"rm -r {STATE}/ /var/lib/private/usage-watch || rm {STATE}; mkdir {STATE}",
    ],
)
def test_what_root_does_while_it_is_stopped_does_not_keep_it_from_starting(service: Machine, command: str) -> None:
    service.until(lambda: turned(service), "a first turn")
    service.run("systemctl", "stop", "usage-watch")
    service.shell(command)
    service.run("systemctl", "start", "usage-watch")
    service.until(lambda: turned(service), "a turn after root's")
    owners = service.run("find", "/var/lib/private/usage-watch", "-printf", "%U\n").stdout.split()
    assert len(set(owners)) == 1
    assert "0" not in owners


def test_a_loop_that_hangs_is_started_again_and_one_that_waits_is_not(hasty: Machine) -> None:
    hasty.until(lambda: turned(hasty), "a first turn")
    up = time.monotonic()
    hasty.until(lambda: time.monotonic() - up > 9, "twice what is allowed")
    assert hasty.shown("NRestarts") == "0"
    hasty.shell(f"kill -STOP {hasty.shown('MainPID')}")
    stopped = time.monotonic()
    hasty.until(lambda: restarted(hasty, 0), "a restart")
    print(f"hung to up again: {time.monotonic() - stopped:.1f} s, of which 4 are WatchdogSec and 1 is RestartSec")
    assert "Watchdog timeout" in hasty.log()
    assert "Fatal Python error: Aborted" in hasty.log()


def test_one_that_is_killed_is_started_again(hasty: Machine) -> None:
    hasty.shell(f"kill -KILL {hasty.shown('MainPID')}")
    hasty.until(lambda: restarted(hasty, 0), "a restart")
    hasty.until(lambda: turned(hasty), "a turn after that")


def test_a_reload_takes_what_is_right_and_says_why_it_does_not_take_what_is_wrong(service: Machine) -> None:
    service.until(lambda: turned(service), "a first turn")
    pid, rules = service.shown("MainPID"), service.run("cat", RULES).stdout
    service.write(RULES, f"{rules}  - {{id: another, kind: absence, quiet_for: 2d}}\n")
    began = time.monotonic()
    assert service.run("systemctl", "reload", "usage-watch", check=False).returncode == 0, service.log()
    print(f"reload: {time.monotonic() - began:.2f} s")
    service.until(lambda: service.shown("StatusText").startswith("2 rules"), "both rules")
    service.write(RULES, f"{rules}  - {{id: another, kind: nonsense}}\n")
    assert service.run("systemctl", "reload", "usage-watch", check=False).returncode == 1
    assert re.search(rf"^{RULES}:\d+:\d+: ", service.log(), re.MULTILINE)
    assert service.shown("ActiveState") == "active"
    assert service.shown("StatusText").startswith("2 rules")
    assert service.shown("MainPID") == pid


def test_told_to_stop_it_ends_well_and_at_once(service: Machine) -> None:
    service.until(lambda: turned(service), "a first turn")
    began = time.monotonic()
    service.run("systemctl", "stop", "usage-watch")
    took = time.monotonic() - began
    print(f"stop: {took:.2f} s")
    assert took < 2
    assert [service.shown(name) for name in ("Result", "ExecMainStatus")] == ["success", "0"]


def test_a_refused_file_at_the_start_is_a_failure_that_stays_seen(hasty: Machine) -> None:
    hasty.run("systemctl", "stop", "usage-watch")
    hasty.write(RULES, "rules: nonsense\n")
    assert hasty.run("systemctl", "start", "usage-watch", check=False).returncode == 1
    assert [hasty.shown(name) for name in ("ActiveState", "ExecMainStatus", "NRestarts")] == ["failed", "2", "0"]
    assert "usage-watch.service" in hasty.run("systemctl", "--failed").stdout
    assert f"{RULES}:1:" in hasty.log()


def test_a_missing_credential_is_waited_for(hasty: Machine) -> None:
    hasty.run("systemctl", "stop", "usage-watch")
    hasty.run("mv", CREDENTIAL, "/root/key")
    assert hasty.run("systemctl", "start", "usage-watch", check=False).returncode == 1
    hasty.run("mv", "/root/key", CREDENTIAL)
    hasty.until(lambda: hasty.shown("ActiveState") == "active", "a start with it")
