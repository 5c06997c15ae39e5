"""What people said of alerts: who knows of one, and what holds it back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from usage_watch.views import answers

if TYPE_CHECKING:
    from usage_watch.config import Config
    from usage_watch.core.incident import Incident
    from usage_watch.core.lessons import Answer
    from usage_watch.core.mute import Mute
    from usage_watch.core.silence import Ack, Silence
    from usage_watch.store.database import Database
    from usage_watch.views.times import Reader


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
