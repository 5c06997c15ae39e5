"""rules.example.yaml, and the JSON Schema that editors check it by."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from usage_watch import yamlfile
from usage_watch.config import load, read, schema, warnings

ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / "rules.example.yaml"
PACKAGED = ROOT / "usage_watch" / "rules.schema.json"
WRITE_IT = (
    "python -c 'import json; from usage_watch.config import schema; "
    "print(json.dumps(schema(), indent=2, ensure_ascii=False))' > usage_watch/rules.schema.json"
)


def data(text: str) -> dict[str, Any]:
    return yamlfile.parse(text.encode(), "rules.yaml").data


def test_the_example_loads_without_fault_or_warning() -> None:
    config = load(EXAMPLE)
    assert warnings(config, {}, {}) == []


def test_the_example_has_one_of_every_kind() -> None:
    config = load(EXAMPLE)
    used = {rule.kind for rule in config.rules} | {channel.kind for channel in config.channels.values()}
    kinds = {field["const"] for definition in definitions() if (field := definition.get("properties", {}).get("kind"))}
    assert used == kinds
    assert len(kinds) >= 8


def test_the_example_shows_every_field_that_means_anything_yet() -> None:
    text = EXAMPLE.read_text()
    names = {name for definition in definitions() for name in definition.get("properties", {})}
    missing = {name for name in names if not re.search(rf"(?<![\w-]){name}:", text)}
    assert missing <= {"of", "burn"}


def test_the_short_file_in_the_examples_comments_is_whole() -> None:
    lines = EXAMPLE.read_text().splitlines()
    first = next(n for n, line in enumerate(lines) if line.startswith("#   "))
    last = max(n for n, line in enumerate(lines[: first + 20]) if line.startswith("#   "))
    short = [line.removeprefix("#   ") for line in lines[first : last + 1]]
    assert len(short) == 10
    config = read(yamlfile.parse("\n".join(short).encode(), "short"))
    assert [rule.id for rule in config.rules] == ["paid-cycle", "unusual-hour"]
    assert warnings(config, {}, {}) == []


def test_the_examples_first_line_names_the_packaged_schema() -> None:
    first = EXAMPLE.read_text().splitlines()[0]
    name = first.removeprefix("# yaml-language-server: $schema=")
    assert (EXAMPLE.parent / name).resolve() == PACKAGED.resolve()


def test_the_packaged_schema_is_what_the_models_say() -> None:
    assert json.loads(PACKAGED.read_text()) == schema(), f"write it anew: {WRITE_IT}"


def test_the_schema_is_sound_and_takes_the_example() -> None:
    Draft202012Validator.check_schema(schema())
    Draft202012Validator(schema()).validate(data(EXAMPLE.read_text()))


def definitions() -> Iterator[dict[str, Any]]:
    made = schema()
    yield made
    yield from made["$defs"].values()


def test_every_field_in_the_schema_says_what_it_means() -> None:
    silent = [
        f"{definition['title']}.{name}"
        for definition in definitions()
        for name, field in definition.get("properties", {}).items()
        if len(field.get("description", "")) < 8
    ]
    assert silent == []


def test_the_schema_knows_no_null_for_nothing_may_be_left_empty() -> None:
    assert '"null"' not in json.dumps(schema())
    assert "null" not in json.dumps(schema())


@pytest.mark.parametrize(
    "text",
    [
        "bilingday: 3",
        "billing_day: 32",
        "web: {listen: 8321}",
        "channels: {Ops: {kind: log}}",
        "channels: {ops: {kind: slak}}",
        "channels: {ops: {kind: slack, token: xoxb-1}}",
        "notify: ops",
        "notify: {wrning: [ops]}",
        "rules: [{id: a, kind: budget}]",
        "rules: [{id: a, kind: budget, limit: 5, levels: {warning: 80}}]",
        "rules: [{id: a, kind: budget, limit: 5, period: fortnight}]",
        "rules: [{id: a, kind: threshold, above: {crit: 5}}]",
        "rules: [{id: a, kind: threshold, above: 5, bucket: 2h}]",
        "rules: [{id: a, kind: threshold, above: 5, enabled: perhaps}]",
        "rules: [{id: a, kind: threshold, above: 5, where: {Model: {nor: x}}}]",
        "rules: [{id: a, kind: zscore, method: rubost}]",
        "rules: [{id: a, kind: absence}]",
        "rules: [{id: a, kind: absence, quiet_for: 2d, severity: page}]",
        "rules: [{id: a, kind: absence, quiet_for: 2d, for_each: Model, min_active_days: 29}]",
        "rules: [{id: a, kind: threshold, above: 5, max_series: 0}]",
        "rules: [{id: a, kind: threshold, above: 5, remind_every: on}]",
        "rules: [{id: a, kind: threshold, above: 5, remind_every: 24}]",
        "meta: [ops]",
        "meta: {notify: ops}",
        "rules: [{id: a, kind: zscore, method: plain, baseline: 28}]",
    ],
)
def test_an_editor_marks_what_the_program_refuses(text: str) -> None:
    assert not Draft202012Validator(schema()).is_valid(data(text))


def test_reading_the_rules_file_imports_no_client_library() -> None:
    code = "import sys, usage_watch.config; print(*{name.split('.')[0] for name in sys.modules})"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert not {"httpx", "slack_sdk", "sqlite_utils", "smtplib", "click"} & set(out.stdout.split())
