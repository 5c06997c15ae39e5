"""What a mail server's replies mean for a message: one table for every step of a session. Pure."""

from __future__ import annotations

from enum import Enum

from usage_watch.channels.base import Attempt, Verdict

_TOO_LARGE = 552


class Step(Enum):
    """Where a session stands; the value says what it is to be refused there."""

    SESSION = "refuses the session"
    TLS = "refuses STARTTLS"
    LOGIN = "refuses the log-in"
    SENDER = "refused the sender"
    RECIPIENTS = "refused the recipients"
    DATA = "takes no mail"
    MAIL = "refused the mail"
    """The mail itself was handed over: from here on it may have been taken."""


def smtp_verdict(step: Step, code: int) -> Verdict:
    """The class of a reply that lets nothing go on.

    What is refused before the mail itself was seen is about who sends to whom: a matter of configuration.
    """
    if 400 <= code < 500:
        return Verdict.SERVER
    if 500 <= code < 600:
        return Verdict.REJECTED if step is Step.MAIL or code == _TOO_LARGE else Verdict.CONFIGURATION
    return Verdict.AMBIGUOUS if step is Step.MAIL else Verdict.SERVER


def smtp_attempt(step: Step, code: int, said: str) -> Attempt:
    """The outcome of such a reply, with what the server `said`, cleaned."""
    verdict = smtp_verdict(step, code)
    if verdict is Verdict.AMBIGUOUS:
        return Attempt(verdict, "The mail server may have taken the mail: its last reply was no SMTP.")
    if not 400 <= code < 600:
        return Attempt(verdict, "The mail server gave a reply that SMTP does not know: check `host` and `port`.")
    return Attempt(verdict, f"The mail server {step.value} ({code}): {_ADVICE.get((step, verdict), said)}.")


_ADVICE = {
    # What is said here may hold what was sent, which is the password.
    (Step.LOGIN, Verdict.CONFIGURATION): "check `username` and `password`",
    (Step.LOGIN, Verdict.SERVER): "it cannot check it now",
}


def recipients_attempt(refusals: dict[str, int], asked: int, said: str) -> Attempt:
    """The outcome of naming `asked` recipients, of whom these were refused with these codes; `said` of the first.

    Where somebody gets the mail it is sent; where nobody does, whatever gives most hope decides.
    """
    if not refusals:
        return Attempt(Verdict.SENT)
    codes = ", ".join(str(code) for code in sorted(set(refusals.values())))
    told = f"The mail server refused {len(refusals)} of {asked} recipients ({codes}): {said}."
    if len(refusals) < asked:
        return Attempt(Verdict.SENT, told)
    verdicts = {smtp_verdict(Step.RECIPIENTS, code) for code in refusals.values()}
    return Attempt(next(each for each in _HOPEFUL if each in verdicts), told)


_HOPEFUL = (Verdict.SERVER, Verdict.REJECTED, Verdict.CONFIGURATION)
