"""The disk is full while the real daemon runs, or when it starts: who is told, and what becomes of everything else."""

from __future__ import annotations

import resource
from datetime import timedelta
from pathlib import Path

from tests.fakes.alertmanager import eventually
from tests.journeys.trouble import AGAIN, fill, hour, mounted, requires_mount, trouble
from usage_watch.store.locks import holder

TMPFS = ("-t", "tmpfs", "-o", "size=12m", "tmpfs")
FIRST = [("loud", "fired", "01:00"), ("loud", "resolved", "01:00")]
SECOND = [("loud", "fired", "08:00"), ("loud", "resolved", "08:00")]


@requires_mount
def test_a_full_disk_is_told_and_loses_nothing(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", *TMPFS) as disk, trouble(tmp_path, disk, 1, 8) as found:
        found.start()
        found.awaited("cycle.done")
        found.live(hour(7.2))
        assert found.told() == FIRST
        ballast = fill(disk)
        found.step_until("cycle.hindered")
        since = found.clock.now()
        assert eventually(lambda: found.told(found.admin) == [("meta:store_hindered", "fired", f"{since:%H:%M}")])
        said = found.admin.requests[0].json
        assert said["summary"] == f"nothing can be stored since {since:%H:%M}: the database's disk is full"
        assert [each["value"] for each in said["facts"] if each["name"] == "What to do"] == [
            "Make room, nothing that was stored is lost"
        ]
        asked = len(found.source.requests)
        found.live(hour(11.2))
        found.step(AGAIN)
        assert len(found.source.requests) == asked, "what cannot be stored is not asked for again and again"
        assert len(found.admin.requests) == 1, "once a day"
        answer = found.get("/readyz")
        assert (answer.status_code, answer.text) == (
            503,
            f"not ready: since {since:%Y-%m-%dT%H:%M:%SZ}, the database's disk is full\n",
        )
        assert found.metric('usage_watch_cycles_hindered_total{cause="full"}') == found.count("cycle.hindered")
        ballast.unlink()
        found.step(AGAIN)
        assert found.get("/readyz").text == "ready\n"
        found.live(hour(15))
        assert found.told() == FIRST + SECOND, "each once, and in order"
        reasons = [reason for _, reason, _ in found.told(found.admin)]
        assert reasons == ["fired", "resolved"], "nor is anything else wrong with the watcher"
        assert len({request.json["incident"]["id"] for request in found.admin.requests}) == 1
        assert found.end() == 0
        assert found.checked() == "ok"


@requires_mount
def test_another_day_of_it_is_told_again(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", *TMPFS) as disk, trouble(tmp_path, disk) as found:
        found.start()
        found.awaited("cycle.done")
        fill(disk)
        found.step_until("cycle.hindered")
        assert eventually(lambda: len(found.admin.requests) == 1)
        for _ in range(3):
            found.step(timedelta(hours=8))
        assert eventually(lambda: [reason for _, reason, _ in found.told(found.admin)] == ["fired", "reminder"])
        assert len({request.headers["webhook-id"] for request in found.admin.requests}) == 2
        assert found.end() == 0, "and it ends in order"


@requires_mount
def test_a_start_on_a_full_disk_is_waited_out(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", *TMPFS) as disk, trouble(tmp_path, disk, 1) as found:
        found.start()
        found.awaited("cycle.done")
        found.live(hour(3))
        assert found.end() == 0
        ballast = fill(disk)
        found.start()
        found.awaited("daemon.hindered")
        assert eventually(lambda: [reason for _, reason, _ in found.told(found.admin)] == ["fired"])
        assert found.get("/healthz").status_code == 200, "who supervises it would start it anew, and tell it again"
        assert found.get("/readyz").text.endswith(", the database's disk is full\n")
        assert holder(found.store) is not None, "it is here, and can be found"
        found.clock.step(found.clock.now() + AGAIN)
        found.awaited("alarm.sent")
        assert found.end() == 0, "nobody has to kill it"
        found.start()
        found.awaited("daemon.hindered")
        ballast.unlink()
        found.clock.step(found.clock.now() + AGAIN)
        found.awaited("cycle.done")
        found.live(hour(8))
        assert found.told() == FIRST
        assert [reason for _, reason, _ in found.told(found.admin)] == ["fired", "resolved"], (
            "a restart repeats nothing"
        )
        assert found.end() == 0
        assert found.checked() == "ok"


def test_a_file_that_may_not_grow_is_no_other_case(tmp_path: Path) -> None:
    """Without a file system of its own: the process is not allowed larger files, and then it is."""
    with trouble(tmp_path, tmp_path, 1, 8) as found:
        found.start()
        found.awaited("cycle.done")
        found.live(hour(7.2))
        assert found.process is not None
        resource.prlimit(found.process.pid, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
        found.step_until("cycle.hindered")
        assert eventually(lambda: len(found.admin.requests) == 1)
        found.live(hour(10))
        resource.prlimit(found.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        found.live(hour(15))
        assert found.told() == FIRST + SECOND
        assert [reason for _, reason, _ in found.told(found.admin)][-1] == "resolved"
        assert found.end() == 0
        assert found.checked() == "ok"
