from __future__ import annotations

import io
import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from select import select

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cli.conftest import Cli
from tests.cli.office import Ran, process, program
from usage_watch import yamlfile
from usage_watch.channels.email import EmailSettings
from usage_watch.channels.slack import SlackSettings
from usage_watch.cli.draft import Draft, flow
from usage_watch.cli.questions import limit, machine_zone, mail_user, slack_channel
from usage_watch.config import Config, load, read

TEN_LINES = """\
timezone: Europe/Berlin
billing_day: 14  # on which a credit cycle starts: see the invoice
channels:
  ops: {kind: slack, token: {env: SLACK_BOT_TOKEN}, channel: "#usage"}
  screen: {kind: log}  # standard output: for when ops fails
notify: [ops]
meta: {notify: [ops, screen]}  # what the watcher says of itself
rules:
  - {id: credits-cycle, kind: budget, where: {Credit Source: paid}, limit: 400_000}
  - {id: runaway, kind: threshold, window: 3h, above: {warning: 10_000, critical: 20_000}}  # 2.5 % and 5 % of the limit
"""
BERLIN = ("--zone", "Europe/Berlin", "--billing-day", "14")
SLACK = ("--slack-channel", "#usage")
MAIL = ("--email-to", "finance@example.com", "--email-host", "smtp.example.com")
LOG_IN = ("--email-user", "usage-watch", "--email-from", "watch@example.com")
WAYS = [(), SLACK, ("--slack-webhook",), MAIL, (*MAIL, *LOG_IN)]


@pytest.fixture(autouse=True)
def _in_tokyo(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")


class Terminal(io.StringIO):
    """Somebody sits there, and does something before the first answer."""

    def __init__(self, typed: str = "", first: Callable[[], object] = str) -> None:
        super().__init__(typed)
        self._first = first

    def isatty(self) -> bool:
        return True

    def readline(self, size: int = -1, /) -> str:  # type: ignore[override]
        self._first()
        return super().readline(size)


@pytest.fixture
def asked(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ran]:
    """Runs `init` at a terminal, with these answers typed."""

    def dialogue(*answers: str, options: tuple[str, ...] = (), first: Callable[[], object] = str) -> Ran:
        seen = Terminal()
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdin", Terminal("".join(f"{answer}\n" for answer in answers), first))
            patch.setattr(sys, "stdout", seen)
            ran = cli("init", *options)
        return Ran(ran.code, seen.getvalue(), ran.err)

    return dialogue


def test_options_make_a_file_of_ten_lines(cli: Cli, folder: Path) -> None:
    ran = cli("init", *BERLIN, "--limit", "400_000", *SLACK)
    assert (ran.code, ran.err) == (0, "")
    assert (folder / "rules.yaml").read_text() == TEN_LINES
    assert TEN_LINES.count("\n") == 10


def test_it_says_what_to_set_and_the_next_commands(cli: Cli) -> None:
    assert cli("init", *SLACK, "--limit", "9").out.splitlines() == [
        "",
        "rules.yaml is written: 10 lines. Next, set these and try it:",
        "",
        "  export PERPLEXITY_ANALYTICS_API_KEY=…  # the organization's analytics key",
        "  export SLACK_BOT_TOKEN=…               # usage-watch channels manifest slack",
        "  usage-watch check",
        "  usage-watch channels test ops",
        "  usage-watch run",
    ]


@pytest.mark.parametrize("way", WAYS, ids=" ".join)
@pytest.mark.parametrize("most", [(), ("--limit", "1"), ("--limit", "250 000"), ("--limit", "9" * 15)], ids=" ".join)
def test_check_accepts_it_without_a_warning(
    cli: Cli, folder: Path, way: tuple[str, ...], most: tuple[str, ...]
) -> None:
    ran = cli("init", *BERLIN, *most, *way)
    assert (ran.code, ran.err) == (0, "")
    assert len((folder / "rules.yaml").read_text().splitlines()) <= 12
    checked = json.loads(cli("check", "--json").out)
    assert (checked["faults"], checked["warnings"]) == ([], [])
    config = load(Path("rules.yaml"))
    assert (config.timezone.key, config.billing_day) == ("Europe/Berlin", 14)
    assert [rule.kind for rule in config.rules] == (["budget", "threshold"] if most else ["zscore"])
    assert "notify" in config.meta.model_fields_set or config.channels.keys() == {"screen"}


@pytest.mark.parametrize("way", [way for way in WAYS if way != MAIL], ids=" ".join)
def test_the_next_commands_ask_for_nothing_but_what_was_named(cli: Cli, folder: Path, way: tuple[str, ...]) -> None:
    said = [line.split("#")[0].split() for line in cli("init", *way).out.splitlines() if line.startswith("  ")]
    variables = {line[1].removesuffix("=…") for line in said if line[0] == "export"}
    commands = [line[1:] for line in said if line[0] == "usage-watch"]
    assert [command[0] for command in commands] == ["check", "channels", "run"]
    assert cli(*commands[0]).code == 0
    asked_for = set(re.findall("env ([A-Z_]+) is not set", cli(*commands[1]).err + cli("check", "--online").err))
    assert asked_for == variables


def test_without_options_and_terminal_it_is_all_by_default(cli: Cli, folder: Path) -> None:
    assert cli("init").code == 0
    config = load(folder / "rules.yaml")
    assert (config.timezone.key, config.billing_day) == ("Asia/Tokyo", 1)
    assert {name: channel.kind for name, channel in config.channels.items()} == {"screen": "log"}


def test_printing_writes_nothing_and_ignores_what_is_there(cli: Cli, folder: Path) -> None:
    (folder / "rules.yaml").write_text("rules: []\n")
    ran = cli("init", "--print", *BERLIN, "--limit", "400,000", *SLACK)
    assert (ran.code, ran.out) == (0, TEN_LINES)
    assert ran.err.startswith("\nNext, set these and try it:\n")
    assert (folder / "rules.yaml").read_text() == "rules: []\n"
    assert len(list(folder.iterdir())) == 1


@pytest.mark.parametrize("arguments", [("a team.yaml",), ("--config", "a team.yaml")], ids=" ".join)
def test_another_file_is_named_in_the_next_commands(cli: Cli, folder: Path, arguments: tuple[str, ...]) -> None:
    ran = cli("init", *arguments)
    assert ran.out.splitlines()[1].startswith("a team.yaml is written: ")
    assert "  usage-watch channels test screen --config 'a team.yaml'" in ran.out.splitlines()
    assert cli("check", "--config", "a team.yaml").code == 0


def test_the_file_of_the_environment_need_not_be_named(cli: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USAGE_WATCH_CONFIG", "team.yaml")
    assert "  usage-watch check\n" in cli("init").out
    assert (folder / "team.yaml").exists()
    assert "  usage-watch check --config rules.yaml\n" in cli("init", "rules.yaml").out


@pytest.mark.parametrize("make", [Path.touch, Path.mkdir, lambda path: path.symlink_to("nowhere")])
def test_it_never_overwrites(asked: Callable[..., Ran], folder: Path, make: Callable[[Path], None]) -> None:
    make(folder / "rules.yaml")
    ran = asked("Europe/Berlin")
    assert (ran.code, ran.out) == (2, "")  # and asks nothing for nothing
    assert ran.err == (
        "usage-watch: rules.yaml is there already and stays as it is: move it away, name another file, or print a new"
        " one with --print.\n"
    )
    assert not (folder / "nowhere").exists()


def test_what_another_wrote_meanwhile_stays(asked: Callable[..., Ran], folder: Path) -> None:
    ran = asked(*[""] * 4, first=lambda: (folder / "rules.yaml").write_text("theirs"))
    assert (ran.code, "is there already" in ran.err) == (2, True)
    assert (folder / "rules.yaml").read_text() == "theirs"


def test_a_directory_that_is_not_there_is_told_before_anything_is_asked(asked: Callable[..., Ran]) -> None:
    ran = asked("Europe/Berlin", options=("nowhere/rules.yaml",))
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == "usage-watch: The directory nowhere is not there: make it, or name a file elsewhere.\n"


def test_a_file_that_cannot_be_written_whole_is_not_left(folder: Path) -> None:
    full = subprocess.run(
        ["sh", "-c", 'ulimit -f 0; exec "$@"', "sh", *program("init")], capture_output=True, text=True, timeout=60
    )
    assert (full.returncode, full.stdout) == (5, "")
    assert full.stderr.startswith("usage-watch: this machine refused it: ")
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--zone", "europe/berlin"), "--zone: This is no time zone; did you mean Europe/Berlin?"),
        (("--zone", "UTC\nrules: []"), "--zone: This is no time zone; "),
        (("--billing-day", "32"), "--billing-day: Write a day of the month: a whole number from 1 to 31."),
        (("--billing-day", "1.5"), "--billing-day: "),
        (("--billing-day", ""), "--billing-day: "),
        (("--limit", "0"), "--limit: Write a whole number of credits, such as 400_000, or none."),
        (("--limit", "-5"), "--limit: "),
        (("--limit", "4.000"), "--limit: "),
        (("--limit", "٤"), "--limit: "),
        (("--limit", "1}, {id: x"), "--limit: "),
        (
            ("--slack-channel", "#a b"),
            "--slack-channel: Write the channel's name, such as #perplexity-usage, or its ID",
        ),
        (("--slack-channel", "#a\nb"), "--slack-channel: "),
        (("--slack-channel", ""), "--slack-channel: "),
        (("--slack-channel", "#caf\udce9"), "--slack-channel: "),
        (
            (*MAIL, "--email-host", "smtp.example.com:587"),
            "--email-host: Write the mail server's name or address alone",
        ),
        ((*MAIL, "--email-host", "sm\u2028tp"), "--email-host: "),
        ((*MAIL, "--email-to", "Ana <ana@example.com>"), "--email-to: Write a plain mail address such as "),
        ((*MAIL, "--email-to", ""), "--email-to: "),
        ((*MAIL, "--email-from", "x"), "--email-from: "),
        ((*MAIL, "--email-user", "a\nb"), "--email-user: "),
        ((*MAIL, "--email-user", ""), "--email-user: "),
        (("--email-host", "smtp.example.com"), "--email-to is missing: mail needs --email-to and --email-host."),
        (("--email-to", "a@example.com"), "--email-host is missing: "),
        ((*MAIL, *SLACK), "Choose one of --slack-channel, --slack-webhook and --email-to; add others to the file."),
        (("--slack-webhook", *SLACK), "Choose one of "),
    ],
)
def test_an_option_that_is_no_answer_ends_with_2_and_writes_nothing(
    cli: Cli, folder: Path, options: tuple[str, ...], says: str
) -> None:
    ran = cli("init", *options)
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert ran.err.startswith(f"usage-watch: {says}")
    assert list(folder.iterdir()) == []


def test_no_secret_gets_into_the_file(cli: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMTP_PASSWORD", "kestrel-9903")
    monkeypatch.setenv("PERPLEXITY_ANALYTICS_API_KEY", "kestrel-8812")
    ran = cli("init", *MAIL, *LOG_IN)
    assert "password: {env: SMTP_PASSWORD}" in (folder / "rules.yaml").read_text()
    assert "kestrel" not in ran.said + (folder / "rules.yaml").read_text()


def written(channel: dict[str, object]) -> Config:
    """A file with this channel, as it is read."""
    draft = Draft("UTC", 1, None, channel)  # type: ignore[arg-type]
    return read(yamlfile.parse(draft.text().encode(), "rules.yaml"))


HOSTILE = [
    "no",
    "On",
    "null",
    "12:30",
    "1e3",
    "a: b",
    "a #b",
    '"',
    "'",
    "\\",
    "{x}",
    "[x]",
    "*a",
    "&a",
    "!!x",
    "%",
    "@",
]


@pytest.mark.parametrize("name", [*HOSTILE, "a, b", "a}, screen: {kind: log", '", kind: log, x: "'])
def test_a_name_to_log_in_by_means_only_itself(cli: Cli, folder: Path, name: str) -> None:
    assert cli("init", *MAIL, "--email-user", name).code == 0
    config = load(folder / "rules.yaml")
    assert list(config.channels) == ["ops", "screen"]
    ops = config.channels["ops"]
    assert isinstance(ops, EmailSettings)
    assert ops.username == name


TEXT = st.text(st.sampled_from(" #:,{}[]&*!|>'\"%@`\\-?\n\tno\x85\u2028é日\U0001f600\ud800\x1b") | st.characters())


@given(TEXT | TEXT.map("#{}".format))
def test_a_channel_is_refused_or_stands_as_it_is(text: str) -> None:
    try:
        name = slack_channel(text)
    except ValueError:
        return
    ops = written({"kind": "slack", "token": {"env": "SLACK_BOT_TOKEN"}, "channel": name}).channels["ops"]
    assert isinstance(ops, SlackSettings)
    assert ops.channel == name
    assert name in (text, f"#{text}")


@given(TEXT)
def test_a_name_is_refused_or_stands_as_it_is(text: str) -> None:
    try:
        name = mail_user(text)
    except ValueError:
        return
    if name is not None:
        assert yamlfile.parse(f"x: {flow([name, 'a'])}".encode(), "rules.yaml").data == {"x": [name, "a"]}


@given(st.integers(1, 10**15 - 1))
def test_of_every_limit_there_is_a_file(number: int) -> None:
    assert limit(str(number)) == limit(f"{number:,}") == limit(f"{number:_}") == number
    text = Draft("UTC", 1, number, {"kind": "log"}).text()
    budget, runaway = read(yamlfile.parse(text.encode(), "rules.yaml")).rules
    assert max(level.limit for level in budget.levels) == pytest.approx(number)
    warning, critical = (level.limit for level in runaway.levels)
    assert number < 100 or (0.02 < warning / number < 0.03 and 0.04 < critical / number < 0.06)


def test_a_long_channel_takes_several_lines(cli: Cli, folder: Path) -> None:
    many = ",".join(f"somebody.{number}@example.com" for number in range(3))
    assert cli("init", *MAIL, *LOG_IN, "--email-to", many).code == 0
    lines = (folder / "rules.yaml").read_text().splitlines()
    assert max(map(len, lines)) <= 120
    ops = load(folder / "rules.yaml").channels["ops"]
    assert isinstance(ops, EmailSettings)
    assert ops.recipients == tuple(many.split(","))


@pytest.mark.parametrize("answers", [("slack", "usage"), ("Slack", " #usage ")])
def test_a_dialogue_makes_the_same_file(asked: Callable[..., Ran], folder: Path, answers: tuple[str, ...]) -> None:
    ran = asked("Europe/Berlin", "14", "400 000", *answers)
    assert (ran.code, ran.err) == (0, "")
    assert (folder / "rules.yaml").read_text() == TEN_LINES
    assert ran.out.endswith("  usage-watch run\n")


def test_enter_takes_what_stands_in_brackets(asked: Callable[..., Ran], folder: Path) -> None:
    ran = asked("", "", "", "")
    assert [line.rpartition("[")[2] for line in ran.out.split("]:")[:-1]] == ["Asia/Tokyo", "1", "none", "log"]
    assert load(folder / "rules.yaml").timezone.key == "Asia/Tokyo"


def test_mail_is_asked_for_in_full(asked: Callable[..., Ran], folder: Path) -> None:
    ran = asked("", "", "none", "email", "ana@example.org", "smtp.example.org", "ana", "")
    assert "[usage-watch@example.org]: " in ran.out
    ops = load(folder / "rules.yaml").channels["ops"]
    assert isinstance(ops, EmailSettings)
    assert (ops.host, ops.sender, ops.recipients, ops.username) == (
        "smtp.example.org",
        "usage-watch@example.org",
        ("ana@example.org",),
        "ana",
    )


def test_a_wrong_answer_is_told_at_once_and_asked_again(asked: Callable[..., Ran], folder: Path) -> None:
    ran = asked(
        "Berlin", "UTC", "0", "31", "lots", "5000", "fax", "email", "", "ana", "ana@a.example", "h:1", "h", "", ""
    )
    assert re.findall("Error: (.*)", ran.out) == [
        "This is no time zone; did you mean Europe/Berlin?",
        "Write a day of the month: a whole number from 1 to 31.",
        "Write a whole number of credits, such as 400_000, or none.",
        "Write one of slack, slack-webhook, email, log.",
        "Write a plain mail address such as ana@example.com.",
        "Write the mail server's name or address alone, such as smtp.example.com.",
    ]
    assert ran.code == 0
    assert load(folder / "rules.yaml").billing_day == 31


@pytest.mark.parametrize("answers", [(), ("UTC", "14"), ("UTC", "14", "5", "slack")])
def test_who_goes_away_leaves_no_file(asked: Callable[..., Ran], folder: Path, answers: tuple[str, ...]) -> None:
    assert asked(*answers).code == 130
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("options", [("--limit", "5"), ("--slack-webhook",)])
def test_with_an_option_nothing_is_asked(asked: Callable[..., Ran], folder: Path, options: tuple[str, ...]) -> None:
    ran = asked(options=options)
    assert ran.code == 0
    assert "[" not in ran.out
    assert (folder / "rules.yaml").exists()


def test_printing_at_a_terminal_asks_too(asked: Callable[..., Ran], folder: Path) -> None:
    ran = asked("Europe/Berlin", "14", "400000", "slack", "#usage", options=("--print",))
    assert ran.out.endswith(TEN_LINES)
    assert list(folder.iterdir()) == []


def at_a_terminal(*answers: bytes | signal.Signals) -> tuple[int, str]:
    """A real process at a real terminal, with an answer to each question: its exit code, and what was seen there."""
    ours, theirs = pty.openpty()
    seen, left, pressed, patience = b"", list(answers), None, 60
    with subprocess.Popen(program("init"), stdin=theirs, stdout=theirs, stderr=theirs) as child:
        os.close(theirs)
        with suppress(OSError):  # is how Linux says that the other end is closed
            while True:
                if not select([ours], [], [], 1)[0]:
                    patience -= 1
                    # Ctrl-C is lost, where it comes just before the program waits: then people press it again.
                    child.send_signal(pressed or signal.SIGCONT) if patience else child.kill()
                    continue
                seen += os.read(ours, 4096)
                if left and seen.endswith(b"]: "):
                    answer = left.pop(0)
                    if isinstance(answer, bytes):
                        os.write(ours, answer + b"\n")
                    else:
                        pressed = answer
                        child.send_signal(pressed)
        code = child.wait(60)
    os.close(ours)
    return code, seen.decode(errors="replace").replace("\r\n", "\n")


def test_a_real_terminal_takes_it_in_80_columns(folder: Path) -> None:
    code, seen = at_a_terminal(b"Berl\xefn", b"Europe/Berlin", b"14", b"400000", b"slack", b"#usage")
    assert code == 0
    assert (folder / "rules.yaml").read_text() == TEN_LINES
    assert seen.count("Error: This is no time zone; ") == 1
    assert max(map(len, seen.splitlines())) <= 80


def test_ctrl_c_writes_nothing(folder: Path) -> None:
    code, seen = at_a_terminal(b"Asia/Tokyo", signal.SIGINT)
    assert code == 130
    assert "Traceback" not in seen
    assert list(folder.iterdir()) == []


def test_a_pipe_is_never_asked(folder: Path) -> None:
    ran = process("init")
    assert (ran.code, ran.err) == (0, "")
    assert "brackets" not in ran.out


@pytest.mark.parametrize(
    ("told", "localtime", "timezone", "name"),
    [
        ("Europe/Berlin", "/usr/share/zoneinfo/Asia/Tokyo", "Asia/Tokyo", "Europe/Berlin"),
        (":Europe/Berlin", None, None, "Europe/Berlin"),
        (":/usr/share/zoneinfo/Europe/Berlin", None, None, "Europe/Berlin"),
        ("CET-1CEST,M3.5.0", "/usr/share/zoneinfo/Asia/Tokyo", None, "UTC"),
        ("", "../usr/share/zoneinfo/America/Argentina/Ushuaia", "Asia/Tokyo", "America/Argentina/Ushuaia"),
        (None, "/usr/share/zoneinfo/Etc/UTC", None, "UTC"),
        (None, "/usr/share/zoneinfo/right/Asia/Tokyo", None, "UTC"),
        (None, None, "Asia/Tokyo\n", "Asia/Tokyo"),
        (None, None, "\n", "UTC"),
        (None, None, None, "UTC"),
    ],
)
def test_the_machines_zone(
    tmp_path: Path, told: str | None, localtime: str | None, timezone: str | None, name: str
) -> None:
    if localtime is not None:
        (tmp_path / "localtime").symlink_to(localtime)
    if timezone is not None:
        (tmp_path / "timezone").write_text(timezone)
    assert machine_zone({} if told is None else {"TZ": told}, tmp_path) == name
