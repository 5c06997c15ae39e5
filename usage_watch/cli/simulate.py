"""`usage-watch simulate`: the analytics API of a made-up organization, to try rules on."""

from __future__ import annotations

import os
import shlex
from contextlib import ExitStack
from typing import TYPE_CHECKING

import click

from usage_watch.cli.common.stopping import stoppable
from usage_watch.errors import MachineError

if TYPE_CHECKING:
    from usage_watch.simulator import Scenario

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
    default=1,
    show_default=True,
    metavar="NUMBER",
    help="Another one makes another organization.",
)
@click.option("--key", default="simulated-analytics-key", show_default=True, metavar="KEY", help="The key it takes.")
def simulate(port: int, seed: int, key: str) -> None:
    """Serve the usage of a made-up organization on this machine.

    It answers as the real API would, to this machine alone, until Ctrl-C or SIGTERM.
    """
    from usage_watch.simulator import SimulatorServer

    with stoppable() as stop, ExitStack() as stack:
        try:
            server = stack.enter_context(SimulatorServer(_scenario(seed), port=port, key=key))
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


def _scenario(seed: int) -> Scenario:
    from datetime import UTC, timedelta

    from usage_watch.clock import open_clock
    from usage_watch.simulator import Scenario

    midnight = open_clock().now().astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return Scenario(seed=seed, start_at=midnight - timedelta(days=_HISTORY_DAYS))
