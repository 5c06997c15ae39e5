"""The tables, as migrations: each runs once, in order, and is never edited after a release.

Times are epoch seconds: INTEGER in the usage history, REAL where less than a second matters (what is due when, in which
order things were decided). STRICT throughout, since numpy's integers would be stored as blobs without a word.
"""

from __future__ import annotations

from sqlite_utils import Database, Migrations

from usage_watch.store.header import VERSION

_migrations = Migrations("usage_watch")


def migrate(tables: Database) -> None:
    """Bring the tables up to date, inside the caller's transaction."""
    _migrations.apply(tables)
    tables.conn.execute(f"PRAGMA user_version = {VERSION}")


@_migrations()
def usage_history(tables: Database) -> None:
    """What the source said, and how it aged."""
    _run(tables, _USAGE)


@_migrations()
def incidents_and_outbox(tables: Database) -> None:
    """What was found in it, and who is told."""
    _run(tables, _ALERTS)


@_migrations()
def answers(tables: Database) -> None:
    """What people said about what is usual."""
    _run(tables, _ANSWERS)


@_migrations()
def looked_up_members(tables: Database) -> None:
    """Whose hours are asked for once."""
    _run(tables, _LOOKUPS)


@_migrations()
def rules_file_reads(tables: Database) -> None:
    """How often the rules file was read, and whether it could be used."""
    _run(tables, _READS)


@_migrations()
def forgotten_members(tables: Database) -> None:
    """Of whom nothing is stored any more; and what is found by what refers to it, so that old messages can go."""
    _run(tables, _FORGOTTEN)


@_migrations()
def removed_counts(tables: Database) -> None:
    """How often counts of members were removed, and how many times of these a rule has judged."""
    _run(tables, _REMOVALS)


def _run(tables: Database, script: str) -> None:
    # Not executescript(): that commits the transaction it is called in.
    for statement in script.split(";\n"):
        tables.conn.execute(statement)


_USAGE = """
CREATE TABLE feed (
    id INTEGER PRIMARY KEY,
    dataset TEXT NOT NULL,
    width INTEGER NOT NULL CHECK (width IN (3600, 86400)),
    scope TEXT NOT NULL,  -- everyone, each-member or one member's email
    read_from INTEGER,  -- start of the oldest window that was read to its end, whether or not any bucket came
    polled_at REAL,  -- with whatever outcome
    read_at REAL,  -- with success
    retry_at REAL,  -- not to be asked before; NULL after a success
    failures INTEGER NOT NULL DEFAULT 0,  -- in a row
    last_error TEXT,
    usual_lag INTEGER,  -- seconds; this and the next four were learned at the last poll, NULL before one
    lag_from INTEGER,
    zero_age INTEGER,
    zeros_from INTEGER,
    still_for INTEGER,
    stale_from INTEGER,  -- end of the newest bucket with usage, while the sync seems to stand
    UNIQUE (dataset, width, scope)
) STRICT;
CREATE TABLE series (
    id INTEGER PRIMARY KEY,
    feed_id INTEGER NOT NULL REFERENCES feed,
    axis TEXT NOT NULL,  -- '' for a total
    category TEXT NOT NULL,
    member TEXT NOT NULL,  -- '' where the feed is everyone's
    UNIQUE (feed_id, axis, category, member)
) STRICT;
-- No row: unknown. A row and no value: zero.
CREATE TABLE fetch (
    feed_id INTEGER NOT NULL REFERENCES feed,
    start INTEGER NOT NULL,
    first_seen_at INTEGER NOT NULL,
    seen_at INTEGER NOT NULL,
    nonzero_at INTEGER,  -- when the feed's total was first seen to be more than zero
    zero_gap INTEGER,  -- seconds from the last poll that saw zero to nonzero_at; NULL where none did
    changed_at INTEGER NOT NULL,  -- when a known value last changed; at first, when it was first seen
    unchanged_polls INTEGER NOT NULL,  -- since then
    settled_at INTEGER,  -- never unset
    aged_at INTEGER,  -- when it would have settled, were the sync known to run; never unset
    axes TEXT NOT NULL,  -- JSON: since when each axis is known; one that is missing is unknown, not zero
    PRIMARY KEY (feed_id, start)
) STRICT, WITHOUT ROWID;
CREATE INDEX fetch_unsettled ON fetch (feed_id, start) WHERE settled_at IS NULL;
-- seen_at: since when this value is what we know; each poll that sees it again leaves the row alone.
CREATE TABLE bucket (
    series_id INTEGER NOT NULL REFERENCES series,
    start INTEGER NOT NULL,
    count INTEGER NOT NULL,
    seen_at INTEGER NOT NULL,
    PRIMARY KEY (series_id, start)
) STRICT, WITHOUT ROWID;
-- Superseded values, zeros too: each was what we knew from seen_at until superseded_at.
CREATE TABLE revision (
    id INTEGER PRIMARY KEY,
    series_id INTEGER NOT NULL REFERENCES series,
    start INTEGER NOT NULL,
    count INTEGER NOT NULL,
    seen_at INTEGER NOT NULL,
    superseded_at INTEGER NOT NULL
) STRICT;
CREATE INDEX revision_bucket ON revision (series_id, start);
CREATE TABLE poll (
    id INTEGER PRIMARY KEY,
    feed_id INTEGER NOT NULL REFERENCES feed,
    at REAL NOT NULL,
    fault TEXT,  -- NULL after a success
    detail TEXT
) STRICT;
CREATE INDEX poll_feed ON poll (feed_id, at);
-- The newest answer of each feed that was whole and not as documented, for a human to look at; cut to a length.
CREATE TABLE oddity (
    feed_id INTEGER NOT NULL PRIMARY KEY REFERENCES feed,
    at REAL NOT NULL,
    detail TEXT NOT NULL,
    body BLOB NOT NULL
) STRICT"""

_ALERTS = """
CREATE TABLE rule (
    id TEXT NOT NULL PRIMARY KEY,
    digest TEXT NOT NULL,
    speaks_from INTEGER,  -- what ended before is history; NULL until the rule judged fetched data
    seen_at REAL NOT NULL,  -- when this digest was first seen
    removed_at REAL
) STRICT, WITHOUT ROWID;
CREATE TABLE incident (
    id TEXT NOT NULL PRIMARY KEY,
    fingerprint TEXT NOT NULL,
    rule_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    title TEXT NOT NULL,
    runbook TEXT,
    labels TEXT NOT NULL,  -- JSON
    part TEXT,
    period_at INTEGER,
    started_at INTEGER NOT NULL,
    ended_at REAL,
    rank INTEGER NOT NULL,
    severity TEXT NOT NULL,
    evidence TEXT NOT NULL,  -- JSON
    sequence INTEGER NOT NULL,
    history INTEGER NOT NULL CHECK (history IN (0, 1)),
    looks_over INTEGER NOT NULL CHECK (looks_over IN (0, 1)),
    closed TEXT,
    retracted INTEGER NOT NULL CHECK (retracted IN (0, 1)),
    quiet INTEGER NOT NULL CHECK (quiet IN (0, 1)),
    committed_at REAL NOT NULL
) STRICT;
CREATE INDEX incident_end ON incident (ended_at);
CREATE TABLE conversation (
    id TEXT NOT NULL PRIMARY KEY,
    target TEXT NOT NULL,
    rule_id TEXT NOT NULL,
    subject TEXT NOT NULL,
    ref TEXT  -- the provider's handle of the first message; NULL before it was sent
) STRICT, WITHOUT ROWID;
CREATE TABLE outbox (
    seq INTEGER PRIMARY KEY,  -- the order of sending
    id TEXT NOT NULL UNIQUE,
    target TEXT NOT NULL,
    conversation_id TEXT NOT NULL REFERENCES conversation,
    reason TEXT NOT NULL,
    body TEXT NOT NULL,  -- JSON
    state TEXT NOT NULL CHECK (
        state IN ('queued', 'leased', 'sent', 'blocked', 'dead', 'undeliverable', 'recalled')
    ),
    attempts INTEGER NOT NULL DEFAULT 0,  -- how often it was leased
    attempted_at REAL,
    next_attempt_at REAL,
    lease_until REAL,
    unsure INTEGER NOT NULL DEFAULT 0 CHECK (unsure IN (0, 1)),  -- an attempt may have arrived
    minimal INTEGER NOT NULL DEFAULT 0 CHECK (minimal IN (0, 1)),  -- the whole was refused: only the least is said
    last_error TEXT,
    provider_ref TEXT,
    created_at REAL NOT NULL,  -- when it was decided; of a recalled message, when that was
    ended_at REAL  -- when it was sent, given up or recalled
) STRICT;
CREATE INDEX outbox_unsent ON outbox (
    conversation_id, seq, state, target, attempts, lease_until, next_attempt_at, attempted_at, created_at
) WHERE state IN ('queued', 'leased', 'blocked');
CREATE INDEX outbox_state ON outbox (state, target);
-- The oldest unsent row of each conversation (its columns go with min): the only one that may go next, and when.
CREATE VIEW outbox_head AS
    SELECT min(seq) AS seq, target, attempts, coalesce(lease_until, next_attempt_at) AS due_at,
           coalesce(attempted_at, next_attempt_at) AS set_at
    FROM outbox INDEXED BY outbox_unsent WHERE state IN ('queued', 'leased', 'blocked') GROUP BY conversation_id;
CREATE INDEX outbox_given_up ON outbox (ended_at) WHERE state = 'dead';
-- How it goes with each channel; `retry_at` holds all of its messages.
CREATE TABLE target (
    name TEXT NOT NULL PRIMARY KEY,
    settings TEXT NOT NULL,  -- a digest: another one is another chance
    failures INTEGER NOT NULL DEFAULT 0,  -- in a row
    failing_from REAL,
    unstated_from REAL,  -- since when a target by state could not be told again what stands
    blocked_from REAL,
    tried_at REAL,
    retry_at REAL,
    last_error TEXT
) STRICT, WITHOUT ROWID;
CREATE TABLE notification (
    incident_id TEXT NOT NULL REFERENCES incident,
    target TEXT NOT NULL,
    reason TEXT NOT NULL,
    ordinal INTEGER NOT NULL,
    rank INTEGER NOT NULL,
    face TEXT NOT NULL,  -- what the message showed: another one is news for those who can edit theirs
    decided_at REAL NOT NULL,
    outbox_id TEXT NOT NULL REFERENCES outbox (id),
    PRIMARY KEY (incident_id, target, reason, ordinal)
) STRICT, WITHOUT ROWID;
CREATE TABLE decision (
    id INTEGER PRIMARY KEY,
    at REAL NOT NULL,
    incident_id TEXT NOT NULL REFERENCES incident,
    target TEXT,
    reason TEXT NOT NULL,
    told INTEGER NOT NULL CHECK (told IN (0, 1)),
    why TEXT NOT NULL
) STRICT;
CREATE INDEX decision_incident ON decision (incident_id, id);
CREATE TABLE silence (
    id TEXT NOT NULL PRIMARY KEY,
    matchers TEXT NOT NULL,  -- JSON
    from_at REAL NOT NULL,
    until_at REAL NOT NULL,
    author TEXT NOT NULL,
    reason TEXT NOT NULL,
    created_at REAL NOT NULL,
    expired_at REAL  -- by hand, before its end
) STRICT, WITHOUT ROWID;
CREATE TABLE ack (
    id INTEGER PRIMARY KEY,
    incident_id TEXT NOT NULL REFERENCES incident,
    rank INTEGER NOT NULL,  -- up to which level it is known
    at REAL NOT NULL,
    author TEXT NOT NULL,
    note TEXT
) STRICT;
CREATE INDEX ack_incident ON ack (incident_id, id)"""

_ANSWERS = """
CREATE TABLE answer (
    id INTEGER PRIMARY KEY,
    incident_id TEXT NOT NULL REFERENCES incident,
    kind TEXT NOT NULL CHECK (kind IN ('expected', 'rebaseline')),
    from_at REAL CHECK (kind <> 'rebaseline' OR from_at IS NOT NULL),  -- NULL: the incident's start
    until_at REAL,  -- NULL: the incident's end; of a new usual, until when it is judged as before
    at REAL NOT NULL,
    author TEXT NOT NULL,
    note TEXT,
    taken_back_at REAL,  -- or something else was said
    taken_back_by TEXT
) STRICT;
CREATE INDEX answer_incident ON answer (incident_id, id);
CREATE UNIQUE INDEX answer_standing ON answer (incident_id) WHERE taken_back_at IS NULL;
-- Whoever answers knows of it, as long as the answer stands; NULL for one that only knows.
ALTER TABLE ack ADD COLUMN answer_id INTEGER REFERENCES answer"""

_LOOKUPS = """
-- Which members' hours are wanted for which incident, once.
CREATE TABLE lookup (
    incident_id TEXT NOT NULL PRIMARY KEY REFERENCES incident,
    dataset TEXT NOT NULL,
    members TEXT NOT NULL,  -- JSON: emails, in the order in which they are asked for
    from_at INTEGER NOT NULL,
    until_at INTEGER NOT NULL,
    wanted_at REAL NOT NULL,
    asked INTEGER NOT NULL DEFAULT 0,  -- how many of them were asked for, with whatever outcome
    failures INTEGER NOT NULL DEFAULT 0,  -- of the source as a whole, in a row
    retry_at REAL
) STRICT, WITHOUT ROWID"""

_READS = """
CREATE TABLE rules_read (
    id INTEGER PRIMARY KEY,
    at REAL NOT NULL,
    refusal TEXT,  -- why what was read is not used; NULL where it is
    outcome TEXT NOT NULL  -- one sentence for whoever asked for it
) STRICT"""

_FORGOTTEN = """
-- Members of whom nothing is to be stored again. Never the address: a digest of it, keyed with the salt.
CREATE TABLE forgotten (
    digest BLOB NOT NULL PRIMARY KEY,
    salt BLOB NOT NULL,
    at REAL NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX notification_post ON notification (outbox_id);
CREATE INDEX outbox_conversation ON outbox (conversation_id)"""

_REMOVALS = """
ALTER TABLE forgotten ADD COLUMN removals INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rule ADD COLUMN removals INTEGER NOT NULL DEFAULT 0"""
