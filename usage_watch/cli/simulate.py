"""`usage-watch simulate`: the analytics API of a made-up organization, to try rules on."""

from __future__ import annotations

import os
import shlex
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from usage_watch.cli.common.stopping import stoppable
from usage_watch.errors import MachineError, UsageError

if TYPE_CHECKING:
    from usage_watch.simulator import Scenario, SimulatorServer

_HISTORY_DAYS = 100
_PROXIES = ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY")
"""With one of them set, what is asked on this machine would be asked elsewhere."""


@click.command()
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8765,
    show_default=True,
    metavar="PORT",
    help="The port it listens on; 0 takes a free one.",
)
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=None,
    metavar="NUMBER",
    help="Another one makes another organization.  [default: the scenario's, or 1]",
)
@click.option("--key", default="simulated-analytics-key", show_default=True, metavar="KEY", help="The key it takes.")
@click.option(
    "--scenario",
    "file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="What happens there, as YAML.  [default: a hundred days of work]",
)
def simulate(port: int, seed: int | None, key: str, file: Path | None) -> None:
    """Serve the usage of a made-up organization on this machine.

    It answers as the real API would, to this machine alone, until Ctrl-C or SIGTERM.

    A scenario tells what happens: how late the source is, which jobs run away, what is revised, who leaves, and which
    requests are answered wrongly. Everything in it may be left out:

    \b
        start_at: 2026-08-10
        lag: {late_share: 0.08, in_order: true, partial_share: 0.25}
        stops:
          - {start_at: 2026-09-02T22:00Z, end_at: 2026-09-03T08:00Z}
        runaways:
          - {member: ana@example.com, model: gpt-5-5,
             start_at: 2026-09-01T01:00Z, hours: 5, credits_per_hour: 7000}
        revisions:
          - {hour_at: 2026-09-01T02:00Z, learned_at: 2026-09-01T09:00Z,
             factor: 0.5}
        departures:
          - {member: max@example.com, at: 2026-09-10T12:00Z}
        faults:
          - {start_at: 2026-09-04, kind: status_503, times: 3}

    Of the requests from start_at to end_at (and for one dataset) a fault lets pass the first `after`, then hits
    each `every`th, `times` in all. A wrong kind of fault is answered with all kinds that there are.
    """
    scenario = _scenario({} if seed is None else {"seed": seed}, file)
    with stoppable() as stop, ExitStack() as stack:
        server = _server(scenario, port, key)
        try:
            stack.enter_context(server)
        except OSError as error:
            reason = (error.strerror or "it was refused").lower()
            raise MachineError(f"port {port} cannot be had ({reason}); choose another with --port, or 0") from error
        click.echo(f"A made-up organization answers at {server.base_url} until Ctrl-C. In rules.yaml:\n")
        click.echo(f'    source: {{base_url: "{server.base_url}"}}\n')
        click.echo("and where usage-watch is started:\n")
        click.echo(f"    export PERPLEXITY_ANALYTICS_API_KEY={shlex.quote(key)}")
        if any(os.environ.get(name) for name in _PROXIES):
            click.echo("    export NO_PROXY=127.0.0.1")
        stop.wait()


def _server(scenario: Scenario, port: int, key: str) -> SimulatorServer:
    from usage_watch.simulator import SimulatorServer

    try:
        return SimulatorServer(scenario, port=port, key=key)
    except ValueError as error:  # whom or what the organization lacks
        raise UsageError(f"The scenario cannot be played: {error}") from None


def _scenario(options: dict[str, Any], file: Path | None) -> Scenario:
    """What the file tells, under what the options say. Raises RulesFileError with every fault of the file."""
    from datetime import UTC, timedelta

    from usage_watch.cli.common.scenario_file import read
    from usage_watch.clock import open_clock

    midnight = open_clock().now().astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    defaults = {"seed": 1, "start_at": (midnight - timedelta(days=_HISTORY_DAYS)).isoformat()}
    return read(file, defaults, options)
