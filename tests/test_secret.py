"""Secrets: how they are named, read and refused, and that none of it ever shows one."""

from __future__ import annotations

import copy
import dataclasses
import json
import logging
import os
import pickle
import traceback
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, ValidationError

from usage_watch.errors import SecretError
from usage_watch.secret import MAX_BYTES, Secret, SecretRef, complaints

SECRETS = st.text(max_size=30).map(lambda text: f"s3cr3t-{text}")


class Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    token: SecretRef = SecretRef(env="TOKEN")
    others: SecretRef | tuple[SecretRef, ...] | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Holder:
    secret: Secret


# The value


@given(text=SECRETS)
def test_a_secret_shows_itself_to_nobody(text: str) -> None:
    secret = Secret(text)
    logged = logging.LogRecord("name", logging.INFO, "path", 1, "%s", (secret,), None).getMessage()
    shown = [repr(secret), str(secret), f"{secret}", f"{secret!s:>20}", logged, str({"key": secret})]
    shown += [repr(Holder(secret)), json.dumps([secret], default=str, ensure_ascii=False)]
    assert all("Secret(…)" in text and "s3cr3t" not in text for text in shown)
    assert secret.reveal() == text


@pytest.mark.parametrize(
    "take",
    [
        lambda secret: pickle.dumps(secret, 0),
        pickle.dumps,
        lambda secret: pickle.dumps(Holder(secret)),
        lambda secret: dataclasses.asdict(Holder(secret)),
        copy.deepcopy,
        json.dumps,
        vars,
    ],
)
def test_a_secret_cannot_be_taken_along(take: Any) -> None:
    with pytest.raises(TypeError) as caught:
        take(Secret("s3cr3t"))
    assert "s3cr3t" not in str(caught.value)


def test_a_secret_is_not_seen_among_the_variables_of_a_traceback() -> None:
    secret = Secret("".join(["s3", "cr3t"]))
    try:
        raise SecretError(f"{secret} is wrong")
    except SecretError as error:
        lines = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    assert "secret = Secret(…)" in lines
    assert "s3cr3t" not in lines


def test_a_secret_does_not_change_and_is_equal_to_its_like() -> None:
    secret = Secret("a")
    with pytest.raises(AttributeError):
        secret._text = "b"
    assert secret == Secret("a")
    assert secret not in (Secret("b"), Secret("é"), Secret("\ud800"), "a")
    assert len({secret, Secret("a"), Secret("b")}) == 2


# The reference


@pytest.mark.parametrize(
    ("written", "described"),
    [
        ({"env": "API_KEY"}, "env API_KEY"),
        ({"env": "_k1"}, "env _k1"),
        ({"file": "/run/secrets/smtp"}, "file /run/secrets/smtp"),
        ({"file": "with space"}, "file with space"),
        ({"credential": "api-key.v1"}, "credential api-key.v1"),
    ],
)
def test_a_reference_names_one_place_and_is_written_as_it_was_read(written: dict[str, str], described: str) -> None:
    ref = SecretRef.model_validate(written)
    assert ref.describe() == described
    assert ref.model_dump() == written
    assert SecretRef(**written) == ref
    jsonschema.validate({"token": written}, Settings.model_json_schema())


def test_a_reference_made_in_python_is_taken_as_it_is() -> None:
    assert Settings(token=SecretRef(file="/x")).token.describe() == "file /x"
    assert Settings.model_json_schema()["properties"]["token"]["default"] == {"env": "TOKEN"}


ADVICE = "write {env: NAME}, {file: PATH} or {credential: NAME}; secrets are never written in this file"
ENV = "`env` takes the name of an environment variable, not the secret itself"
FILE = "`file` takes the path of a file that holds the secret and nothing else, not the secret itself"
CREDENTIAL = "`credential` takes the name of a systemd credential, without a path, not the secret itself"


@pytest.mark.parametrize(
    ("written", "advice"),
    [
        ("xoxb-1", ADVICE),
        (12345678, ADVICE),
        (None, ADVICE),
        (["xoxb-1"], ADVICE),
        ({}, ADVICE),
        ({"xoxb-1": None}, ADVICE),
        ({"env": "A", "file": "/xoxb-1"}, ADVICE),
        ({"env": "A", "xoxb-1": "b"}, ADVICE),
        ({"env": "xoxb-1"}, ENV),
        ({"env": "$XOXB"}, ENV),
        ({"env": None}, ENV),
        ({"file": ""}, FILE),
        ({"file": "\0"}, FILE),
        ({"file": 5}, FILE),
        ({"credential": "../xoxb-1"}, CREDENTIAL),
        ({"credential": ".."}, CREDENTIAL),
    ],
)
def test_a_literal_secret_is_refused_with_advice_and_without_repeating_it(written: Any, advice: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate({"token": written})
    assert list(complaints(caught.value)) == [(("token",), advice)]
    assert "xoxb" not in str(caught.value)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"token": written}, Settings.model_json_schema())


def test_a_line_end_belongs_to_no_name() -> None:
    with pytest.raises(ValidationError, match="`env` takes the name"):
        SecretRef(env="KEY\n")


SHAPES = st.sampled_from(
    [
        lambda secret: secret,
        lambda secret: [secret],
        lambda secret: [{"env": secret}],
        lambda secret: {secret: None},
        lambda secret: {"env": f"-{secret}"},
        lambda secret: {"env": {"env": secret}},
        lambda secret: {"credential": f"/{secret}"},
        lambda secret: {"file": [secret]},
        lambda secret: {"env": "A", "file": secret},
    ]
)


@given(secret=SECRETS, shape=SHAPES)
def test_no_complaint_ever_shows_what_was_written_instead_of_a_reference(secret: str, shape: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate({"token": shape(secret), "others": shape(secret)})
    assert "s3cr3t" not in repr(list(complaints(caught.value)))
    assert "s3cr3t" not in str(caught.value)


# Reading


def reference(kind: str, directory: Path, content: bytes) -> tuple[SecretRef, dict[str, str]]:
    """A secret of that content, put where a reference of that kind finds it."""
    if kind == "env":
        return SecretRef(env="KEY"), {"KEY": os.fsdecode(content)}
    (directory / "key").write_bytes(content)
    if kind == "file":
        return SecretRef(file=str(directory / "key")), {}
    return SecretRef(credential="key"), {"CREDENTIALS_DIRECTORY": str(directory)}


KINDS = pytest.mark.parametrize("kind", ["env", "file", "credential"])


@KINDS
@pytest.mark.parametrize(
    ("content", "secret"),
    [
        (b"s3cr3t", "s3cr3t"),
        (b"s3cr3t\n", "s3cr3t"),
        (b"s3cr3t\r\n", "s3cr3t"),
        (b" s3 cr3t ", " s3 cr3t "),
        ("sécret".encode(), "sécret"),
        (b"x" * MAX_BYTES + b"\r\n", "x" * MAX_BYTES),
    ],
    ids=["plain", "line-end", "windows", "spaces", "beyond-ascii", "longest"],
)
def test_a_secret_is_read_without_one_line_end(kind: str, content: bytes, secret: str, tmp_path: Path) -> None:
    ref, environ = reference(kind, tmp_path, content)
    assert ref.read(environ).reveal() == secret


@KINDS
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty: write the secret there."),
        (b"\r\n", "is empty"),
        (b"  \n", "is empty"),
        (b"s3cr3t\n\n", "has a line break"),
        (b"s3cr3t\r", "has a line break"),
        (b"s3cr3t\r\nX-Evil: 1", "has a line break"),
        (b"s3cr3t\tx", "something else inside that is no text"),
        (b"s3cr3t\x7f", "that is no text"),
        ("s3cr3t\u2028x".encode(), "has a line break"),
        (b"s3cr3t\xff", "that is no text"),
        (b"s3cr3t" * 12_000, "is longer than 64 KiB"),
        (b"x" * MAX_BYTES + b"\ns3cr3t", "is longer than 64 KiB"),
        (b"s3cr3t" * 100_000, "is longer than 64 KiB"),
    ],
)
def test_what_cannot_be_a_secret_is_refused_without_showing_it(
    kind: str, content: bytes, words: str, tmp_path: Path
) -> None:
    ref, environ = reference(kind, tmp_path, content)
    with pytest.raises(SecretError) as caught:
        ref.read(environ)
    assert str(caught.value).startswith(ref.describe())
    assert words in str(caught.value)
    assert caught.value.exit_code == 2
    seen = "".join(traceback.format_exception(caught.value)) + repr((caught.value.__context__, caught.value.__cause__))
    assert "s3cr3t" not in seen


def test_the_mark_that_editors_put_before_a_file_is_no_part_of_the_secret(tmp_path: Path) -> None:
    ref, environ = reference("file", tmp_path, b"\xef\xbb\xbfs3cr3t\n")
    assert ref.read(environ).reveal() == "s3cr3t"


@KINDS
def test_a_secret_that_was_rotated_is_read_anew(kind: str, tmp_path: Path) -> None:
    ref, _ = reference(kind, tmp_path, b"old")
    _, environ = reference(kind, tmp_path, b"new")
    assert ref.read(environ).reveal() == "new"


@pytest.mark.parametrize(
    ("written", "environ", "words"),
    [
        ({"env": "KEY"}, {"OTHER": "x"}, "env KEY is not set: set it where usage-watch is started."),
        ({"file": "missing"}, {}, "file missing cannot be read (No such file or directory): write the secret into it"),
        ({"file": "x" * 300}, {}, "cannot be read (File name too long)"),
        ({"file": "."}, {}, "file . is no regular file: write the secret into one."),
        ({"file": "pipe"}, {}, "file pipe is no regular file"),
        ({"credential": "key"}, {}, "$CREDENTIALS_DIRECTORY is not set: add `LoadCredential=key:PATH`"),
        ({"credential": "key"}, {"CREDENTIALS_DIRECTORY": ""}, "$CREDENTIALS_DIRECTORY is not set"),
        ({"credential": "key"}, {"CREDENTIALS_DIRECTORY": "missing"}, "credential key cannot be read"),
    ],
)
def test_a_reference_that_leads_nowhere_says_what_to_do(
    written: dict[str, str], environ: dict[str, str], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    with pytest.raises(SecretError) as caught:
        SecretRef.model_validate(written).read(environ)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["file", "credential"])
@pytest.mark.parametrize(("mode", "warned"), [(0o600, False), (0o640, False), (0o644, True), (0o604, True)])
def test_a_file_that_everybody_can_read_is_warned_of(kind: str, mode: int, warned: bool, tmp_path: Path) -> None:
    ref, environ = reference(kind, tmp_path, b"s3cr3t")
    (tmp_path / "key").chmod(mode)
    sentence = f"{ref.describe()} can be read by every user of this machine: run `chmod o-rwx {tmp_path / 'key'}`."
    assert ref.warnings(environ) == ([sentence] if warned else [])


@pytest.mark.parametrize("written", [{"env": "KEY"}, {"file": "/nowhere/key"}, {"credential": "key"}])
def test_there_is_no_warning_where_there_is_no_file(written: dict[str, str]) -> None:
    assert SecretRef.model_validate(written).warnings({}) == []
