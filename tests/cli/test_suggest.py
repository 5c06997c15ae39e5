from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.channels.inert import check_terminal
from tests.cli.conftest import Cli
from tests.cli.office import NOW, on_terminal
from tests.cli.stored import OPUS, SONNET, add, days, hours, store, usual
from usage_watch import yamlfile
from usage_watch.cli.draft import Written, flow
from usage_watch.cli.suggest.levels import down_from, up_from
from usage_watch.cli.suggest.material import by_days
from usage_watch.config import load
from usage_watch.core.series import DAY, HOUR, Feed, Ints
from usage_watch.core.stats.windows import trailing_sum
from usage_watch.core.units import to_epoch
from usage_watch.store.database import open_for_reading
from usage_watch.store.history import HistoryStore

SINCE = datetime(2026, 8, 24, tzinfo=UTC)
SPIKES = (datetime(2026, 9, 30, 9, tzinfo=UTC), datetime(2026, 10, 14, 11, tzinfo=UTC))
HEAD = """\
# what we wrote of it
timezone: Europe/Berlin
billing_day: 14  # see the invoice
channels:
  screen: {kind: log}
  ops: {kind: email, host: mail.example.com, sender: a@example.com, recipients: [b@example.com], members: initials}
notify: {warning: [ops], critical: [ops, screen]}
price: {per_1000: 12.5, currency: EUR}
"""
HOSTILE = [
    'a "quoted": {Model: *}',
    "- x\n  - {id: injected, kind: absence, quiet_for: 2d}",
    "# no comment \u202e \x1b[31mred \x85 \u2028",
    "*",
    "yes",
    "'",
]


def models(starts: Ints) -> dict[str, Ints]:
    opus, sonnet = usual(starts, 400, 1), usual(starts, 100, 2)
    for at in SPIKES:
        add(opus, starts, at, 6_000)
    return {OPUS: opus, SONNET: sonnet}


def people(starts: Ints, names: list[str]) -> dict[str, Ints]:
    return {name: usual(starts, 40, 10 + place) * 10 for place, name in enumerate(names)}


@pytest.fixture
def quarter(folder: Path) -> Path:
    """Three months of hours, and of the days of twelve members; the rules file beside them."""
    path = folder / "usage-watch.db"
    starts = hours(SINCE, NOW)
    store(path, NOW, starts, models(starts), paid=True)
    members = people(days(SINCE, NOW), [f"m{n}@example.com" for n in range(12)])
    add(members["m3@example.com"], days(SINCE, NOW), datetime(2026, 10, 21, tzinfo=UTC), 9_000)
    store(path, NOW, days(SINCE, NOW), members, members=True)
    (folder / "rules.yaml").write_text(HEAD + "rules: [{id: old, kind: absence, quiet_for: 3d}]\n")
    return folder


def rules_of(text: str) -> dict[str, dict[str, Any]]:
    data: Any = yamlfile.parse(text.encode(), "suggested").data
    return {rule["id"]: rule for rule in data["rules"]}


def comment_of(text: str, rule: str) -> str:
    """The comment above a rule, in one line."""
    lines = text.splitlines()
    place = next(n for n, line in enumerate(lines) if f"id: {rule}," in line)
    above = []
    while lines[place - 1].startswith("  # "):
        place -= 1
        above.insert(0, lines[place].removeprefix("  # "))
    return " ".join(above)


def test_it_proposes_rules_that_check_takes_without_a_warning(cli: Cli, quarter: Path) -> None:
    ran = cli("init", "--suggest", "new.yaml")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("\nnew.yaml is written. See what it would have told, against what is told now:\n")
    checked = json.loads(cli("check", "new.yaml", "--json").out)
    assert (checked["faults"], checked["warnings"]) == ([], [])
    ids = [rule.id for rule in load(quarter / "new.yaml").rules]
    assert ids[:6] == [
        "credits-cycle",
        "runaway",
        "model-anomaly",
        "model-anomaly-days",
        "heavy-day",
        "nothing-used",
    ]
    assert [each["twin"] for each in checked["zscores"]] == [None, None]


def test_without_a_file_it_is_printed_and_nothing_is_written(cli: Cli, quarter: Path) -> None:
    kept = [quarter / "rules.yaml", quarter / "usage-watch.db"]
    before = [path.read_bytes() for path in kept]
    ran = cli("init", "--suggest")
    assert ran.code == 0
    assert ran.err.startswith("\nSave it as NEW, and see what it would have told, against what is told now:\n")
    assert [path.read_bytes() for path in kept] == before
    assert not (quarter / "NEW").exists()
    assert cli("init", "--suggest", "--print", "rules.yaml") == ran
    cli("init", "--suggest", "new.yaml")
    assert (quarter / "new.yaml").read_text() == ran.out


def test_all_but_the_rules_is_as_it_was(cli: Cli, quarter: Path) -> None:
    out = cli("init", "--suggest").out
    kept, was = (yamlfile.parse(text.encode(), "x").data for text in (out, HEAD))
    kept.pop("rules")
    assert kept == was
    assert re.match(r"# Suggested on 2026-11-22 from 90 days of stored usage\. All but the rules is taken from", out)


def test_the_budget_comes_from_whole_cycles(cli: Cli, quarter: Path) -> None:
    out, starts = cli("init", "--suggest").out, hours(SINCE, NOW)
    counts = sum(models(starts).values())
    edges = [to_epoch(datetime(2026, month, 13, 22 if month < 11 else 23, tzinfo=UTC)) for month in (9, 10, 11)]
    first, second = (int(counts[(starts >= a) & (starts < b)].sum()) for a, b in pairwise(edges))
    rule = rules_of(out)["credits-cycle"]
    assert rule["where"] == {"Credit Source": "paid"}
    assert 1.25 * (first + second) / 2 <= rule["limit"] <= 1.25 * 1.11 * (first + second) / 2
    said = comment_of(out, "credits-cycle")
    assert said.startswith(f"Whole cycles took {first:,} from 14 Sep, {second:,} from 14 Oct, in the middle ")
    assert "levels " in said


def test_a_runaway_is_what_comes_about_once_a_month(cli: Cli, quarter: Path) -> None:
    out, starts = cli("init", "--suggest").out, hours(SINCE, NOW)
    above = rules_of(out)["runaway"]["above"]
    sums = trailing_sum(np.sum(list(models(starts).values()), axis=0), 3)

    def runs(limit: int) -> int:
        """Stretches above it, far apart."""
        over = np.flatnonzero(sums > limit)
        return int((np.diff(over, prepend=-100) > 12).sum())

    assert 1 <= runs(above["warning"]) <= 3
    assert above["critical"] >= 2 * above["warning"]
    said = comment_of(out, "runaway")
    assert f"3 h took {int(sums.max()):,} credits at most" in said
    assert "in 90 days: " in said
    assert "30 Sep" in said
    assert "14 Oct" in said


def test_anomalies_are_told_with_their_series_and_dates(cli: Cli, quarter: Path) -> None:
    out = cli("init", "--suggest").out
    assert rules_of(out)["model-anomaly"] == {"id": "model-anomaly", "kind": "zscore", "for_each": "Model"}
    said = comment_of(out, "model-anomaly")
    assert said.startswith("Would have fired ")
    assert f"30 Sep {OPUS}, 14 Oct {OPUS}" in said
    daily = rules_of(out)["model-anomaly-days"]
    assert daily["bucket"] == "1d"
    assert "Would " in comment_of(out, "model-anomaly-days")


def test_levels_rise_where_the_default_would_fire_too_often(cli: Cli, quarter: Path) -> None:
    starts = hours(SINCE, NOW)
    found = {f"model-{n}": usual(starts, 100, n) for n in range(10)}
    for week, counts in enumerate(found.values()):
        add(counts, starts, SINCE + timedelta(weeks=2 + week, days=week % 5, hours=9), 250 + 100 * week)
    store(quarter / "usage-watch.db", NOW, starts, found, paid=True)
    out = cli("init", "--suggest").out
    above = rules_of(out)["model-anomaly"]["above"]
    assert above["warning"] > 6.5
    assert above["critical"] == above["warning"] + 1.5
    told = re.fullmatch(
        r"At 6\.5, the default, it would have fired (\d+) times\. Would have fired (twice|3 times) in 84 days: .*",
        comment_of(out, "model-anomaly"),
    )
    assert told is not None
    assert int(told[1]) > 3


def test_a_heavy_day_is_beyond_nearly_all(cli: Cli, quarter: Path) -> None:
    out = cli("init", "--suggest").out
    used = np.concatenate([*people(days(SINCE, NOW), [f"m{n}" for n in range(12)]).values()])
    limit = rules_of(out)["heavy-day"]["above"]
    assert (used > limit).mean() < 0.006
    assert "21 Oct m3@example.com" in comment_of(out, "heavy-day")


def test_a_silence_is_longer_than_any_before(cli: Cli, quarter: Path) -> None:
    starts = hours(SINCE, NOW)
    found = models(starts)
    begin = int(np.searchsorted(starts, to_epoch(datetime(2026, 10, 3, 18, tzinfo=UTC))))
    for counts in found.values():
        counts[begin : begin + 30] = 0
        counts[[begin - 1, begin + 30]] = 5
    store(quarter / "usage-watch.db", NOW, starts, found, paid=True)
    out = cli("init", "--suggest").out
    assert rules_of(out)["nothing-used"]["quiet_for"] == "2d"
    said = comment_of(out, "nothing-used")
    assert said.startswith("The longest pause was 1 d 6 h, up to 5 Oct. Would never have fired in ")


def test_days_alone_are_enough(cli: Cli, folder: Path) -> None:
    starts = days(SINCE, NOW)
    store(folder / "usage-watch.db", NOW, starts, {OPUS: usual(starts, 3_000, 3) * 10})
    (folder / "rules.yaml").write_text("rules: []\n")
    ran = cli("init", "--suggest", "new.yaml")
    assert ran.code == 0
    out = (folder / "new.yaml").read_text()
    rules = rules_of(out)
    assert rules["credits-cycle"]["bucket"] == rules["nothing-used"]["bucket"] == "1d"
    assert "where" not in rules["credits-cycle"]
    assert {"runaway", "model-anomaly", "heavy-day"} & rules.keys() == set()
    assert "  # No threshold of hours: " in out
    assert "  # No threshold of members' days: " in out
    assert cli("check", "new.yaml").code == 0


def test_days_are_summed_up_from_hours(folder: Path) -> None:
    starts = hours(SINCE + timedelta(hours=5), NOW)
    found = models(starts)
    store(folder / "usage-watch.db", NOW, starts, found, paid=True)
    feed = Feed("credit_usage", HOUR)
    with open_for_reading(folder / "usage-watch.db") as database:
        history = HistoryStore(database).load({feed: SINCE + timedelta(hours=5)})[feed]
    summed = by_days(history)
    whole = days(SINCE + timedelta(days=1), NOW)
    assert summed.starts.tolist() == whole.tolist()
    wanted = [int(found[OPUS][(starts >= at) & (starts < at + DAY)].sum()) for at in whole.tolist()]
    assert summed.total().sum() == sum(counts[starts >= whole[0]][: 24 * len(whole)].sum() for counts in found.values())
    [opus] = [counts for key, counts in summed.counts.items() if key.category == OPUS]
    assert opus.tolist() == wanted
    assert summed.fetched.all()
    assert summed.settled[:-2].all()
    nothing = by_days(history.cut(int(starts[-1]) + HOUR))
    assert (len(nothing.starts), nothing.frontier) == (0, None)


def test_a_single_model_or_none_is_no_trouble(cli: Cli, folder: Path) -> None:
    starts = hours(SINCE, NOW)
    store(folder / "usage-watch.db", NOW, starts, {"x": usual(starts, 100, 3)}, axis="Something")
    (folder / "rules.yaml").write_text("rules: []\n")
    rules = rules_of(cli("init", "--suggest").out)
    assert rules["credits-anomaly"] == {"id": "credits-anomaly", "kind": "zscore"}
    assert rules["credits-anomaly-days"]["bucket"] == "1d"


def test_few_members_get_windows_that_suit_them(cli: Cli, quarter: Path) -> None:
    path, starts = quarter / "usage-watch.db", days(SINCE, NOW)
    path.unlink()
    store(path, NOW, hours(SINCE, NOW), models(hours(SINCE, NOW)))
    store(path, NOW, starts, people(starts, ["a@x.com", "b@x.com"]), members=True)
    cli("init", "--suggest", "new.yaml")
    assert len(load(quarter / "new.yaml").rules[0].burn) == 2  # type: ignore[union-attr]
    assert json.loads(cli("check", "new.yaml", "--json").out)["warnings"] == []


@pytest.mark.parametrize(("known", "stored"), [(1, "0 are"), (5, "3 are"), (14, "13 are")])
def test_too_little_history_says_what_it_takes(cli: Cli, folder: Path, known: int, stored: str) -> None:
    starts = hours(NOW - timedelta(days=known), NOW)
    store(folder / "usage-watch.db", NOW, starts, {OPUS: usual(starts, 100, 1)})
    (folder / "rules.yaml").write_text("rules: []\n")
    ran = cli("init", "--suggest")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == (
        "usage-watch: There is too little usage of credits to suggest rules from: of the 14 days that it takes "
        f"{stored} stored and settled; leave `usage-watch run` on for a while, or read older ones with `usage-watch "
        "history backfill`.\n"
    )


def test_other_usage_is_no_history_of_credits(cli: Cli, folder: Path) -> None:
    starts = hours(SINCE, NOW)
    store(folder / "usage-watch.db", NOW, starts, {"x": usual(starts, 9, 1)}, dataset="connectors", axis="Connector")
    (folder / "rules.yaml").write_text("rules: []\n")
    assert "of the 14 days that it takes 0 are stored and settled" in cli("init", "--suggest").err


def test_new_connectors_are_told_with_their_dates(cli: Cli, quarter: Path) -> None:
    starts = hours(SINCE, NOW)
    old, new = usual(starts, 9, 1), usual(starts, 9, 2)
    new[starts < to_epoch(SPIKES[1])] = 0
    store(quarter / "usage-watch.db", NOW, starts, {"old": old, "x: {": new}, dataset="connectors", axis="Connector")
    out = cli("init", "--suggest").out
    said = comment_of(out, "new-connector")
    assert re.fullmatch(r"Would have fired once in (89|90) days: 14 Oct x: \{\.", said)
    assert rules_of(out)["new-connector"]["severity"] == "warning", "the file tells nobody of less"


def test_three_weeks_are_enough_without_a_whole_cycle(cli: Cli, folder: Path) -> None:
    starts = hours(NOW.replace(hour=0, minute=0) - timedelta(days=21), NOW)
    store(folder / "usage-watch.db", NOW, starts, models(starts))
    (folder / "rules.yaml").write_text("billing_day: 14\nrules: []\n")
    out = cli("init", "--suggest").out
    per_day = sum(int(counts.sum()) for counts in models(starts).values()) / (len(starts) / 24)
    assert 1.25 * 30 * per_day <= rules_of(out)["credits-cycle"]["limit"] <= 1.25 * 1.11 * 30 * per_day
    assert comment_of(out, "credits-cycle").startswith("No whole cycle is stored yet: at the pace of 22 days it is ")


def test_one_whole_cycle_is_named(cli: Cli, folder: Path) -> None:
    starts = hours(datetime(2026, 10, 10, tzinfo=UTC), NOW)
    store(folder / "usage-watch.db", NOW, starts, models(starts))
    (folder / "rules.yaml").write_text("billing_day: 14\nrules: []\n")
    said = comment_of(cli("init", "--suggest").out, "credits-cycle")
    assert re.match(r"The one whole cycle that is stored, from 14 Oct, took [\d,]+ credits; the limit is", said)


def test_unused_credits_need_no_budget(cli: Cli, folder: Path) -> None:
    starts = hours(SINCE, NOW)
    store(folder / "usage-watch.db", NOW, starts, {OPUS: np.zeros(len(starts), dtype=np.int64)})
    (folder / "rules.yaml").write_text("rules: []\n")
    ran = cli("init", "--suggest")
    assert ran.code == 0
    assert "  # No budget, since nothing was used.\n" in ran.out
    assert "  # No absence, since nothing was used.\n" in ran.out
    assert {"credits-cycle", "nothing-used"} & rules_of(ran.out).keys() == set()


def test_without_a_database_it_says_so(cli: Cli, folder: Path) -> None:
    ran = cli("init", "--suggest")
    assert (ran.code, ran.out) == (5, "")
    assert "there is no database at" in ran.err
    assert list(folder.iterdir()) == []


def test_without_a_rules_file_it_is_as_init_makes_it(cli: Cli, quarter: Path) -> None:
    (quarter / "rules.yaml").unlink()
    ran = cli("init", "--suggest", "--zone", "Europe/Berlin", "--billing-day", "14", "--limit", "400_000", "new.yaml")
    assert (ran.code, ran.err) == (0, "")
    config, out = load(quarter / "new.yaml"), (quarter / "new.yaml").read_text()
    assert (config.timezone.key, config.billing_day, list(config.channels)) == ("Europe/Berlin", 14, ["screen"])
    assert rules_of(out)["credits-cycle"]["limit"] == 400_000
    assert comment_of(out, "credits-cycle").startswith("The limit is the one that you gave. Would ")
    assert "is taken from" not in out


def test_what_the_file_says_already_is_not_asked_again(cli: Cli, quarter: Path) -> None:
    ran = cli("init", "--suggest", "--zone", "UTC", "--limit", "5")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("usage-watch: rules.yaml says already what --zone, --limit would;")


@pytest.mark.parametrize("name", ["rules.yaml", "nowhere/new.yaml"])
def test_nothing_is_overwritten(cli: Cli, quarter: Path, name: str) -> None:
    before = (quarter / "rules.yaml").read_text()
    assert cli("init", "--suggest", name).code == 2
    assert (quarter / "rules.yaml").read_text() == before


def test_a_broken_rules_file_is_told_of(cli: Cli, quarter: Path) -> None:
    (quarter / "rules.yaml").write_text("rulez: []\n")
    ran = cli("init", "--suggest")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("rules.yaml:1:1: ")


def test_hostile_names_stay_in_comments_and_quotes(cli: Cli, quarter: Path) -> None:
    tame = rules_of(cli("init", "--suggest").out)
    path, starts = quarter / "usage-watch.db", hours(SINCE, NOW)
    path.unlink()
    # As the tame ones, by other names; each of the hostile ones runs away.
    found = {name: usual(starts, 40, place) for place, name in enumerate(HOSTILE)}
    for place, counts in enumerate(found.values()):
        add(counts, starts, SPIKES[place % 2] + timedelta(days=3 * place), 6_000)
    store(path, NOW, starts, found, paid=True)
    members = people(days(SINCE, NOW), [f"{name}@x" for name in HOSTILE])
    for place, counts in enumerate(members.values()):
        add(counts, days(SINCE, NOW), SINCE + timedelta(days=40 + 3 * place), 9_000)
    store(path, NOW, days(SINCE, NOW), members, members=True)
    title = flow({"title": 'x" # {y}: *\u202e', "from": "2026-11-26", "to": "2026-11-28", "mute": ["zscore"]})
    (quarter / "rules.yaml").write_text(f"{HEAD}events: [{title}]\nrules: []\n")
    ran = cli("init", "--suggest", "new.yaml")
    assert (ran.code, ran.err) == (0, "")
    text = (quarter / "new.yaml").read_text()
    check_terminal(text)
    assert rules_of(text).keys() == tame.keys()
    assert "injected" in text  # as part of a comment
    assert "\u202e" not in text
    assert cli("check", "new.yaml").code == 0
    assert load(quarter / "new.yaml").events[0].title == 'x" # {y}: *\u202e'


def test_a_terminal_sees_progress_and_then_the_file(cli: Cli, quarter: Path) -> None:
    code, seen = on_terminal("init", "--suggest")
    assert code == 0, seen
    assert seen.startswith("\r\x1b[Kcounting what each rule would have told\r\x1b[K# Suggested on ")


TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\u2028\u2029\ufeff\ufffe\uffff"))
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**62), 2**62) | st.floats(-1e15, 1e15).map(lambda x: x + 0.5) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


@given(VALUES)
def test_whatever_a_file_may_hold_is_written_as_it_was(value: Written) -> None:
    assert yamlfile.parse(f"x: [{flow(value)}]".encode(), "x").data == {"x": [value]}


@given(st.floats(0, 1e9))
def test_round_numbers_lead_up_and_down(start: float) -> None:
    up = up_from(start)
    first, second = next(up), next(up)
    assert max(start, 10) <= first < second
    assert first <= max(1.15 * start + 1, 10)
    down = list(down_from(start))
    assert down == sorted(down, reverse=True)
    assert all(10 <= each <= start for each in down)
    assert len(down) == len(set(down))
