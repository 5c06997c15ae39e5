"""A rules file that is edited while the daemon goes by it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import httpx
import pytest

from tests.fakes.webhook_receiver import WebhookReceiver
from tests.listening import listening
from tests.test_cycle import NOW, Office, office
from usage_watch.config import load
from usage_watch.cycle import Cycle
from usage_watch.errors import Hindrance, MachineError
from usage_watch.outside import Outside
from usage_watch.rereading import Rereading, said
from usage_watch.store.alerts import AlertStore
from usage_watch.store.reads import ReadStore

__all__ = ["office"]  # the fixture


@dataclass
class Watched:
    """A cycle of a process that goes on."""

    office: Office
    cycle: Cycle
    outside: Outside
    read_again: Rereading
    reads: ReadStore

    def told(self, after: timedelta = timedelta()) -> list[tuple[str, str]]:
        """What the next cycle tells: reasons and rules."""
        before = len(self.office.pager.requests)
        self.office.clock.step(self.office.clock.now() + after)
        self.cycle.run()
        return [(each.json["reason"], each.json["rule"]["id"]) for each in self.office.pager.requests[before:]]

    def edited(self, before: str, after: str) -> str:
        """The file is changed and read again; what is said of it."""
        self.office.rewrite(before, after)
        self.read_again()
        newest = self.reads.newest()
        assert newest is not None
        return newest.refusal or newest.outcome


@contextmanager
def watching(office: Office) -> Iterator[Watched]:
    office.rules.write_text(office.rules.read_text() + f"web: off\nstore: {{path: {office.database.path}}}\n")
    config, reads = load(office.rules), ReadStore(office.database)
    with Outside(config, office.database.path, office.clock) as outside, office.opened() as cycle:
        outside.watch(office.database)
        read_again = Rereading(office.rules, config, cycle, outside, reads, office.clock)
        yield Watched(office, cycle, outside, read_again, reads)


@pytest.fixture
def watched(office: Office) -> Iterator[Watched]:
    with watching(office) as found:
        yield found


ANOTHER = "rules:\n  - {{id: other, kind: threshold, above: {above}}}"


def test_a_start_is_noted(watched: Watched) -> None:
    newest = watched.reads.newest()
    assert newest is not None
    assert (newest.refusal, newest.outcome) == (None, "Started with 1 rule.")


def test_what_is_not_changed_tells_nothing_again(watched: Watched) -> None:
    assert watched.told() == [("fired", "hourly")]
    watched.read_again()
    assert watched.told() == []
    newest = watched.reads.newest()
    assert newest is not None
    assert newest.outcome == "1 rule: nothing is new."


def test_a_new_rule_speaks_at_once_and_the_others_are_not_told_again(watched: Watched) -> None:
    assert watched.told() == [("fired", "hourly")]
    assert watched.edited("rules:", ANOTHER.format(above="3_000")) == "2 rules: 1 new (other)."
    assert watched.told() == [("fired", "other")]


def test_a_rule_that_is_gone_closes_what_it_had_open(watched: Watched) -> None:
    assert watched.told() == [("fired", "hourly")]
    assert watched.edited("id: hourly", "id: hours") == "1 rule: 1 new (hours), 1 gone (hourly)."
    assert sorted(watched.told()) == [("closed", "hourly"), ("fired", "hours")]


def test_a_changed_rule_goes_on_with_what_is_open(watched: Watched) -> None:
    assert watched.told() == [("fired", "hourly")]
    assert watched.edited("warning: 2_000", "warning: 3_000") == "1 rule: 1 changed (hourly)."
    assert [reason for reason, _ in watched.told() if reason == "fired"] == []


def test_nonsense_changes_nothing_and_is_told_once_until_it_is_mended(watched: Watched) -> None:
    assert watched.told() == [("fired", "hourly")]
    why = watched.edited("kind: threshold", "kind: thresold")
    assert why.endswith("did you mean threshold?")
    assert watched.told() == [("fired", "meta:config_rejected")]
    watched.read_again()
    assert watched.told(timedelta(hours=1)) == []
    assert watched.edited("kind: thresold", "kind: threshold") == "1 rule: nothing is new."
    assert watched.told() == [("resolved", "meta:config_rejected")]
    (mine,) = (each for each in AlertStore(watched.office.database).incidents(NOW) if each.rule.id == "hourly")
    assert mine.open


def test_the_database_cannot_be_changed_while_it_runs(watched: Watched) -> None:
    path = str(watched.office.database.path)
    assert "`store.path` cannot change while it runs" in watched.edited(path, path + "2")
    assert watched.told()[-1] == ("fired", "meta:config_rejected")


def test_rules_that_cannot_be_judged_are_refused_and_nothing_is_written(watched: Watched) -> None:
    assert watched.told() == [("fired", "hourly")]
    before = AlertStore(watched.office.database).incidents(NOW)
    history = watched.cycle._stores.history
    load_whole = history.load

    def fault(*_: object) -> None:
        raise ZeroDivisionError

    history.load = fault  # type: ignore[assignment,method-assign]
    with listening() as heard:
        assert "A fault of ours came up" in watched.edited("rules:", ANOTHER.format(above="3_000"))
    history.load = load_whole  # type: ignore[method-assign]
    assert heard.names == ["fault.caught", "rules.refused"]
    assert AlertStore(watched.office.database).incidents(NOW) == before
    assert watched.told() == [("fired", "meta:config_rejected")]


def test_another_receiver_gets_what_comes_next(watched: Watched) -> None:
    assert watched.told() == [("fired", "hourly")]
    with WebhookReceiver() as other:
        watched.edited(watched.office.pager.url("/hook"), other.url("/hook"))
        watched.edited("rules:", ANOTHER.format(above="3_000"))
        assert watched.told() == []
        assert [each.json["rule"]["id"] for each in other.requests] == ["other"]


def test_another_source_is_asked_from_then_on(watched: Watched) -> None:
    watched.told()
    watched.edited(watched.office.source.base_url, "http://127.0.0.1:9")
    watched.office.clock.step(NOW + timedelta(hours=1))
    assert watched.cycle.run().fetched.failures != ()


def test_the_server_moves_and_stays_where_it_can_move_nowhere(watched: Watched) -> None:
    with listening() as heard:
        assert watched.edited("web: off", "web: {listen: 127.0.0.1:0}") == "1 rule: the same rules, other settings."
        (url,) = (fields["url"] for fields in heard.fields if "url" in fields)
        port = str(url).rsplit(":", 1)[1]
        assert "allowed_hosts" not in watched.edited(":0}", ":0, allowed_hosts: [usage.example.com]}")
        refused = watched.edited("127.0.0.1:0,", f"127.0.0.1:{port},")
        assert refused.startswith(f"cannot listen on 127.0.0.1 port {port}: another program does")
    assert heard.names.count("web.listening") == 1
    assert watched.edited(f"{{listen: 127.0.0.1:{port}, allowed_hosts: [usage.example.com]}}", "off").endswith(".")


def test_the_server_moves_to_another_address_of_its_port(watched: Watched) -> None:
    with listening() as heard:
        watched.edited("web: off", "web: {listen: 127.0.0.1:0}")
        (url,) = (str(fields["url"]) for fields in heard.fields if "url" in fields)
        port = url.rsplit(":", 1)[1]
        watched.edited("web: {listen: 127.0.0.1:0}", "web: off")
        watched.edited("web: off", f"web: {{listen: 127.0.0.1:{port}}}")
        everywhere = f"0.0.0.0:{port}, allowed_hosts: [usage.example.com]}}"
        assert watched.edited(f"127.0.0.1:{port}}}", everywhere) == "1 rule: the same rules, other settings."
        assert "is no address of this machine" in watched.edited(f"0.0.0.0:{port}", f"192.0.2.1:{port}")
    urls = [str(fields["url"]) for fields in heard.fields if "url" in fields]
    assert urls[1:] == [f"http://127.0.0.1:{port}", f"http://0.0.0.0:{port}"]
    assert httpx.get(f"http://127.0.0.1:{port}/healthz", trust_env=False).status_code == 200, "as before"


def test_what_could_not_be_stored_is_taken_up_later_and_said_then(watched: Watched) -> None:
    stores, keep = watched.cycle._stores, watched.cycle._stores.targets.keep

    def full(*_: object) -> None:
        raise MachineError("the disk is full", Hindrance.FULL)

    stores.targets.keep = full  # type: ignore[method-assign]
    with pytest.raises(MachineError):
        watched.edited("rules:", ANOTHER.format(above="3_000"))
    assert [each.id for each in watched.cycle._config.enabled] == ["hourly"], "all is as it was"
    stores.targets.keep = keep  # type: ignore[method-assign]
    assert watched.edited("web: off", "web: off") == "2 rules: 1 new (other)."


def test_a_disk_that_fails_while_a_file_is_tried_is_no_fault_of_the_file(watched: Watched) -> None:
    db = watched.office.database
    query, tried = db.query, []

    def failing(*asked: object) -> object:
        tried.append(asked)
        raise MachineError("the disk reports an error", Hindrance.DISK)

    db.query = failing  # type: ignore[method-assign]
    with pytest.raises(MachineError):
        watched.edited("rules:", ANOTHER.format(above="3_000"))
    db.query = query  # type: ignore[method-assign]
    assert tried
    assert watched.edited("web: off", "web: off") == "2 rules: 1 new (other)."


def test_many_changes_are_counted(watched: Watched) -> None:
    config = load(watched.office.rules)
    rules = tuple(config.rules[0].model_copy(update={"id": f"rule-{number}"}) for number in range(7))
    many = config.model_copy(update={"rules": rules})
    assert said(config, many) == "7 rules: 7 new (rule-0, rule-1, rule-2, rule-3, rule-4, …), 1 gone (hourly)."
