"""RULE KINDS. One file each: settings, docs and behaviour side by side; a new kind is one file and one line here."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from usage_watch.rules.absence import AbsenceRule
from usage_watch.rules.budget import BudgetRule
from usage_watch.rules.common import FileDefaults, Problem, Rule, routes
from usage_watch.rules.novelty import NoveltyRule
from usage_watch.rules.threshold import ThresholdRule
from usage_watch.rules.zscore import ZscoreRule

AnyRule = Annotated[ThresholdRule | BudgetRule | ZscoreRule | AbsenceRule | NoveltyRule, Field(discriminator="kind")]

__all__ = ["AnyRule", "FileDefaults", "Problem", "Rule", "routes"]
