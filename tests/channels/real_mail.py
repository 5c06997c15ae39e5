"""Debian's own Postfix and Dovecot on loopback: mail is handed in with STARTTLS or TLS and a log-in, and read by IMAP.

All that is theirs is in one folder, which goes with them. Besides it they need the users that their packages made
(postfix, dovecot, dovenull) and read what their packages installed; Postfix, as it starts, also looks that over.
"""

from __future__ import annotations

import imaplib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

import trustme

HERE, USER, PASSWORD = "127.0.0.1", "usage-watch", "correct horse battery staple"
PEOPLE = tuple(f"{name}@example.com" for name in ("ana", "ben", "cleo", "dora", "emil", "finn", "gus", "hana"))
PATIENCE_S = 20.0
"""Of a machine that is busy with other things."""

_MAIN = """\
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {folder}/log/postfix
maillog_file_prefixes = {folder}
import_environment = MAIL_CONFIG={folder}/postfix
alias_maps =
alias_database =
default_database_type = texthash
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mail.example.com
mydestination =
mynetworks =
disable_dns_lookups = yes
smtpd_peername_lookup = no
biff = no
smtpd_error_sleep_time = 0s
virtual_mailbox_domains = example.com
virtual_mailbox_base = {folder}/mail
virtual_mailbox_maps = texthash:{folder}/postfix/people
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
smtpd_tls_cert_file = {folder}/postfix/cert.pem
smtpd_tls_key_file = {folder}/postfix/key.pem
smtpd_tls_auth_only = yes
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = private/auth
smtpd_relay_restrictions = permit_sasl_authenticated, reject
smtpd_recipient_restrictions = reject_unlisted_recipient, permit_sasl_authenticated, reject
"""

_MASTER = """\
127.0.0.1:{starttls} inet n - n - - smtpd -o smtpd_tls_security_level=encrypt
127.0.0.1:{tls} inet n - n - - smtpd -o smtpd_tls_wrappermode=yes
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""

_DOVECOT = """\
base_dir = {folder}/dovecot/run
state_dir = {folder}/dovecot/state
log_path = {folder}/log/dovecot
protocols = imap
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
auth_failure_delay = 0
first_valid_uid = 1
mail_location = maildir:~/Maildir
passdb {{
  driver = passwd-file
  args = scheme=PLAIN {folder}/dovecot/users
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={folder}/mail/%n
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {imap}
  }}
}}
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service auth {{
  unix_listener {folder}/queue/private/auth {{
    mode = 0660
    user = postfix
  }}
}}
"""


def missing() -> str | None:
    """What this machine lacks for it, in a sentence; None where it has all."""
    if os.geteuid() != 0:
        return "real mail servers are started by root only"
    absent = [name for name in ("postfix", "dovecot") if _program(name) is None]
    return f"not installed: {', '.join(absent)} (apt-get install postfix dovecot-imapd)" if absent else None


def _program(name: str) -> str | None:
    return shutil.which(name, path="/usr/sbin:/usr/local/sbin:/usr/bin:/bin")


@dataclass(frozen=True)
class MailServers:
    """Both are up."""

    folder: Path
    starttls: int
    """Ports: of mail with STARTTLS,"""
    tls: int
    """of mail with TLS from the start,"""
    imap: int
    """and of IMAP."""
    ca: str
    """PEM file of the CA that signed their certificate."""
    other_ca: str
    """And of one that did not."""

    @contextmanager
    def inbox(self, person: str) -> Iterator[imaplib.IMAP4]:
        """As their mail program sees it."""
        with imaplib.IMAP4(HERE, self.imap, timeout=PATIENCE_S) as program:
            program.login(person, PASSWORD)
            program.select()
            yield program

    def arrived(self, person: str, number: int) -> list[EmailMessage]:
        """Their mails once there are so many, in the order of arrival."""
        with self.inbox(person) as program:
            _wait(lambda: _count(program) >= number, f"{number} mails to {person}", self.folder)
            return [_fetched(program, place) for place in range(1, _count(program) + 1)]


def _count(program: imaplib.IMAP4) -> int:
    program.noop()
    _, (found,) = program.search(None, "ALL")
    return len(found.split())


def _fetched(program: imaplib.IMAP4, place: int) -> EmailMessage:
    _, answer = program.fetch(str(place), "(BODY.PEEK[])")
    (_, raw), *_ = (each for each in answer if isinstance(each, tuple))
    return message_from_bytes(raw, policy=default)


@contextmanager
def mail_servers() -> Iterator[MailServers]:
    """Stopped and swept away at the end, however that comes.

    Not in a folder of pytest's: those let nobody in but root, and mail servers give up being root.
    """
    folder = Path(tempfile.mkdtemp(prefix="mail-"))
    try:
        servers = _laid_out(folder)
        # Dovecot first: its socket for log-ins is in Postfix's queue.
        _start(folder, "dovecot", "-c", str(folder / "dovecot/conf"))
        _start(folder, "postfix", "-c", str(folder / "postfix"), "start")
        yield servers
    finally:
        for leader in reversed(_leaders(folder)):  # Dovecot waits for whoever may yet log in
            _stop(leader)
        shutil.rmtree(folder)


def _laid_out(folder: Path) -> MailServers:
    folder.chmod(0o755)
    for name in ("postfix", "dovecot", "queue", "queue/private", "data", "mail", "log"):
        (folder / name).mkdir()
    nobody, postfix = pwd.getpwnam("nobody"), pwd.getpwnam("postfix")
    os.chown(folder / "mail", nobody.pw_uid, nobody.pw_gid)
    for name in ("data", "queue/private"):
        os.chown(folder / name, postfix.pw_uid, -1)
    starttls, tls, imap = _free_ports(3)
    values = {"folder": folder, "uid": nobody.pw_uid, "gid": nobody.pw_gid}
    values |= {"starttls": starttls, "tls": tls, "imap": imap}
    for name, text in (("postfix/main.cf", _MAIN), ("postfix/master.cf", _MASTER), ("dovecot/conf", _DOVECOT)):
        (folder / name).write_text(text.format(**values))
    (folder / "postfix/people").write_text("".join(f"{each} {each.partition('@')[0]}/Maildir/\n" for each in PEOPLE))
    users = (f"{each}:{{PLAIN}}{PASSWORD}::::::\n" for each in (USER, *PEOPLE))
    (folder / "dovecot/users").write_text("".join(users))
    ca, other = _certified(folder)
    return MailServers(folder, starttls, tls, imap, ca, other)


def _certified(folder: Path) -> tuple[str, str]:
    ca, other = trustme.CA(), trustme.CA()
    cert = ca.issue_cert(HERE)
    cert.private_key_pem.write_to_path(folder / "postfix/key.pem")
    for blob in cert.cert_chain_pems:
        blob.write_to_path(folder / "postfix/cert.pem", append=True)
    paths = folder / "ca.pem", folder / "other.pem"
    for each, path in zip((ca, other), paths, strict=True):
        each.cert_pem.write_to_path(path)
    return str(paths[0]), str(paths[1])


def _free_ports(number: int) -> list[int]:
    with ExitStack() as stack:
        held = [stack.enter_context(socket.create_server((HERE, 0))) for _ in range(number)]
        return [each.getsockname()[1] for each in held]


def _start(folder: Path, name: str, *arguments: str) -> None:
    """Either answers once it listens, and goes on by itself."""
    program = _program(name)
    assert program is not None
    with (folder / "log" / name).open("a") as said:
        subprocess.run([program, *arguments], stdin=subprocess.DEVNULL, stdout=said, stderr=said, timeout=PATIENCE_S)
    assert len(_leaders(folder)) == 1 + (name == "postfix"), _logs(folder)


def _leaders(folder: Path) -> list[int]:
    """The process of each server that was started; all of its others are in its session."""
    files = (folder / "dovecot/run/master.pid", folder / "queue/pid/master.pid")
    return [int(each.read_text()) for each in files if each.is_file()]


def _stop(leader: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(leader, signal.SIGTERM)
    until = time.monotonic() + PATIENCE_S
    while living := list(_session(leader)):
        if time.monotonic() > until:
            for each in living:
                os.kill(each, signal.SIGKILL)
            return
        time.sleep(0.02)


def _session(leader: int) -> Iterator[int]:
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, _, _, session, *_ = stat.read_text().rpartition(")")[2].split()
            if int(session) == leader and state != "Z":
                yield int(stat.parent.name)


def _wait(ready: Callable[[], bool], what: str, folder: Path) -> None:
    until = time.monotonic() + PATIENCE_S
    while not ready():
        if time.monotonic() > until:
            raise AssertionError(f"in vain waited for {what}:\n{_logs(folder)}")
        time.sleep(0.02)


def _logs(folder: Path) -> str:
    return "\n".join(path.read_text() for path in (folder / "log").iterdir())
