"""Incidents in a line each, and as data."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from usage_watch.cli.common.printing import print_table
from usage_watch.views.incidents import began, ended, is_open, line
from usage_watch.views.orders import Word, Words

if TYPE_CHECKING:
    from usage_watch.core.incident import Incident
    from usage_watch.core.lessons import Answer
    from usage_watch.views.times import Reader


def print_open(incidents: Iterable[Incident], words: Words, reader: Reader) -> None:
    """A line each, without when they ended."""
    rows = ((*_name(each), began(each, reader), line(each, words, reader)) for each in incidents)
    print_table(("id", "severity", "rule", "since", "what"), rows, "")


def print_all(incidents: Iterable[Incident], words: Words, reader: Reader, nothing: str) -> None:
    """A line each."""
    rows = ((*_name(each), began(each, reader), ended(each, reader), line(each, words, reader)) for each in incidents)
    print_table(("id", "severity", "rule", "since", "until", "what"), rows, nothing)


def _name(incident: Incident) -> tuple[str, str, str]:
    return incident.id, incident.severity, incident.rule.id


def incident_json(incident: Incident, word: Word | None = None) -> dict[str, Any]:
    """An incident for programs, in the names of the webhook's body; and what people said of it, where that is known."""
    evidence, rule = incident.evidence, incident.rule
    return {
        "id": incident.id,
        "rule": rule,
        "labels": incident.labels,
        "part": incident.part,
        "period": incident.period_at,
        "severity": incident.severity,
        "open": is_open(incident),
        "looks_over": incident.looks_over,
        "started_at": incident.started_at,
        "ended_at": incident.ended_at,
        "closed": incident.closed,
        "retracted": incident.retracted,
        "history": incident.history,
        "dataset": evidence.dataset,
        "bucket": evidence.bucket,
        "unit": evidence.unit,
        "value": evidence.value,
        "limit": evidence.limit,
        "score": evidence.score,
        "judged_from": evidence.from_at,
        "judged_until": evidence.until_at,
        "summary": evidence.summary,
        "facts": evidence.facts,
        "why": evidence.why,
        "contributors": evidence.contributors,
        "after": evidence.after,
        **({} if word is None else _word_json(word, incident)),
    }


def _word_json(word: Word, incident: Incident) -> dict[str, Any]:
    ack, silence = word.ack, word.silence
    return {
        "answer": word.answer and _answer_json(word.answer, incident),
        "ack": ack and {"at": ack.at, "author": ack.author, "note": ack.note, "stands": word.known},
        "silence": silence
        and {"id": silence.id, "until": silence.ends_at, "author": silence.author, "reason": silence.reason},
        "mute": word.mute and {"name": word.mute.name, "until": word.mute_ends_at},
    }


def _answer_json(answer: Answer, incident: Incident) -> dict[str, Any]:
    """`until` is null while the alert goes on, and of a new usual."""
    from usage_watch.core.lessons import AnswerKind

    open_ended = answer.kind is AnswerKind.REBASELINE
    return {
        "kind": answer.kind,
        "from": answer.from_at or incident.started_at,
        "until": None if open_ended else answer.until_at or incident.ended_at,
        "at": answer.at,
        "author": answer.author,
        "note": answer.note,
        "stands": answer.stands,
        "taken_back_at": answer.taken_back_at,
        "taken_back_by": answer.taken_back_by,
    }
