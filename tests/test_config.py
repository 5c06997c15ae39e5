"""The rules file: every mistake told at its place in a sentence, and what follows from a file without any."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from usage_watch import yamlfile
from usage_watch.channels import LogSettings
from usage_watch.config import Config, load, read, warnings
from usage_watch.config.advice import Seen
from usage_watch.core.message import Severity
from usage_watch.core.money import Price
from usage_watch.core.mute import Mute
from usage_watch.core.schedule import Days, Weekly
from usage_watch.core.series import DAY, EACH_MEMBER, EVERYONE, HOUR, Feed
from usage_watch.errors import Fault, RulesFileError, UsageError
from usage_watch.meta import RULES as META_RULES
from usage_watch.rules import FileDefaults
from usage_watch.rules.budget.burn import ACTIVE
from usage_watch.rules.threshold import ThresholdRule
from usage_watch.yamlfile import MAX_FAULTS

EXAMPLE = (Path(__file__).parent.parent / "rules.example.yaml").read_text()
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def config(text: str) -> Config:
    return read(yamlfile.parse(text.encode(), "rules.yaml"))


def faults(text: str | bytes) -> list[str]:
    """`LINE:COLUMN: message` of each fault; fails if there is none."""
    written = text if isinstance(text, bytes) else text.encode()
    with pytest.raises(RulesFileError) as caught:
        read(yamlfile.parse(written, "rules.yaml"))
    return [f"{fault.line}:{fault.column}: {fault.message}" for fault in caught.value.faults]


def rule(fields: str) -> str:
    """A file of one rule, whose `{` stands at line 2, column 3, and its other fields begin at column 11."""
    return f"rules:\n- {{id: a, {fields}}}\n"


def channel(fields: str) -> str:
    """A file of one channel, whose `{` stands at column 17, and its fields from column 18 on."""
    return f"channels: {{ops: {{{fields}}}}}\n"


def event(fields: str) -> str:
    """A file of one event, whose other fields begin at column 55."""
    return f"events: [{{title: a, from: 2026-11-26, to: 2026-11-28, {fields}}}]"


# ---- one mistake, one sentence -----------------------------------------------------------------------------------

FILE = [
    ("", "1:1: the file is empty"),
    ("- a\n- b", "1:1: the file is a bare list"),
    ("hello", "1:1: the file is a bare text"),
    ("rules:\n\t- id: a", "2:1: this line is indented with a tab"),
    (b"PK\x03\x04\x00\x00", "1:3: this is binary"),
    (b"a: \xff", "1:4: this is not UTF-8"),
    ("notify: []\nnotify: []", "2:1: `notify` stands here again, first at line 1, column 1"),
    ("rules: " + "[" * 30_000, "1:39: this is nested more than 32 deep"),
    ("a: &a [x]\nb: [*a, *a]", "1:4: a value that begins with `&` is an anchor"),
    ("rules: *rules", "1:8: a value that begins with `*` is an alias"),
    ("rules: [{<<: {a: 1}}]", "1:10: `<<` merges nothing here"),
    ("billing_day: .inf", "1:14: infinity and not-a-number mean nothing here"),
    ("billing_day: 1e400", "1:14: no number here can be that large"),
    ("rules: [}", "1:9: "),
]

TOP = [
    ("pizza: 1", "1:1: `pizza` is not known here; known are timezone, billing_day, source, store, web, heartbeat"),
    ("bilingday: 3", "1:1: `bilingday` is not known here; did you mean `billing_day`?"),
    ("2fast: 3", "1:1: this name is not known here; known are"),
    ("timezone: Europe/Berln", "1:11: `timezone` is no time zone; did you mean Europe/Berlin?"),
    ("timezone: 5", "1:11: `timezone` is no time zone; write one such as Europe/Berlin"),
    ("timezone:", "1:10: `timezone` is empty; write a value, or leave it out"),
    ("billing_day: 0", "1:14: `billing_day` must be at least 1"),
    ("billing_day: 32", "1:14: `billing_day` must be at most 31"),
    ("billing_day: 1.5", "1:14: `billing_day` takes a whole number"),
    ("billing_day: '14'", "1:14: `billing_day` takes a whole number"),
    ("source: 5", "1:9: `source` takes {api_key: …, base_url: …, poll_every: …, backfill: …}"),
    ("source: {api_key: pplx-12345}", "1:19: `source.api_key`: write {env: NAME}, {file: PATH} or {credential: NAME}"),
    ("source: {api_key: {evn: NAME}}", "1:19: `source.api_key`: write {env: NAME}"),
    ("source: {api_kee: {env: NAME}}", "1:10: `api_kee` is not known here; did you mean `api_key`?"),
    ("source: {poll_every: 15}", "1:22: `source.poll_every`: write a duration such as 15m"),
    ("source: {poll_every: 2d}", "1:22: `source.poll_every`: write a duration from 1s to 1d"),
    ("source: {base_url: http://api.example.com}", "1:20: `source.base_url`: plain http goes only to"),
    ("store: {path: [a]}", "1:15: `store.path` takes a path"),
    ("store: {keep: 89d}", "1:15: `store.keep`: write 90d or more"),
    ("store: {keep_members: 4w}", "1:23: `store.keep_members`: write 90d or more"),
    ("store: {keep: forever}", "1:15: `store.keep`: write a duration such as"),
    ("store: {keep: 1y, keep_members: 2y}", "1:8: `store` needs a `keep_members` that is no longer than"),
    ("store: {keep: 90d}\nsource: {backfill: 1y}", "1:15: `keep` is shorter than `source.backfill`; write 1y or more"),
    ("web: on", "1:6: `web`: write {listen: 127.0.0.1:8321}, or off"),
    ("web: {members: initial}", "1:16: `web.members` takes full, initials or hidden; did you mean initials?"),
    ("web: {lisen: 1}", "1:7: `lisen` is not known here; did you mean `listen`?"),
    ("web: {listen: 8321}", "1:15: `web.listen` takes text; put quotes around it"),
    ("web: {listen: 127.0.0.1}", "1:15: `web.listen`: write an address and a port, such as 127.0.0.1:8321"),
    ("web: {listen: 0.0.0.0:8321}", "1:6: `web` needs `allowed_hosts` to be asked from elsewhere"),
    ("web: {public_url: http://usage.example.com}", "1:19: `web.public_url`: plain http goes only to loopback"),
    ("web: {public_url: ftp://usage.example.com}", "1:19: `web.public_url`: this is no web address: write it as"),
    ("web: {public_url: 'javascript:alert(1)'}", "1:19: `web.public_url`: this is no web address: write it as"),
    ("web: {public_url: https://x.example/?team=7}", "1:19: `web.public_url`: links are made of it: leave out the ?"),
    ("web: {public_url: https://x.example/#usage}", "1:19: `web.public_url`: links are made of it: leave out the ?"),
    ("web: {allowed_hosts: [a b]}", "1:23: item 1 of `web.allowed_hosts` is no host name; write one such as"),
    ("heartbeat: https://hc.example.com/x", "1:12: `heartbeat` takes {url: …}"),
    ("heartbeat: {url: https://hc.example.com/x}", "1:18: `heartbeat.url`: write {env: NAME}, {file: PATH} or"),
    ("events: [x]", "1:10: item 1 of `events` takes {title: …, from: …, to: …, mute: …, …}"),
    ("events: [{title: a, from: 2026-11-26}]", "1:10: needs `to`: its last day"),
    ("events: [{title: a, from: 26.11., to: 2026-11-26}]", "1:27: `events.from` is no day; write one"),
    (
        "events: [{title: a, from: 2026-11-26, to: 2026-11-25}]",
        "1:43: `events.to` is before `from`; write the last day",
    ),
    (event("mute: zscore"), "1:61: `events.mute` takes a list such as [a, b]"),
    (event("mute: [zscor, burn]"), "1:62: item 1 of `events.mute` takes threshold, budget, zscore, absence, novelty,"),
    (event("mute: [zscor]"), "; did you mean zscore?"),
    (event("learn: maybe"), "1:62: `events.learn` takes yes or no"),
    (event("as: sunday"), "1:59: `events.as` takes weekend"),
    (event("tittle: b"), "1:55: `tittle` is not known here; did you mean `title`?"),
    ("mute: [x]", "1:8: item 1 of `mute` takes {rules: …, days: …, hours: …}"),
    ("mute: {days: sun}", "1:7: `mute` takes a list such as [a, b]"),
    ("mute: [{rules: x}]", "1:16: `mute.rules` takes a list such as [a, b]"),
    ("mute: [{rules: []}]", "1:16: `mute.rules` has too few entries; write 1 or more"),
    (
        "mute: [{rules: [Credits]}]",
        "1:17: item 1 of `mute.rules` takes the id of a rule, in which * stands for any text",
    ),
    ("mute: [{days: []}]", "1:15: `mute.days`: write days such as mon-fri, sun or [mon, wed]"),
    ("mute: [{days: 6}]", "1:15: `mute.days`: write days such as"),
    ("mute: [{days: [mon, 6]}]", "1:15: `mute.days`: write days such as"),
    ("mute: [{days: mon-fro}]", "1:15: `mute.days`: write days such as mon-fri, sun or [mon, wed]; did you mean fri?"),
    ("mute: [{days: weekend}]", "1:15: `mute.days`: write days such as mon-fri, sun or [mon, wed]; days are mon, tue,"),
    ("mute: [{hours: 22}]", '1:16: `mute.hours`: write hours such as "22:00-06:00", or "00:00-24:00" for'),
    ("mute: [{hours: 22-6}]", "1:16: `mute.hours`: write hours such as"),
    ("mute: [{hours: 24:00-06:00}]", "1:16: `mute.hours`: write hours such as"),
    ("mute: [{hours: 00:00-24:01}]", "1:16: `mute.hours`: write hours such as"),
    ("mute: [{hours: 10:60-12:00}]", "1:16: `mute.hours`: write hours such as"),
    ("mute: [{hours: 22:00-22:00}]", "1:16: `mute.hours`: begin and end at the same time; write 00:00-24:00 for the"),
    ("mute: [{hour: 22:00-06:00}]", "1:9: `hour` is not known here; did you mean `hours`?"),
    ("price: 10", "1:8: `price` takes {per_1000: …, currency: …}"),
    ("price: {currency: USD}", "1:1: needs `per_1000`: what 1,000 credits cost by your contract, such as 10 or 12.50"),
    ("price: {per_1000: 10}", "1:1: needs `currency`: three capital letters, such as USD"),
    ("price: {per_1000: 0, currency: USD}", "1:19: `price.per_1000` must be more than 0"),
    ("price: {per_1000: -1, currency: USD}", "1:19: `price.per_1000` must be more than 0"),
    ("price: {per_1000: 1e9, currency: USD}", "1:19: `price.per_1000` must be at most 1,000,000"),
    ("price: {per_1000: '10', currency: USD}", "1:19: `price.per_1000` takes a number"),
    ("price: {per_1000: 10, currency: usd}", "1:33: `price.currency` takes three capital letters, such as USD"),
    ("price: {per_1000: 10, currency: €}", "1:33: `price.currency` takes three capital letters, such as USD"),
    ("price: {per_100: 10, currency: USD}", "1:9: this name is not known here; did you mean `per_1000`?"),
    ("meta: [ops]", "1:7: `meta` takes {notify: …}"),
    ("meta: {}\nmeat: {}", "2:1: `meat` is not known here; did you mean `meta`?"),
    ("meta: {notfy: []}", "1:8: `notfy` is not known here; did you mean `notify`?"),
    ("channels: [slack]", "1:11: `channels` takes {name: …}"),
    ("channels: slack", "1:11: `channels` takes {name: …}"),
    ("rules: {id: a}", "1:8: `rules` takes a list such as [a, b]"),
    ("rules:", "1:7: `rules` is empty; write a value, or leave it out"),
]

NOTIFY = [
    ("notify: ops", "1:9: `notify` takes a list such as [a, b] or {info: …, warning: …, critical: …}"),
    ("notify: [5]", "1:10: item 1 of `notify` takes text; put quotes around it"),
    ("notify: {wrning: []}", "1:10: this name must be info, warning or critical; did you mean warning?"),
    ("notify: {page: []}", "1:10: this name must be info, warning or critical"),
    ("notify: {warning: ops}", "1:19: `notify.warning` takes a list such as [a, b]"),
    ("notify: [ops]", "1:10: there is no channel `ops`; write it under `channels`"),
    ("notify: [osp]\n" + channel("kind: log"), "1:10: there is no channel `osp`; did you mean `ops`?"),
    ("notify: {info: [osp]}\n" + channel("kind: log"), "1:17: there is no channel `osp`; did you mean `ops`?"),
    ("meta: {notify: ops}", "1:16: `meta.notify` takes a list such as [a, b] or {info: …, warning: …, critical: …}"),
    ("meta: {notify: {page: []}}", "1:17: this name must be info, warning or critical"),
    ("meta: {notify: [ops]}", "1:17: there is no channel `ops`; write it under `channels`"),
    (
        "meta: {notify: {critical: [osp]}}\n" + channel("kind: log"),
        "1:28: there is no channel `osp`; did you mean `ops`",
    ),
    ("notify: ['https://hooks/T0/secret']", "1:10: there is no such channel; write it under `channels`"),
    (rule("kind: threshold, above: 5, notify: [ops]"), "2:47: there is no channel `ops`"),
    (rule("kind: threshold, above: 5, notify: {info: [ops]}"), "2:54: there is no channel `ops`"),
    (rule("kind: threshold, above: 5, notify: {inf: []}"), "2:47: this name must be info, warning or critical"),
]

CHANNEL = [
    ("channels: {Ops: {kind: log}}", "1:12: this name takes small letters, digits and hyphens"),
    ("channels: {ops: slack}", "1:17: a channel is written as `kind: …` and the fields of that kind"),
    ("channels: {ops: }", "1:17: a channel is written as `kind: …`"),
    (channel(""), "1:12: needs `kind`: slack, email, webhook, alertmanager or log"),
    (channel("kind: slak"), "1:24: `kind` takes slack, email, webhook, alertmanager or log; did you mean slack?"),
    (channel("kind: [slack]"), "1:24: `kind` takes slack, email, webhook, alertmanager or log"),
    (channel("kind: alertmanager"), "1:12: needs `url`: where Alertmanager is"),
    (channel("kind: alertmanager, url: 5"), "1:43: `url`"),
    (channel("kind: alertmanager, url: []"), "1:43: `url`: write 1 to 8 URLs"),
    (channel("kind: alertmanager, url: [https://a.b, http://a.b]"), "1:57: item 2 of `url`: plain http goes only to"),
    (channel("kind: alertmanager, url: https://a.b, authorization: Bearer x"), "1:71: `authorization`: write {env:"),
    (channel("kind: log, members: initial"), "1:38: `members` takes full, initials or hidden; did you mean initials?"),
    (channel("kind: log, colour: red"), "1:29: `colour` is not known here; known are members, kind"),
    (channel("kind: log, xoxb-123-456: "), "1:29: this name is not known here; known are members, kind"),
    (channel("kind: slack"), "1:17: write either `token` and `channel`"),
    (channel("kind: slack, tokn: {env: A}, channel: '#a'"), "1:31: `tokn` is not known here; did you mean `token`?"),
    (channel("kind: slack, token: xoxb-1-2, channel: '#a'"), "1:38: `token`: write {env: NAME}"),
    (channel("kind: slack, token: {xoxb-1-2}, channel: '#a'"), "1:38: `token`: write {env: NAME}"),
    (channel("kind: slack, token: {env: xoxb-1-2}, channel: '#a'"), "1:38: `token`: `env` takes the name of"),
    (channel("kind: webhook, url: http://hooks.example.com/"), "1:38: `url`: plain http goes only to loopback"),
    (channel("kind: webhook"), "1:12: needs `url`: where to POST"),
    (channel("kind: webhook, url: https://a.b, signing_secret: whsec_abc"), "1:67: `signing_secret`: write {env:"),
    (
        channel("kind: webhook, url: https://a.b, signing_secret: [{env: A}, whsec_abc]"),
        "1:78: item 2 of `signing_secret`: write {env:",
    ),
    (
        channel("kind: webhook, url: https://a.b, signing_secret: []"),
        "1:67: `signing_secret`: write at least one secret",
    ),
]

RULE = [
    ("rules: [budget]", "1:9: a rule is written as `kind: …` and the fields of that kind"),
    ("rules: [{id: a}]", "1:9: needs `kind`: threshold, budget, zscore, absence or novelty"),
    ("rules: [{id: a, knd: budget}]", "1:17: `knd` is not known here; did you mean `kind`?"),
    ("rules: [{id: a, kind: budgett}]", "1:23: `kind` takes threshold, budget, zscore, absence or novelty"),
    ("rules: [{kind: threshold, above: 5}]", "1:9: needs `id`: unique; the incident's identity"),
    ("rules: [{id: Bad, kind: threshold, above: 5}]", "1:14: `id` takes small letters, digits and hyphens"),
    ("rules: [{id: 7, kind: threshold, above: 5}]", "1:14: `id` takes text; put quotes around it"),
    (rule("kind: novelty"), "2:3: needs `for_each`: what may be new: an axis or `member`"),
    *(
        (rule(f"kind: threshold, above: 5, {name}: 'Of $serie'"), f"2:{column}: `{name}` names `$serie`, which is not")
        for name, column in {"title": 45, "text": 44}.items()
    ),
    (rule("kind: threshold, above: 5, title: 'Over $5'"), "2:45: `title` has a `$` that begins no name; write `$$`"),
    (rule("kind: threshold, above: 5, text: 5"), "2:44: `text` takes text; put quotes around it"),
    (rule("kind: threshold, above: 5, max_incidents: 1"), "2:53: `max_incidents` must be at least 2"),
    (rule("kind: threshold, above: 5, max_incidents: 101"), "2:53: `max_incidents` must be at most 100"),
    *(
        (
            rule(f"kind: threshold, above: 5, remind_every: {written}"),
            "2:52: `remind_every`: write a duration of at least 1h such as 24h, or off",
        )
        for written in ("30m", "5", "on", "weekly", "{every: 2h}")
    ),
    (rule("kind: threshold, above: 5, remind_every: "), "2:52: `remind_every` is empty; write a value, or leave it"),
    (rule("kind: threshold, above: 5, remind: 2h"), "2:38: `remind` is not known here; did you mean `remind_every`?"),
    (rule("kind: threshold, above: 5, max_series: 0"), "2:50: `max_series` must be at least 1"),
    (rule("kind: threshold, above: 5, max_series: 1_000_001"), "2:50: `max_series` must be at most 1,000,000"),
    (rule("kind: threshold, above: 5, max_series: many"), "2:50: `max_series` takes a whole number"),
    (rule("kind: threshold, above: 5, wndow: 2h"), "2:38: `wndow` is not known here; did you mean `window`?"),
    (rule("kind: threshold, above: 5, for_: 2h"), "2:38: `for_` is not known here; did you mean `for`?"),
    (rule("kind: threshold, abov: 5"), "2:28: `abov` is not known here; did you mean `above`?"),
    (rule("kind: threshold, above: 5, method: plain"), "2:38: `method` is not known here; known are id, kind, title"),
    (rule("kind: threshold, above: 5, title: ''"), "2:45: `title` has too few characters; write 1 or more"),
    (rule(f"kind: threshold, above: 5, title: {'x' * 201}"), "2:45: `title` has too many characters; write 200 at"),
    (rule("kind: threshold, above: 5, title: 2026"), "2:45: `title` takes text; put quotes around it"),
    (rule("kind: threshold, above: 5, title: [a]"), "2:45: `title` takes text"),
    (rule("kind: threshold, above: 5, title: "), "2:45: `title` is empty; write a value, or leave it out"),
    (rule("kind: threshold, above: 5, runbook: 'http://x'"), "2:47: `runbook` takes a link that begins with https"),
    (rule("kind: threshold, above: 5, dataset: Credits"), "2:47: `dataset` takes a dataset's name, such as credit_us"),
    (rule("kind: threshold, above: 5, enabled: perhaps"), "2:47: `enabled` takes yes or no"),
    (rule("kind: threshold, above: 5, bucket: 2h"), "2:46: `bucket` takes 1h or 1d"),
    (rule("kind: threshold, above: 5, bucket: 1h, dataset: query_volume"), "2:46: `bucket` cannot be 1h: query_vol"),
    (rule("kind: threshold, above: 5, bucket: 1h, for_each: member"), "2:46: `bucket` cannot be 1h with `for_each"),
    (rule("kind: threshold, above: 5, window: 90m"), "2:46: `window` is not a whole number of buckets"),
    (rule("kind: threshold, above: 5, for: 0h"), "2:43: `for` is not a whole number of buckets"),
    (rule("kind: threshold, above: 5, for_each: Modle"), "2:48: `for_each` names the axis Modle, but credit_usage"),
    (rule("kind: threshold, above: 5, where: {Modle: x}"), "did you mean Model?"),
    (rule("kind: threshold, above: 5, where: {Modle: x}"), "2:46: `where.Modle` names the axis Modle"),
    (rule("kind: threshold, above: 5, where: {Model: x, Credit Source: y}"), "2:56: `where.Credit Source` asks for"),
    (rule("kind: threshold, above: 5, where: {Model: {nt: x}}"), "2:54: `nt` is not known here; did you mean `not`"),
    (rule("kind: threshold, above: 5, where: {Model: {none_of: x}}"), "2:54: `none_of` is not known here; known ar"),
    (rule("kind: threshold, above: 5, where: {Model: []}"), "2:53: `where.Model` has too few entries; write 1 or m"),
    (rule("kind: threshold, above: 5, where: {Model: 5}"), "2:53: `where.Model` takes text, a list such as [a, b]"),
    (rule("kind: threshold, above: 5, where: {Model: [5]}"), "2:54: item 1 of `where.Model` takes text; put quotes"),
    (rule("kind: threshold, above: 5, where: {member: '*'}"), "2:46: `where.member` names one member by email"),
    (rule('kind: threshold, above: 5, where: {"a\\nb": x}'), "2:46: `where.a b` names the axis a b, but"),
]

THRESHOLD = [
    (rule("kind: threshold"), "2:3: this rule needs a limit: write either `above` or `below`, and not both"),
    (rule("kind: threshold, above: 5, below: 3"), "2:3: this rule needs a limit: write either `above` or `below`"),
    (rule("kind: threshold, above: -5"), "2:35: `above`: write a number from 0 up"),
    (rule("kind: threshold, above: five"), "2:35: `above`: write a number such as 5000, a share such as 60%, or a"),
    (rule("kind: threshold, above: {crit: 5}"), "2:36: `crit` is not known here; did you mean `critical`?"),
    (rule("kind: threshold, above: {critical: x}"), "2:46: `above.critical`: write a number such as 5000"),
    (rule("kind: threshold, above: {}"), "2:35: `above` names no level"),
    (rule("kind: threshold, above: {warning: 5, critical: 3}"), "2:35: `above` must rise from info over warning to"),
    (rule("kind: threshold, below: {warning: 5, critical: 8}"), "2:35: `below` must fall from info over warning to"),
    (rule("kind: threshold, above: 60%"), "2:35: `above` is a share, but this rule judges totals"),
    (rule("kind: threshold, above: 5, clear_at: 80"), "2:48: `clear_at`: write a percentage above 0 such as 80%"),
    (rule("kind: threshold, above: 5, clear_at: 110%"), "2:48: `clear_at` must be at most 100% of the lowest level"),
    (rule("kind: threshold, above: 5, min_total: '5'"), "2:49: `min_total` takes a number"),
    (rule("kind: threshold, above: 5, min_total: -5"), "2:49: `min_total` must be at least 0"),
    (rule("kind: threshold, above: 5, statistic: sum"), "2:49: `statistic` takes total, share, mean, p50, p90, p95"),
]

BUDGET = [
    (rule("kind: budget"), "2:3: needs `limit`: what a period may use, in the dataset's unit"),
    (rule("kind: budget, limit: -1"), "2:32: `limit` must be at least 0"),
    (rule("kind: budget, limit: many"), "2:32: `limit` takes a number"),
    (rule("kind: budget, limit: .nan"), "2:32: infinity and not-a-number mean nothing here"),
    (rule("kind: budget, limit: {default: 5}"), "2:32: `limit` has a limit for each series, but there is only one"),
    (rule("kind: budget, for_each: member, limit: {overrides: {a: 5}}"), "2:43: needs `default`: what each of them"),
    (
        rule("kind: budget, for_each: member, limit: {default: 5, overrides: {ana@example.com: -1}}"),
        "2:92: `limit.overrides.ana@example.com` must be at least 0",
    ),
    (rule("kind: budget, limit: 5, period: {rolling: 36h}"), "2:53: `period.rolling` must be whole days, such as"),
    (rule("kind: budget, limit: 5, period: {rolling: soon}"), "2:53: `period.rolling`: write a duration such as"),
    (
        rule("kind: budget, limit: 5, period: {rolling: 30d}, burn: [{long: 6h, short: 1h, rate: 8, severity: info}]"),
        "2:65: `burn` has no meaning for a rolling period",
    ),
    (rule("kind: budget, limit: 5, period: fortnight"), "2:43: `period` takes cycle, day, week, month, quarter or"),
    (rule("kind: budget, limit: 5, period: {every: yer}"), "2:51: `period.every` takes day, week, month, quarter or"),
    (rule("kind: budget, limit: 5, period: {every: 30d}"), "2:35: needs `from`: the first day of the first period"),
    (rule("kind: budget, limit: 5, period: {every: 30d, from: soon}"), "2:62: `period.from` is no day; write one"),
    (rule("kind: budget, limit: 5, period: {every: 30d, from: 2026-02-30}"), "2:62: `period.from` is no day"),
    (rule("kind: budget, limit: 5, period: {every: 30d, from: 0001-01-01}"), "2:62: `period.from` is no day"),
    (rule("kind: budget, limit: 5, period: {every: 90m, from: 2026-01-01}"), "2:51: `period.every` must be whole d"),
    (rule("kind: budget, limit: 5, period: {every: month, starts_on: 32}"), "2:69: `period.starts_on` must be at m"),
    (
        rule("kind: budget, limit: 5, period: {every: 30d, from: 2026-01-01, starts_on: 3}"),
        "2:74: `starts_on` is not known here; known are every, from, timezone",
    ),
    (rule("kind: budget, limit: 5, levels: []"), "2:43: `levels`: write levels such as"),
    (rule("kind: budget, limit: 5, levels: {warning: 80}"), "2:43: `levels` takes percentages such as 80%"),
    (rule("kind: budget, limit: 5, levels: {80%: [warning]}"), "2:43: `levels`: write levels such as"),
    (rule("kind: budget, limit: 5, levels: {page: 80%}"), "2:43: `levels`: write levels such as"),
    (rule("kind: budget, limit: 5, levels: [50%, 50%]"), "2:43: `levels` names two levels at the same percentage"),
    (rule("kind: budget, limit: 5, levels: [0%]"), "2:43: `levels`: write a percentage above 0"),
    (rule("kind: budget, limit: 5, of: all"), "2:39: `of` takes usage or pool"),
    (rule("kind: budget, limit: 5, of: pool"), "2:39: `of: pool` needs the allowances of seats; write `seats: {def"),
    (rule("kind: budget, limit: 5, of: pool") + "seats: {members: {}}\n", "3:1: needs `default`: the allowance of a"),
    (rule("kind: budget, limit: 5, forecast: yes"), "2:45: `forecast` takes on or off"),
    (rule("kind: budget, limit: 5, forecast: {probability: 0.8}"), "2:59: `forecast.probability`: write a percentage"),
    (rule("kind: budget, limit: 5, forecast: {probability: 49%}"), "2:59: `forecast.probability` must be at least 50"),
    (rule("kind: budget, limit: 5, forecast: {p: 80%}"), "2:46: `p` is not known here; known are probability, sev"),
    (
        rule("kind: budget, limit: 5, period: {rolling: 30d}, forecast: on"),
        "2:69: `forecast` has no meaning for a rolling period",
    ),
    (
        rule("kind: budget, limit: 5, of: pool, forecast: {severity: info}") + "seats: {default: 5}\n",
        "2:55: `forecast` is not there for a pool",
    ),
    (rule("kind: budget, limit: 5, burn: [{long: 6h, short: 1h, rate: 8}]"), "2:42: needs `severity`: info, warning o"),
    (rule("kind: budget, limit: 5, burn: yes"), "2:41: `burn` takes on or off"),
    (rule("kind: budget, limit: 5, burn: []"), "2:41: `burn` has too few entries; write 1 or more"),
    (
        rule("kind: budget, limit: 5, burn: [{long: 90m, short: 1h, rate: 8, severity: info}]"),
        "2:49: `burn.long` must be whole hours: this rule judges hours",
    ),
    (
        rule("kind: budget, limit: 5, burn: [{long: 6h, short: 1h, rate: 0.5, severity: info}]"),
        "2:70: `burn.rate` must be at least 1",
    ),
    (rule("kind: budget, limit: 5, min_impact: 1"), "2:47: `min_impact`: write a percentage above 0 such as 80%"),
    (rule("kind: budget, limit: 5, dataset: daily_active_users"), "2:44: `dataset` cannot be budgeted"),
]

ZSCORE = [
    (rule("kind: zscore, method: rubost"), "2:33: `method` takes seasonal, plain or robust; did you mean robust?"),
    (rule("kind: zscore, window: 3h"), "2:33: `window` belongs to `method: plain` and `robust`; this one judges 1 h"),
    (rule("kind: zscore, baseline: 28d"), "2:35: `baseline` belongs to `method: plain` and `robust`; this one learns"),
    (rule("kind: zscore, method: plain, above: x"), "2:47: `above` takes a number or {info: …, warning: …, critical:"),
    (rule("kind: zscore, method: plain, above: 0"), "2:47: `above` must be more than 0"),
    (rule("kind: zscore, method: plain, above: {warning: 6, critical: 4}"), "2:47: `above` needs at least one of"),
    (rule("kind: zscore, method: plain, baseline: 28"), "2:50: `baseline`: write a duration such as"),
    (rule("kind: zscore, method: plain, baseline: 1d"), "2:50: `baseline` is too short to know what is usual"),
    (rule("kind: zscore, method: plain, direction: sideways"), "2:51: `direction` takes up, down or both"),
]

ABSENCE = [
    (rule("kind: absence"), "2:3: needs `quiet_for`: how long there must be no usage, such as 2d"),
    (rule("kind: absence, quiet_for: 2"), "2:37: `quiet_for`: write a duration such as 15m, 2h, 7d or 1h30m"),
    (rule("kind: absence, quiet_for: 90m"), "2:37: `quiet_for` is not a whole number of buckets; this rule judges ho"),
    (rule("kind: absence, quiet_for: 0h"), "2:37: `quiet_for` is not a whole number of buckets"),
    (rule("kind: absence, quiet_for: 36h, for_each: member"), "2:37: `quiet_for` is not a whole number of buckets; t"),
    (rule("kind: absence, quiet_for: 28d, for_each: Model"), "2:37: `quiet_for` must be less than 28d with `for_each"),
    (rule("kind: absence, quiet_for: 2d, for: 2d"), "2:46: `for` has no meaning for an absence: write a longer"),
    (rule("kind: absence, quiet_for: 2d, severity: page"), "2:51: `severity` takes info, warning or critical"),
    (rule("kind: absence, quiet_for: 2d, min_active_days: 10"), "2:58: `min_active_days` belongs to `for_each`; lea"),
    (rule("kind: absence, quiet_for: 2d, for_each: Model, min_active_days: 0"), "2:75: `min_active_days` must be at l"),
    (rule("kind: absence, quiet_for: 2d, for_each: Model, min_active_days: 29"), "2:75: `min_active_days` must be at "),
    (rule("kind: absence, quiet_for: 2d, window: 3h"), "2:41: `window` is not known here"),
]

TABLE = [*FILE, *TOP, *NOTIFY, *CHANNEL, *RULE, *THRESHOLD, *BUDGET, *ZSCORE, *ABSENCE]


@pytest.mark.parametrize(
    ("text", "expected"), TABLE, ids=[f"{n}-{expected[:50]}" for n, (_, expected) in enumerate(TABLE)]
)
def test_a_mistake_is_told_once_at_its_place(text: str | bytes, expected: str) -> None:
    found = faults(text)
    assert [expected in fault for fault in found].count(True) == 1, found
    assert len(found) == 1 or expected.startswith(("1:4: a value", "1:39: ")), found


# ---- several mistakes ---------------------------------------------------------------------------------------------


def test_all_mistakes_of_a_file_are_told_at_once_in_its_order() -> None:
    text = """\
timezone: Mars
channels:
  ops: {kind: slack, token: xoxb-1}
  hook: {kind: webhook, url: ftp://x}
notify: [opps]
rules:
  - {id: a, kind: budget, limit: -1, perod: cycle}
  - {id: a, kind: threshold, above: 5, below: 3}
  - {id: b, kind: threshold, above: 5, window: 90m, for: 10m, text: $hi, where: {Modle: x}}
  - {id: c, kind: zscore, metod: plain}
  - {id: d, kind: novelty}
wbe: off
"""
    places = [fault.split(": ")[0] for fault in faults(text)]
    assert places == [
        *("1:11", "3:29", "4:30", "5:10"),
        *("7:34", "7:38"),
        *("8:5", "8:10"),
        *("9:48", "9:58", "9:69", "9:82"),
        *("10:27", "11:5", "12:1"),
    ]


def test_each_fault_is_printed_as_file_line_column() -> None:
    with pytest.raises(RulesFileError) as caught:
        config("timezone: Mars\nbilling_day: 0\n")
    lines = str(caught.value).splitlines()
    assert [line.rsplit(" ", 1)[0][:20] for line in lines] == ["rules.yaml:1:11: `ti", "rules.yaml:2:14: `bi"]


def test_a_repeated_id_names_the_line_of_the_first() -> None:
    text = "rules:\n- id: a\n  kind: threshold\n  above: 5\n- id: a\n  kind: budget\n  limit: 5\n"
    assert faults(text) == ["5:7: this `id` stands at line 2 already; give each rule its own"]


def test_of_endless_mistakes_the_first_fifty_are_told() -> None:
    found = faults("rules:\n" + "- {id: a, kind: threshold}\n" * 500)
    assert len(found) == MAX_FAULTS + 1
    assert found[-1].endswith("from here on 949 more faults; mend those above first")


def test_a_mistake_about_endless_text_stays_short() -> None:
    [fault] = faults(rule(f"kind: threshold, above: 5, where: {{? {'x' * 9000} : y}}"))
    assert len(fault) < 600


WORDS = ["hunter2hunter2", "xoxb-12345-abcdef", "https://hooks.slack.com/services/T0/B0/XYZ", "whsec_c2VjcmV0"]
LEAKS = [
    "source: {api_key: SECRET}",
    "source: {api_key: {env: 'SECRET '}}",
    "source: {api_key: {SECRET: }}",
    "source: {base_url: 'http://SECRET'}",
    "source: SECRET",
    "source: {'SECRET': x}",
    "channels: {ops: SECRET}",
    "channels: {'SECRET!': {kind: log}}",
    "channels: {ops: {kind: SECRET}}",
    "channels: {ops: {kind: log, 'SECRET': x}}",
    "channels: {ops: {kind: slack, token: SECRET, channel: '#a'}}",
    "channels: {ops: {kind: slack, token: {env: A}, channel: SECRET}}",
    "channels: {ops: {kind: slack, webhook_url: SECRET}}",
    "channels: {ops: {kind: webhook, url: 'SECRET x'}}",
    "channels: {ops: {kind: webhook, url: 'https://a.b', signing_secret: [SECRET]}}",
    "channels: {ops: {kind: email, host: h.example.com, sender: SECRET, recipients: [SECRET], port: SECRET}}",
    "channels: {ops: {kind: email, host: h.example.com, sender: a@b.c, recipients: [a@b.c], password: SECRET}}",
    "notify: SECRET",
    "notify: ['SECRET!']",
    "rules: [{id: 'SECRET!', kind: threshold, above: 5}]",
    "rules: [{id: a, kind: SECRET}]",
    "rules: [{id: a, kind: threshold, above: SECRET}]",
    "rules: [{id: a, kind: threshold, above: 5, runbook: 'x SECRET'}]",
    "timezone: SECRET",
]


@pytest.mark.parametrize("secret", WORDS)
@pytest.mark.parametrize("leak", LEAKS)
def test_what_may_be_a_secret_is_never_repeated(leak: str, secret: str) -> None:
    for fault in faults(leak.replace("SECRET", secret)):
        assert secret not in fault
        assert secret[-8:] not in fault


def test_the_exception_holds_no_secret_either() -> None:
    with pytest.raises(RulesFileError) as caught:
        config("source: {api_key: hunter2hunter2}")
    chain: BaseException | None = caught.value
    while chain is not None:
        assert "hunter2" not in repr(chain)
        chain = chain.__cause__ or chain.__context__


def test_no_sentence_is_pydantics_own() -> None:
    jargon = re.compile(r"[Ii]nput|should|valid|pydantic|[Ee]xtra|required|discriminator|union|dict|None|\\\\|\^")
    for text, _ in [*TOP, *NOTIFY, *CHANNEL, *RULE, *THRESHOLD, *BUDGET, *ZSCORE, *ABSENCE]:
        for fault in faults(text):
            assert not jargon.search(fault), fault


def test_a_file_that_is_not_there_is_no_mistake_in_a_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="here is no rules file"):
        load(tmp_path / "rules.yaml")


def test_a_file_is_read_under_the_name_that_was_given(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("billing_day: 0")
    with pytest.raises(RulesFileError, match=re.escape(f"{path}:1:14: ")):
        load(path)


# ---- what follows from a file -------------------------------------------------------------------------------------

CHANNELS = "channels: {ops: {kind: log}, pager: {kind: log}}\n"


def test_an_empty_mapping_has_the_defaults() -> None:
    empty = config("web: off")
    assert empty.defaults == FileDefaults(ZoneInfo("UTC"), 1)
    assert empty.source.poll_every == timedelta(minutes=15)
    assert empty.store.path == Path("usage-watch.db")
    assert (empty.channels, empty.rules, empty.feeds()) == ({}, (), ())
    assert not any(names for routes in empty.routes.values() for names in routes.values())


def test_what_the_file_says_for_all_rules() -> None:
    said = config("timezone: Europe/Berlin\nbilling_day: 14")
    assert said.defaults == FileDefaults(ZoneInfo("Europe/Berlin"), 14)


def test_a_price_is_of_a_thousand_credits() -> None:
    assert config("price: {per_1000: 12.50, currency: CHF}").list_price == Price(12.5, "CHF")
    assert config("price: {per_1000: 10, currency: USD}").list_price == Price(10, "USD")
    assert config("{}").list_price is None


@pytest.mark.parametrize("word", ["no", "off", "false"])
def test_a_rule_that_is_switched_off_is_read_and_left_alone(word: str) -> None:
    off = config(rule(f"kind: threshold, above: 5, enabled: {word}"))
    assert len(off.rules) == 1
    assert (off.enabled, off.feeds()) == ((), ())


@pytest.mark.parametrize("word", ["yes", "on", "true"])
def test_a_rule_can_say_that_it_is_on(word: str) -> None:
    assert len(config(rule(f"kind: threshold, above: 5, enabled: {word}")).enabled) == 1


def test_a_rules_own_notify_replaces_the_files() -> None:
    routes = config(
        CHANNELS
        + """\
notify: {warning: [ops], critical: [ops, pager]}
rules:
- {id: file, kind: threshold, above: 5}
- {id: own, kind: threshold, above: 5, notify: [pager]}
- {id: severity, kind: threshold, above: 5, notify: {info: [ops]}}
- {id: none, kind: threshold, above: 5, notify: []}
"""
    ).routes
    assert routes["file"] == {Severity.WARNING: ["ops"], Severity.CRITICAL: ["ops", "pager"]}
    assert routes["own"] == {severity: ["pager"] for severity in Severity}
    assert routes["severity"] == {Severity.INFO: ["ops"]}
    assert not any(routes["none"].values())


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("", {"warning": ["ops"], "critical": ["ops", "pager"]}),
        ("meta: {}", {"warning": ["ops"], "critical": ["ops", "pager"]}),
        ("meta: {notify: [pager]}", {"info": ["pager"], "warning": ["pager"], "critical": ["pager"]}),
        ("meta: {notify: {critical: [pager]}}", {"critical": ["pager"]}),
        ("meta: {notify: []}", {"info": [], "warning": [], "critical": []}),
    ],
)
def test_what_the_watcher_says_of_itself_goes_where_the_files_notify_or_its_own_does(
    written: str, told: dict[str, list[str]]
) -> None:
    made = config(CHANNELS + "notify: {warning: [ops], critical: [ops, pager]}\n" + written)
    assert made.meta_routes == told
    assert [made.routes[name] for name in META_RULES] == [told] * len(META_RULES)


def test_each_rule_and_the_watcher_itself_have_their_reminders() -> None:
    made = config(
        """\
rules:
- {id: default, kind: threshold, above: 5}
- {id: written, kind: threshold, above: 5, remind_every: 2h}
- {id: none, kind: threshold, above: 5, remind_every: off}
- {id: days, kind: threshold, above: 5, bucket: 1d}
- {id: budget, kind: budget, limit: 5}
- {id: asked-for, kind: budget, limit: 5, remind_every: 14d}
"""
    )
    day = timedelta(days=1)
    assert made.reminders == {
        **dict.fromkeys(set(META_RULES) - {"meta:history_gap"}, day),
        "default": day,
        "written": timedelta(hours=2),
        "none": None,
        "days": None,
        "budget": None,
        "asked-for": 14 * day,
    }


def test_feeds_are_what_rules_need_and_the_member_days_of_what_they_watch() -> None:
    feeds = config(
        """\
rules:
- {id: a, kind: threshold, above: 5}
- {id: b, kind: threshold, above: 5, where: {Model: x}}
- {id: c, kind: threshold, above: 5, for_each: Member}
- {id: d, kind: threshold, above: 5, where: {member: ana@example.com}}
- {id: e, kind: threshold, above: 5, dataset: connectors}
- {id: f, kind: threshold, above: 5, dataset: brand_new}
- {id: g, kind: threshold, above: 5, dataset: query_volume, enabled: no}
"""
    ).feeds()
    assert feeds == (
        Feed("brand_new", HOUR, EVERYONE),
        Feed("connectors", HOUR, EVERYONE),
        Feed("credit_usage", HOUR, "ana@example.com"),
        Feed("credit_usage", HOUR, EVERYONE),
        Feed("credit_usage", DAY, EACH_MEMBER),
    )


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("rules: []", datetime(2026, 8, 24, 12, tzinfo=UTC)),
        ("source: {backfill: 10d}", datetime(2026, 11, 12, 12, tzinfo=UTC)),
        (rule("kind: budget, limit: 5, period: month"), datetime(2026, 8, 24, 12, tzinfo=UTC)),
        (rule("kind: budget, limit: 5, period: year"), datetime(2026, 1, 1, tzinfo=UTC)),
        (rule("kind: budget, limit: 5, period: year, enabled: no"), datetime(2026, 8, 24, 12, tzinfo=UTC)),
        (rule("kind: budget, limit: 5, period: {every: 50y, from: 2001-01-01}"), NOW - timedelta(days=3 * 365)),
        (rule("kind: budget, limit: 5, period: {every: 30d, from: 2099-01-01}"), datetime(2026, 8, 24, 12, tzinfo=UTC)),
    ],
)
def test_history_is_read_from_the_start_of_the_longest_running_period(written: str, expected: datetime) -> None:
    assert config(written).backfill_from(NOW) == expected


def test_events_and_mutes_are_in_the_files_zone() -> None:
    found = config(
        "timezone: Asia/Tokyo\n"
        "events:\n"
        "- {title: a, from: 2026-11-26, to: 2026-11-28, mute: [zscore, burn]}\n"
        "- {title: b, from: 2026-11-26, to: 2026-11-26}\n"
        'mute: [{rules: ["*-anomaly"], days: [fri-mon, wed], hours: "22:00-6:30"}, {days: sun}, {}]\n'
    )
    tokyo, midnight = ZoneInfo("Asia/Tokyo"), timedelta()
    assert found.mutes == (
        Mute(Days(date(2026, 11, 26), date(2026, 11, 28), tokyo), "a", words=frozenset({"zscore", "burn"})),
        Mute(
            Weekly(frozenset({0, 2, 4, 5, 6}), timedelta(hours=22), timedelta(hours=6, minutes=30), tokyo),
            rules=("*-anomaly",),
        ),
        Mute(Weekly(frozenset({6}), midnight, timedelta(days=1), tokyo)),
        Mute(Weekly(frozenset(range(7)), midnight, timedelta(days=1), tokyo)),
    )
    assert (
        Config.model_validate(found.model_dump(mode="json", by_alias=True, exclude_defaults=True)).mutes == found.mutes
    )


def test_a_config_can_be_made_without_a_file() -> None:
    made = Config(channels={"ops": LogSettings(kind="log")}, rules=(ThresholdRule(id="a", kind="threshold", above=5),))
    assert made.document is None
    assert warnings(made, {}, {}) == [
        Fault(1, 1, "nobody is told when the source cannot be read, or seems to stand; add a channel"),
        Fault(1, 1, "nobody is told of this rule's warning; add a channel"),
    ]


# ---- what is allowed, but hardly meant ----------------------------------------------------------------------------

SEEN: Seen = {
    ("credit_usage", "Model"): {"claude-opus-4-8", "gpt-5"},
    ("credit_usage", "member"): {"Ana@example.com"},
    ("credit_usage", ACTIVE): {"Ana@example.com"},
    ("connectors", "Connector"): {"Google Drive"},
}
TOLD = "channels: {ops: {kind: log}}\nnotify: [ops]\n"


def hints(text: str, seen: Seen | None = None, environ: dict[str, str] | None = None) -> list[str]:
    return [
        f"{fault.line}:{fault.column}: {fault.message}" for fault in warnings(config(text), environ or {}, seen or {})
    ]


def test_a_file_that_is_meant_so_has_no_warnings() -> None:
    assert hints(TOLD + rule("kind: threshold, above: 5, where: {Model: 'claude-*'}"), SEEN) == []


WATCHED = "rules:\n- {id: credits, kind: threshold, above: 5}\n"


def where(written: str) -> str:
    return TOLD + rule(f"kind: threshold, above: 5, where: {{{written}}}")


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("rules: [{id: a, kind: threshold, above: 5}]", "1:1: nobody is told of anything: write `channels`"),
        (TOLD + "rules: []", "3:8: nothing is watched: write `rules`"),
        (TOLD, "1:1: nothing is watched"),
        (TOLD + "source: {poll_every: 59s}\n" + rule("kind: threshold, above: 5"), "3:22: this asks the source more"),
        (TOLD + rule("kind: threshold, above: 5, notify: []"), "4:46: nobody is told of this rule's warning; add a"),
        (TOLD + rule("kind: threshold, above: 5, notify: {info: [ops]}"), "4:46: nobody is told of this rule's warn"),
        (TOLD + "meta: {notify: []}\n" + rule("kind: threshold, above: 5"), "3:16: nobody is told when the source can"),
        (TOLD + "meta: {notify: {}}\n" + rule("kind: threshold, above: 5"), "3:16: nobody is told when the source can"),
        (
            channel("kind: log") + rule("kind: threshold, above: 5, notify: [ops]"),
            "1:1: nobody is told when the source cannot be read, or seems to stand; add a channel",
        ),
        (
            TOLD + rule("kind: budget, limit: 5, notify: {}, burn: off, levels: [50%, 60%, 70%]"),
            "4:43: nobody is told of this rule's warning, critical; add a channel",
        ),
        (
            TOLD + rule("kind: budget, limit: {default: 5, overrides: {ana@example.co: 9}}, for_each: member"),
            "4:57: history has never seen `ana@example.co`; did you mean `Ana@example.com`?",
        ),
        (
            TOLD + rule("kind: budget, limit: {default: 5, overrides: {opus: 9}}, for_each: model, burn: off"),
            "4:57: history has never seen `opus`",
        ),
        (TOLD + rule("kind: budget, limit: 5"), "4:3: `burn`: with 1 active member usage is too rough for all of"),
        (
            TOLD + rule("kind: budget, limit: 5, burn: off, where: {credit_source: paid}") + "seats: {default: 5}",
            "4:69: paid credits hold the allowances of `seats` too: that some have used the shared pool up is hid",
        ),
        (
            TOLD + rule("kind: budget, limit: 5, burn: off, period: {every: day, timezone: Asia/Kolkata}"),
            "4:3: hours of the source begin at half past in Asia/Kolkata: they count by their start",
        ),
        (TOLD + rule("kind: threshold, above: 5, dataset: credit_usages"), "4:47: no dataset of this name is known"),
        (TOLD + rule("kind: threshold, above: 5, dataset: credit_usages"), "did you mean credit_usage?"),
        (
            TOLD + WATCHED + "events: [{title: a, from: 2026-11-26, to: 2026-11-28}]",
            "5:10: this event does nothing; w",
        ),
        (
            TOLD + WATCHED + event("mute: [zscore, burn]"),
            "5:61: this event mutes no rule: none of the file's is of such",
        ),
        (
            TOLD + WATCHED + "mute: [{rules: [credit, '*'], days: sat}]",
            "5:17: this mutes no rule; did you mean `credits`?",
        ),
        (TOLD + WATCHED + "mute: [{rules: ['*-anomaly'], days: sat}]", "5:17: this mutes no rule: none has such an id"),
        (
            TOLD + WATCHED + "mute: [{rules: [c*]}]",
            "5:8: this mute never ends, so that its rules are never told of; wri",
        ),
        (TOLD + rule("kind: threshold, above: 5, dataset: pizza"), "known are credit_usage, query_volume, daily"),
        (
            where("Model: claude-opus-4-9"),
            "4:53: history has never seen `claude-opus-4-9`; did you mean `claude-opus-4",
        ),
        (where("model: [gpt-5, llama]"), "4:53: history has never seen `llama`"),
        (where("Model: {not: 'gpt-6*'}"), "4:53: history has never seen `gpt-6*`; did you mean `gpt-5`?"),
        (where("Member: an@example.com"), "4:54: history has never seen `an@example.com`; did you mean `Ana@example"),
        (
            TOLD + rule("kind: threshold, above: 5, dataset: connectors, where: {Connector: google drive}"),
            "history has never seen `google drive`; did you mean `Google Drive`?",
        ),
    ],
)
def test_what_is_hardly_meant_is_a_warning(written: str, expected: str) -> None:
    [found] = hints(written, SEEN)
    assert expected in found


@pytest.mark.parametrize(
    "written",
    [
        "kind: budget, limit: {default: 5, overrides: {ANA@example.com: 9}}, for_each: member",
        "kind: budget, limit: 5, for_each: member",
        "kind: budget, limit: 5, period: {rolling: 30d}",
        "kind: budget, limit: 5, where: {member: ana@example.com}",
        "kind: budget, limit: 5, burn: off, where: {credit_source: paid}",
        "kind: budget, limit: 5, burn: off, where: {credit_source: paid}}\n- {id: p, kind: budget, of: pool, limit: 1",
    ],
)
def test_budgets_that_mean_what_they_say_are_not_warned_of(written: str) -> None:
    seats = "seats: {default: 5, members: {Ana@example.com: 9}}\n" if "pool" in written else ""
    assert hints(TOLD + seats + rule(written), {} if "pool" in written else SEEN) == []


@pytest.mark.parametrize(
    "written",
    [
        where("Credit Source: nonsense"),
        where("Model: claude-opus-4-8"),
        where("member: ana@EXAMPLE.com"),
        TOLD + rule("kind: threshold, above: 5, notify: [], enabled: no"),
        TOLD + "meta: {notify: {critical: [ops]}}\n" + rule("kind: threshold, above: 5"),
        TOLD + WATCHED + event("mute: [threshold]"),
        TOLD + WATCHED + "mute: [{days: sat-sun}, {rules: [c*, 'meta:*'], hours: 22:00-06:00}]",
        channel("kind: log") + "meta: {notify: [ops]}\n" + rule("kind: threshold, above: 5, notify: [ops]"),
    ],
)
def test_there_is_no_warning_without_a_reason(written: str) -> None:
    assert hints(written, SEEN) == []


def test_a_secret_that_everybody_can_read_is_a_warning(tmp_path: Path) -> None:
    open_, shut = tmp_path / "open", tmp_path / "shut"
    for path, mode in ((open_, 0o644), (shut, 0o600)):
        path.write_text("secret")
        path.chmod(mode)
    text = f"""\
source: {{api_key: {{credential: open}}}}
channels:
  a: {{kind: webhook, url: "https://a.b", signing_secret: [{{file: {shut}}}, {{file: {open_}}}]}}
  b: {{kind: slack, webhook_url: {{env: HOOK}}}}
notify: [a]
rules: [{{id: a, kind: threshold, above: 5}}]
"""
    first, second = hints(text, environ={"CREDENTIALS_DIRECTORY": str(tmp_path)})
    assert first.startswith("1:19: credential open can be read by every user of this machine")
    assert second.startswith("3:")
    assert f"`chmod o-rwx {open_}`" in second


def test_warnings_stand_in_the_order_of_the_file() -> None:
    text = rule("kind: threshold, above: 5, dataset: pizza") + TOLD + "source: {poll_every: 1s}"
    assert [hint.split(": ")[0] for hint in hints(text)] == ["2:47", "5:22"]


# ---- whatever is written ------------------------------------------------------------------------------------------

PIECES = [
    "{",
    "}",
    "[",
    "]",
    ":",
    "- ",
    "  ",
    "#",
    "'",
    '"',
    "*",
    "&",
    "!",
    "%",
    "\n",
    "\t",
    "0",
    "-1",
    "null",
    "~",
    "é",
]
LINES = [
    *EXAMPLE.splitlines(),
    *(line for text, _ in TABLE if isinstance(text, str) and len(text) < 1000 for line in text.splitlines()),
]


@st.composite
def mutations(draw: st.DrawFn) -> str:
    """The example, some of its lines dropped, doubled or replaced by others, some characters too."""
    lines = EXAMPLE.splitlines()
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(lines) - 1))
        lines[at : at + draw(st.integers(0, 3))] = draw(st.lists(st.sampled_from(LINES), max_size=2))
        lines = lines or [""]
    text = "\n".join(lines)
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(text)))
        text = text[:at] + draw(st.sampled_from(PIECES)) + text[at + draw(st.integers(0, 2)) :]
    return text


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(mutations())
@example("\n")
@example("rules: [{id: a, kind: threshold, where: {str: {str: 1}}, above: {Limits: {Limits: 1}}}]")
@example("rules: [{id: a, kind: budget, limit: 5, period: {calendar: {every: 5}}}]")
@example("notify: {'[key]': {'[key]': 5}}")
@example("channels: {members: {kind: log}}\nrules: {0: {kind: budget}}")
def test_any_file_is_a_config_or_faults_within_it(text: str) -> None:
    try:
        found: Config | RulesFileError = config(text)
    except RulesFileError as error:
        found = error
    if isinstance(found, RulesFileError):
        last = len(text.split("\n"))
        assert found.faults
        assert all(1 <= fault.line <= last and fault.column >= 1 and fault.message for fault in found.faults)
    else:
        found.feeds()
        found.backfill_from(NOW)
        warnings(found, {}, SEEN)
