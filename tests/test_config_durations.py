"""Task durations in the rules file: names of bands, and limits that nothing can pass."""

from __future__ import annotations

import math

import pytest

from usage_watch.config import Config, read, warnings
from usage_watch.config.advice import Seen
from usage_watch.config.schemas import schema
from usage_watch.errors import RulesFileError
from usage_watch.yamlfile import parse

SEEN: Seen = {("task_durations", "Task Duration"): ["<1m", "1-5 min", "5–15m", "15m-1h", "1h+"]}
TOLD = "channels: {screen: {kind: log}}\nnotify: [screen]\n"
P95 = "statistic: p95, above: 30m"


def config(text: str) -> Config:
    return read(parse(text.encode(), "rules.yaml"))


def rule(fields: str, top: str = "") -> str:
    return f"{TOLD}{top}rules:\n- {{id: slow, kind: threshold, dataset: task_durations, {fields}}}\n"


def hints(text: str, seen: Seen = SEEN) -> list[str]:
    return [f"{fault.line}:{fault.column}: {fault.message}" for fault in warnings(config(text), {}, seen)]


@pytest.mark.parametrize(
    ("written", "edges"),
    [
        ("[0s, 2m]", (0.0, 120.0)),
        ("[1h30m, 1d]", (5400.0, 86_400.0)),
        ("[1h]", (3600.0, math.inf)),
        ("off", (0.0, 0.0)),
    ],
)
def test_a_band_has_a_name_and_its_times(written: str, edges: tuple[float, float]) -> None:
    assert config(f"bands: {{Quick: {written}}}").defaults.bands == {"Quick": edges}


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        ("5m", "write from and to such as [1m, 5m], [1h] for all that took longer, or off"),
        ("no", "write from and to"),
        ("[]", "write from and to"),
        ("[1, 2]", "write from and to"),
        ("[1m, 2m, 3m]", "write from and to"),
        ("{from: 1m}", "write from and to"),
        ("[2m, 1m]", "must end after it begins"),
        ("[1m, 1m]", "must end after it begins"),
    ],
)
def test_what_is_no_stretch_of_time_is_refused(written: str, sentence: str) -> None:
    with pytest.raises(RulesFileError) as caught:
        config(f"bands: {{Quick: {written}}}")
    [fault] = caught.value.faults
    assert (fault.line, fault.column) == (1, 16)
    assert sentence in fault.message


def test_an_open_end_is_left_out_and_not_left_empty() -> None:
    with pytest.raises(RulesFileError) as caught:
        config("bands: {Quick: [1h, null]}")
    assert any("is empty; write a value, or leave it out" in fault.message for fault in caught.value.faults)


def test_editors_know_how_bands_and_statistics_are_written() -> None:
    made = schema()
    edges = made["properties"]["bands"]["additionalProperties"]["anyOf"]
    assert [each.get("enum") or (each["minItems"], each["maxItems"]) for each in edges] == [(1, 2), ["off"]]
    statistic = made["$defs"]["ThresholdRule"]["properties"]["statistic"]["anyOf"]
    assert {each["$ref"].rpartition("/")[2] for each in statistic} == {"Statistic", "ShareOver"}


@pytest.mark.parametrize(
    ("fields", "hint"),
    [
        (
            "statistic: p95, above: 1h",
            "4:79: `p95` is never seen to be over this, since the last band is open from 1 h on; "
            "write `statistic: {share_over: 1h}`",
        ),
        ("statistic: mean, above: {warning: 30m, critical: 90m}", "4:105: `mean` is never seen to be over this"),
        ("statistic: p50, below: 2h", "4:79: `p50` is never seen to be as much as this"),
        (
            "statistic: {share_over: 2h}, above: 5%",
            "4:80: no task is known to have taken so long, since the last band is open from 1 h on; write 1h or less",
        ),
    ],
)
def test_a_limit_beyond_the_open_last_band_is_a_warning(fields: str, hint: str) -> None:
    [found] = hints(rule(fields))
    assert found.startswith(hint)


@pytest.mark.parametrize(
    "text",
    [
        rule(P95),
        rule("statistic: p50, below: 1h"),
        rule("statistic: {share_over: 1h}, above: 5%"),
        rule("above: 5"),
        rule("statistic: p95, above: 2h", "bands: {1h+: [1h, 3h]}\n"),
    ],
)
def test_what_can_be_seen_is_not_warned_of(text: str) -> None:
    assert hints(text) == []
    assert hints(text, {}) == []


def test_a_score_has_no_limit_in_time() -> None:
    zscore = f"{TOLD}rules:\n- {{id: a, kind: zscore, dataset: task_durations, method: plain, statistic: mean}}\n"
    assert hints(zscore) == []


def test_a_name_that_says_no_time_is_a_warning_where_a_rule_needs_it() -> None:
    seen = {("task_durations", "Task Duration"): ["1-5 min", 'The "long" ones', "Quick"]}
    assert hints(rule(P95, "bands: {quick: [0s, 1m]}\n"), seen) == [
        '5:67: no window that holds tasks of the band `The "long" ones` can be judged, for its name says no time; '
        'write `bands: {"The \\"long\\" ones": [1m, 5m]}` with its times, or off'
    ]
    assert hints(rule("above: 5"), seen) == []


def test_a_name_that_history_never_saw_is_a_warning() -> None:
    assert hints(rule(P95, "bands: {1h +: [1h, 3h]}\n")) == ["3:9: history has never seen `1h +`; did you mean `1h+`?"]
