"""What people said of alerts: who knows of one, and what holds it back."""

from __future__ import annotations

import getpass
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from usage_watch.cli.common import answers
from usage_watch.errors import UsageError

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from usage_watch.cli.common.times import Reader
    from usage_watch.config import Config
    from usage_watch.core.incident import Incident
    from usage_watch.core.lessons import Answer
    from usage_watch.core.mute import Mute
    from usage_watch.core.silence import Ack, Silence
    from usage_watch.store.database import Database

_LONGEST = 1_000
"""Characters of what somebody says."""
TIME = "2026-11-23T18:00, or 2026-11-23T18:00Z"
"""How a time is written."""
_FURTHEST = timedelta(days=100 * 365)
"""From now: what lies beyond was hardly meant."""


@dataclass(frozen=True, slots=True)
class Word:
    """What people said of one alert."""

    ack: Ack | None = None
    """The latest."""
    known: bool = False
    """The acknowledgement still stands."""
    silence: Silence | None = None
    """What somebody holds it back by now."""
    mute: Mute | None = None
    """What the rules file holds it back by now."""
    mute_ends_at: datetime | None = None
    """When that ends; None where it never does."""
    answer: Answer | None = None
    """The latest about what is usual; it may have been taken back."""


NOTHING = Word()

Words = Mapping[str, Word]
"""By the incident's id; one that is missing is `NOTHING`."""


def words_of(config: Config, database: Database, incidents: Sequence[Incident], now: datetime) -> Words:
    """What people said of these, and what the rules file does."""
    from usage_watch.store.answers import AnswerStore
    from usage_watch.store.silences import SilenceStore

    store, ids = SilenceStore(database), [incident.id for incident in incidents]
    silences, acks, answered = store.all(now), store.acks(ids), AnswerStore(database).latest(ids)
    over_at = _over_at(database, list(acks))
    words = (_word(each, acks.get(each.id), over_at.get(each.id), answered.get(each.id)) for each in incidents)
    found = zip(incidents, words, strict=True)
    return {each.id: _held(word, each, silences, config.mutes, now) if each.open else word for each, word in found}


def serious(incidents: Iterable[Incident], words: Words) -> bool:
    """Whether one of these open ones is of warning or above, and nobody has acknowledged it."""
    return any(each.severity != "info" and not words.get(each.id, NOTHING).known for each in incidents)


def _word(incident: Incident, ack: Ack | None, over_at: datetime | None, answer: Answer | None) -> Word:
    return Word(ack, ack is not None and ack.stands(incident, over_at), answer=answer)


def _held(word: Word, incident: Incident, silences: Sequence[Silence], mutes: Sequence[Mute], now: datetime) -> Word:
    """With what holds it back."""
    from usage_watch.core.hold import heard_from, holding

    silence, mute = holding(silences, incident, now), holding(mutes, incident, now)
    if mute is None:
        return replace(word, silence=silence)
    return replace(word, silence=silence, mute=mute, mute_ends_at=heard_from(mutes, incident, now))


def _over_at(database: Database, ids: Sequence[str]) -> dict[str, datetime]:
    """When each of these was last told to be over."""
    from usage_watch.core.promise import said_over_at
    from usage_watch.store.alerts import AlertStore

    told = AlertStore(database).told(ids)
    over_at = {name: said_over_at(each for each in told if each.notification.incident_id == name) for name in ids}
    return {name: at for name, at in over_at.items() if at is not None}


def notes(word: Word, reader: Reader) -> Iterator[str]:
    """What a line says of it: `acknowledged by ana`, `silenced until 17:00 by bo`."""
    if word.answer is not None and word.answer.stands:
        yield answers.note(word.answer)
    if word.known and word.ack is not None and not _comes_with(word.ack, word.answer):
        yield f"acknowledged by {word.ack.author}"
    if word.silence is not None:
        yield f"silenced until {reader.moment(word.silence.ends_at)} by {word.silence.author}"
    if word.mute is not None:
        yield f"muted {_until(word, reader)} by {word.mute.name}"


def _comes_with(ack: Ack, answer: Answer | None) -> bool:
    """Whether it was the answer that said it."""
    return answer is not None and (answer.at, answer.author) == (ack.at, ack.author)


def _until(word: Word, reader: Reader) -> str:
    return f"until {reader.moment(word.mute_ends_at)}" if word.mute_ends_at else "always"


def facts(word: Word, incident: Incident, reader: Reader) -> Iterator[tuple[str, str]]:
    """All that there is to it, as names and values."""
    if word.answer is not None:
        yield answers.fact(word.answer, incident, reader)
    if word.ack is not None:
        stands = "" if word.known else "; that was before it rose, ended or came again"
        said = f": {word.ack.note}" if word.ack.note else ""
        yield "Acknowledged", f"{reader.moment(word.ack.at)} by {word.ack.author}{stands}{said}"
    if (silence := word.silence) is not None:
        until = reader.moment(silence.ends_at)
        yield "Silenced", f"until {until} by {silence.author} ({silence.id}): {silence.reason}"
    if word.mute is not None:
        yield "Muted", f"{_until(word, reader)}: {word.mute.name}"


def word_json(word: Word, incident: Incident) -> dict[str, Any]:
    """For programs."""
    ack, silence = word.ack, word.silence
    return {
        "answer": word.answer and answers.answer_json(word.answer, incident),
        "ack": ack and {"at": ack.at, "author": ack.author, "note": ack.note, "stands": word.known},
        "silence": silence
        and {"id": silence.id, "until": silence.ends_at, "author": silence.author, "reason": silence.reason},
        "mute": word.mute and {"name": word.mute.name, "until": word.mute_ends_at},
    }


def said(option: str, text: str) -> str:
    """What somebody wants kept, without blanks around it; UsageError where there is nothing, or no text."""
    text = text.strip()
    if not text:
        raise UsageError(f"{option} is empty; say it in a few words.")
    if len(text) > _LONGEST:
        raise UsageError(f"{option} is too long; say it in at most {_LONGEST:,} characters.")
    return readable(option, text)


def moment(option: str, text: str, zone: ZoneInfo, now: datetime) -> datetime:
    """A time that somebody wrote, in `zone` where it names none; UsageError where it is no time."""
    try:
        at = datetime.fromisoformat(text)
        at = (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise UsageError(f"{option} {text!r} is no time; write {TIME}.") from None
    if abs(at - now) > _FURTHEST:
        raise UsageError(f"{option} {text!r} is more than 100 years away; write {TIME}.")
    return at


def readable(what: str, text: str) -> str:
    """The text; UsageError where the shell passed bytes that are no text, since they could not be stored."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UsageError(f"{what} is no text in UTF-8; write it again.") from None
    return text


def author(written: str | None) -> str:
    """Who says so: the login name, where nothing is written; UsageError where there is none."""
    return said("--author", _login() if written is None else written)


def _login() -> str:
    try:
        # Commands run as the daemon's user: who that is says less than who became it.
        name = os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):
        name = ""
    if not name.strip():
        raise UsageError("it is not known who you are: say it with --author NAME.")
    return name


def named(incidents: Iterable[Incident], most: int = 5) -> str:
    """`runaway, heavy-day (ana@example.com) and 3 more`."""
    names = [_named(incident) for incident in incidents]
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _named(incident: Incident) -> str:
    labels = ", ".join(incident.labels.values())
    return f"{incident.rule.id} ({labels})" if labels else incident.rule.id
