"""What every kind shares: the fields of every rule, and what follows from them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import TypeAdapter, ValidationError

from tests.core.builders import START, feed_history
from tests.rules.making import BERLIN_FILE, UTC_FILE, made, problems
from usage_watch.core.message import Severity
from usage_watch.core.selection import Choice, Selection
from usage_watch.core.series import DAY, HOUR
from usage_watch.rules import AnyRule, FileDefaults, Rule, routes
from usage_watch.rules.common import levels_of
from usage_watch.rules.limits import Limits, Share
from usage_watch.rules.threshold import ThresholdRule


def refused(kind: str, **fields: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        made(kind, **fields)
    return str(caught.value)


# ---- numbers with and without a percent sign -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "limit", "share"), [(5000, 5000.0, False), (0, 0.0, False), (2.5, 2.5, False), ("60 %", 60.0, True)]
)
def test_a_limit_is_a_number_or_a_share(written: object, limit: float, share: bool) -> None:
    (level,) = made("threshold", above=written).levels
    assert (level.severity, level.limit, isinstance(level.limit, Share)) == (Severity.WARNING, limit, share)


@pytest.mark.parametrize(
    "written",
    [True, "5000", "a%", "%", -1, "-1%", float("nan"), "nan%", float("inf"), "inf%", 10**400, [1]],
)
def test_what_is_no_limit_is_refused(written: object) -> None:
    assert "write a number" in refused("threshold", above=written)


def test_levels_stand_in_the_order_of_their_severity() -> None:
    written = {"critical": 10_000, "info": 1, "warning": 5000}
    levels = made("threshold", above=written).levels
    assert [(level.severity.value, level.limit) for level in levels] == [
        ("info", 1.0),
        ("warning", 5000.0),
        ("critical", 10_000.0),
    ]
    assert levels_of(Limits()) == ()


# ---- width, feed, selection ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "width"),
    [
        ({}, HOUR),
        ({"bucket": "1d"}, DAY),
        ({"for_each": "member"}, DAY),
        ({"for_each": "Member"}, DAY),
        ({"for_each": "Model"}, HOUR),
        ({"dataset": "query_volume"}, DAY),
        ({"dataset": "query_volume", "bucket": "1h"}, HOUR),
        ({"dataset": "brand_new"}, HOUR),
    ],
)
def test_buckets_are_hours_unless_the_source_has_days_only(fields: dict[str, Any], width: int) -> None:
    assert made("threshold", above=1, **fields).width == width


@pytest.mark.parametrize(
    ("fields", "selection"),
    [
        ({}, Selection()),
        ({"where": {"Model": "opus"}}, Selection("Model", Choice(("opus",)))),
        ({"where": {"Model": ["a", "b*"]}}, Selection("Model", Choice(("a", "b*")))),
        ({"where": {"Model": {"not": "a"}}}, Selection("Model", Choice(("a",), negated=True))),
        ({"where": {"Model": {"not": ["a", "b"]}}}, Selection("Model", Choice(("a", "b"), negated=True))),
        ({"for_each": "Model"}, Selection("Model", None, None, "Model")),
        ({"where": {"model": "a*"}, "for_each": "Model"}, Selection("model", Choice(("a*",)), None, "Model")),
        ({"where": {"Member": "ana@x"}}, Selection(None, None, "ana@x")),
        ({"where": {"member": "ana@x"}, "for_each": "Model"}, Selection("Model", None, "ana@x", "Model")),
        ({"for_each": "MEMBER"}, Selection(None, None, None, "member")),
        ({"where": {"Model": "a"}, "for_each": "member"}, Selection("Model", Choice(("a",)), None, "member")),
    ],
)
def test_where_and_for_each_make_a_selection(fields: dict[str, Any], selection: Selection) -> None:
    assert made("threshold", above=1, **fields).selection == selection


@pytest.mark.parametrize("where", [{"Model": []}, {"Model": {"not": []}}, {"Model": 5}, {"Model": {"no": "a"}}])
def test_where_needs_values(where: dict[str, Any]) -> None:
    assert "where" in refused("threshold", above=1, where=where)


def test_only_a_rule_that_the_source_can_answer_has_a_feed() -> None:
    assert str(made("threshold", above=1).feed) == "credit_usage 1h"
    impossible = made("threshold", above=1, dataset="query_volume", bucket="1h")
    assert [field for field, _ in problems("threshold", above=1, dataset="query_volume", bucket="1h")] == ["bucket"]
    with pytest.raises(TypeError, match="comes in days only"):
        _ = impossible.feed


@pytest.mark.parametrize(("dataset", "unit"), [("credit_usage", "credits"), ("brand_new", "units")])
def test_a_rule_counts_what_its_dataset_counts(dataset: str, unit: str) -> None:
    assert made("threshold", above=1, dataset=dataset).unit == unit


# ---- durations -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "for_buckets", "resolve_buckets"),
    [
        ({}, 1, 2),
        ({"bucket": "1d"}, 1, 1),
        ({"for_": "3h", "resolve_after": "6h"}, 3, 6),
        ({"bucket": "1d", "for_": "2d", "resolve_after": "1w"}, 2, 7),
    ],
)
def test_durations_count_in_buckets(fields: dict[str, Any], for_buckets: int, resolve_buckets: int) -> None:
    rule = made("threshold", above=1, **fields)
    assert (rule.for_buckets, rule.resolve_buckets) == (for_buckets, resolve_buckets)


@pytest.mark.parametrize(
    ("fields", "field", "bucket"),
    [
        ({"for_": "90m"}, "for", "hours"),
        ({"for_": "0s"}, "for", "hours"),
        ({"resolve_after": "30s"}, "resolve_after", "hours"),
        ({"window": "1h1s"}, "window", "hours"),
        ({"bucket": "1d", "resolve_after": "36h"}, "resolve_after", "days"),
    ],
)
def test_what_is_not_a_whole_number_of_buckets_is_refused(fields: dict[str, Any], field: str, bucket: str) -> None:
    sentence = f"is not a whole number of buckets; this rule judges {bucket}, so write whole {bucket}"
    assert problems("threshold", above=1, **fields) == [(field, sentence)]


# ---- identity --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule_id", ["a", "0", "a-b-9", "x" * 64])
def test_ids_are_short_and_plain(rule_id: str) -> None:
    assert made("threshold", above=1, id=rule_id).id == rule_id


@pytest.mark.parametrize("rule_id", ["", "-a", "A", "a b", "a_b", "x" * 65, "a\n"])
def test_other_ids_are_refused(rule_id: str) -> None:
    assert "id" in refused("threshold", above=1, id=rule_id)


def test_unknown_fields_are_refused_without_repeating_what_was_written() -> None:
    with pytest.raises(ValidationError) as caught:
        ThresholdRule.model_validate({"id": "it", "kind": "threshold", "above": 1, "abvoe": "xoxb-secret"})
    said = str(caught.value)
    assert "Extra inputs are not permitted" in said
    assert "xoxb-secret" not in said


@pytest.mark.parametrize(
    "fields",
    [
        {"title": "Other"},
        {"runbook": "https://example.com"},
        {"notify": ["ops"]},
        {"enabled": False},
        {"remind_every": "2h"},
    ],
)
def test_words_and_routes_are_no_judging_fields(fields: dict[str, Any]) -> None:
    assert made("threshold", above=1, **fields).digest(UTC_FILE) == made("threshold", above=1).digest(UTC_FILE)


@pytest.mark.parametrize(
    "fields",
    [
        {"above": 2},
        {"above": None, "below": 1},
        {"above": {"critical": 1}},
        {"window": "2h"},
        {"for_": "2h"},
        {"where": {"Model": "a"}},
        {"where": {"Model": {"not": "a"}}},
        {"for_each": "Model"},
        {"bucket": "1d"},
        {"dataset": "skills"},
        {"clear_at": "80%"},
        {"max_series": 50},
        {"id": "other"},
    ],
)
def test_what_judges_is_part_of_the_digest(fields: dict[str, Any]) -> None:
    assert made("threshold", **{"above": 1, **fields}).digest(UTC_FILE) != made("threshold", above=1).digest(UTC_FILE)


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("threshold", {"above": {"warning": "60%"}, "statistic": "share", "where": {"B": "1", "A": ["2"]}}),
        ("budget", {"limit": 5, "period": {"every": "30d", "from": "2026-11-01", "timezone": "Asia/Kolkata"}}),
        ("budget", {"limit": 5, "period": {"every": "month", "starts_on": 31}, "levels": ["50%", "100%"]}),
        ("zscore", {"method": "robust"}),
    ],
)
def test_the_order_of_fields_is_not_part_of_the_digest(kind: str, fields: dict[str, Any]) -> None:
    turned = dict(reversed(list(fields.items())))
    digest = made(kind, **fields).digest(UTC_FILE)
    assert made(kind, **turned).digest(UTC_FILE) == digest
    assert len(digest) == 16


@pytest.mark.parametrize(
    ("kind", "fields", "spelled_out"),
    [
        ("threshold", {"above": 1}, {"dataset": "credit_usage", "statistic": "total", "min_total": 0, "where": {}}),
        ("threshold", {"above": 1, "for_each": "Model"}, {"max_series": 10_000}),
        ("absence", {"quiet_for": "2d", "for_each": "Model"}, {"severity": "warning", "min_active_days": 10}),
        ("budget", {"limit": 1}, {"period": "cycle", "levels": {"50%": "info", "80%": "warning", "100%": "critical"}}),
        ("zscore", {"method": "plain"}, {"baseline": "4w", "clear_at": "60%", "above": {"warning": 4, "critical": 6}}),
    ],
)
def test_a_default_that_is_written_out_judges_no_other(
    kind: str, fields: dict[str, Any], spelled_out: dict[str, Any]
) -> None:
    assert made(kind, **fields, **spelled_out).digest(UTC_FILE) == made(kind, **fields).digest(UTC_FILE)


@pytest.mark.parametrize(
    ("kind", "fields", "leans"),
    [
        ("threshold", {"above": 1}, False),
        ("zscore", {"method": "plain"}, False),
        ("absence", {"quiet_for": "2d"}, False),
        ("budget", {"limit": 1}, True),
        ("budget", {"limit": 1, "period": {"every": "month", "starts_on": 3, "timezone": "UTC"}}, False),
        ("budget", {"limit": 1, "period": "day", "bucket": "1d"}, False),  # these are UTC days
    ],
)
def test_only_periods_lean_on_the_files_calendar(kind: str, fields: dict[str, Any], leans: bool) -> None:
    rule = made(kind, **fields)
    assert (rule.digest(UTC_FILE) != rule.digest(BERLIN_FILE)) == leans
    if leans:
        assert rule.digest(UTC_FILE) != rule.digest(FileDefaults(ZoneInfo("UTC"), 2))


RECORDED = [
    ("threshold", {"above": 5000}, "5e059c0c4b05f569"),
    (
        "threshold",
        {"below": {"info": 9, "critical": 5}, "clear_at": "120%", "for": "2h", "resolve_after": "4h"},
        "25c39dd51b6df20e",
    ),
    (
        "threshold",
        {
            "above": "60%",
            "statistic": "share",
            "min_total": 500,
            "window": "24h",
            "where": {"Model": {"not": ["a", "b*"]}},
        },
        "7cfcde8ed16c0335",
    ),
    ("threshold", {"above": 1, "dataset": "query_volume", "for_each": "member", "max_series": 50}, "34d79526b0d69945"),
    ("budget", {"limit": 400_000}, "6272e6048adc2a7a"),
    (
        "budget",
        {"limit": 5, "period": {"every": "30d", "from": "2026-11-01"}, "levels": ["50%", "100%"]},
        "cdf62da13d89df06",
    ),
    ("zscore", {"method": "plain"}, "149ee31520dcc519"),
    (
        "zscore",
        {"method": "robust", "bucket": "1d", "baseline": "2w", "above": 5, "direction": "both", "min_change": 500},
        "d5acab71ce156c2b",
    ),
    ("absence", {"quiet_for": "2d"}, "9e0d74d68cc382ab"),
    (
        "absence",
        {"quiet_for": "5d", "for_each": "member", "min_active_days": 12, "severity": "info"},
        "581ff76bb5e0bff1",
    ),
    ("novelty", {"for_each": "Model"}, "127fbd8cd63ca81f"),
    (
        "novelty",
        {"for_each": "member", "unseen_for": "30d", "expected": ["*@x.example"], "severity": "critical"},
        "a9d9af570672ea3b",
    ),
]


# A digest that changes makes every stored rule a new one: open incidents close, and what is open is told anew. So these
# literals may only change together with the `algorithm` of their kind, where its judging changed. Whoever adds a field
# gives it a default that judges as before; whoever changes a default raises `algorithm`, for files that do not name the
# field keep their digest.
@pytest.mark.parametrize(("kind", "fields", "recorded"), RECORDED)
def test_an_upgrade_that_leaves_a_kinds_judging_alone_leaves_its_digests_alone(
    kind: str, fields: dict[str, Any], recorded: str
) -> None:
    assert made(kind, **fields).digest(BERLIN_FILE) == recorded


def test_digests_of_every_kind_are_recorded() -> None:
    schema = TypeAdapter[Rule](AnyRule).json_schema()
    assert {kind for kind, _, _ in RECORDED} == set(schema["discriminator"]["mapping"])


# ---- which series are watched ----------------------------------------------------------------------------------------

FOUR = {"Model=a": [1, 1], "Model=b": [5, 0], "Model=c": [0, 9], "Model=d": [2, 3]}


@pytest.mark.parametrize(
    ("most", "watched", "left_out"),
    [(10_000, "abcd", 0), (4, "abcd", 0), (3, "bcd", 1), (2, "bc", 2), (1, "c", 3)],  # b and d are equal
)
def test_of_too_many_series_the_largest_are_watched(most: int, watched: str, left_out: int) -> None:
    rule = made("threshold", above=1, for_each="Model", max_series=most)
    history = feed_history(FOUR)
    assert [series.labels for series in rule.watched(history)] == [{"Model": name} for name in watched]
    assert rule.left_out(history) == left_out


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("threshold", {"above": 1}),
        ("budget", {"limit": 1, "period": "year"}),
        ("zscore", {"method": "plain"}),
        ("absence", {"quiet_for": "2h"}),
    ],
)
def test_every_kind_judges_only_what_is_watched(kind: str, fields: dict[str, Any]) -> None:
    rule = made(kind, for_each="Model", max_series=2, **fields)
    judged = rule.judge(feed_history(FOUR), START, UTC_FILE)
    assert [findings.labels for findings in judged] == [{"Model": "b"}, {"Model": "c"}]


def test_without_for_each_nothing_is_left_out() -> None:
    rule = made("threshold", above=1, max_series=1)
    assert (len(rule.watched(feed_history(FOUR))), rule.left_out(feed_history(FOUR))) == (1, 0)


@pytest.mark.parametrize("most", [0, -1, 1_000_001, True, "5", 2.5])
def test_how_many_series_is_a_whole_number_from_1_up(most: object) -> None:
    assert "max_series" in refused("threshold", above=1, max_series=most)


# ---- who is told -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("notify", "expected"),
    [
        (None, {}),
        (["ops"], {"info": ["ops"], "warning": ["ops"], "critical": ["ops"]}),
        ({"critical": ["ops", "pager"]}, {"critical": ["ops", "pager"]}),
    ],
)
def test_a_list_is_told_of_every_severity(notify: Any, expected: dict[str, list[str]]) -> None:
    assert routes(made("threshold", above=1, notify=notify).notify) == expected


# ---- how often they are told -----------------------------------------------------------------------------------------

DAY_AND_NIGHT = timedelta(hours=24)


@pytest.mark.parametrize(
    ("kind", "fields", "expected"),
    [
        ("threshold", {"above": 1}, DAY_AND_NIGHT),
        ("threshold", {"above": 1, "window": "24h"}, DAY_AND_NIGHT),
        ("threshold", {"above": 1, "bucket": "1d"}, None),
        ("threshold", {"above": 1, "for_each": "member"}, None),
        ("threshold", {"above": 1, "dataset": "query_volume"}, None),
        ("zscore", {"method": "plain"}, DAY_AND_NIGHT),
        ("absence", {"quiet_for": "2d"}, DAY_AND_NIGHT),
        ("absence", {"quiet_for": "2d", "for_each": "member"}, None),
        ("budget", {"limit": 1}, None),
    ],
)
def test_reminders_come_after_a_day_but_not_of_days_and_budgets(
    kind: str, fields: dict[str, Any], expected: timedelta | None
) -> None:
    assert made(kind, **fields).reminds == expected


@pytest.mark.parametrize("kind", ["threshold", "budget", "zscore", "absence"])
@pytest.mark.parametrize("bucket", ["1h", "1d"])
@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("off", None),
        ("1h", timedelta(hours=1)),
        ("2h30m", timedelta(hours=2.5)),
        ("30d", timedelta(days=30)),
        (DAY_AND_NIGHT, DAY_AND_NIGHT),
    ],
)
def test_reminders_that_are_written_come_as_written(
    kind: str, bucket: str, written: object, expected: timedelta | None
) -> None:
    needed: dict[str, dict[str, Any]] = {
        "threshold": {"above": 1},
        "budget": {"limit": 1},
        "zscore": {"method": "plain"},
    }
    rule = made(kind, bucket=bucket, remind_every=written, **needed.get(kind, {"quiet_for": "2d"}))
    assert rule.reminds == expected
    assert not list(rule.problems())


@pytest.mark.parametrize(
    "written", ["59m", "0s", "on", "no", "", "1 h", 24, 1.5, True, False, [], timedelta(minutes=59)]
)
def test_other_reminders_are_refused(written: object) -> None:
    assert "write a duration of at least 1h such as 24h, or off" in refused("threshold", above=1, remind_every=written)


@pytest.mark.parametrize("written", ["off", "36h", "30d"])
def test_reminders_are_written_as_they_are_read(written: str) -> None:
    dumped = made("threshold", above=1, remind_every=written).model_dump(mode="json", by_alias=True, exclude_none=True)
    assert made(**dumped).reminds == made("threshold", above=1, remind_every=written).reminds


# ---- the schema for editors ------------------------------------------------------------------------------------------


def test_the_schema_names_fields_as_they_are_written() -> None:
    schema = TypeAdapter[Rule](AnyRule).json_schema()
    kinds = {name: schema["$defs"][name]["properties"] for name in schema["$defs"] if name.endswith("Rule")}
    assert all("for" in properties and "for_" not in properties for properties in kinds.values())
    assert "levels" in kinds["BudgetRule"]
    assert set(schema["discriminator"]["mapping"]) == {"threshold", "budget", "zscore", "absence", "novelty"}
    assert len(kinds) == 5


def test_a_kind_must_answer_for_itself() -> None:
    with pytest.raises(TypeError, match="abstract"):
        Rule(id="a", kind="none")  # type: ignore[abstract]


def test_a_days_wide_look_back_is_in_days() -> None:
    assert made("threshold", above=1, bucket="1d", window="7d").durations()["window"] == timedelta(days=7)


@pytest.mark.parametrize("value", [["A", "B"], "A*", {"not": "A"}])
def test_values_that_overlap_are_not_summed(value: object) -> None:
    assert "overlap" in problems("threshold", dataset="query_volume", where={"project": value}, above=1)[0][1]
    assert not problems("threshold", dataset="query_volume", where={"Feature": value}, above=1)
    assert not problems("threshold", dataset="query_volume", where={"project": "A"}, above=1)
    assert not problems("threshold", dataset="unheard_of", where={"project": value}, above=1)
