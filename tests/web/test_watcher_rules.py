"""The alert rules for the watcher itself, as promtool reads them."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from tests.web.promtool import require
from tests.web.talking import vitals
from tests.web.test_pages import FULL, shown

FOLDER = Path(__file__).parents[2] / "deploy" / "prometheus"


def promtool(*arguments: str) -> str:
    done = subprocess.run([require("promtool"), *arguments], cwd=FOLDER, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_they_are_rules() -> None:
    assert "SUCCESS: 10 rules found" in promtool("check", "rules", "usage-watch.rules.yml")


def test_each_fires_when_it_is_to_and_not_before() -> None:
    assert "SUCCESS" in promtool("test", "rules", "usage-watch.test.yml")
    rules, tests = ((FOLDER / name).read_text() for name in ("usage-watch.rules.yml", "usage-watch.test.yml"))
    for alert in re.findall(r"alert: (\w+)", rules):
        assert alert in tests


def test_they_ask_for_nothing_that_is_not_there() -> None:
    found = vitals()
    found.publish(FULL)
    text = (FOLDER / "usage-watch.rules.yml").read_text()
    named = set(re.findall(r"usage_watch_\w+", text))
    assert named <= set(re.findall(r"^(usage_watch_\w+)[{ ]", shown(found), re.MULTILINE))
