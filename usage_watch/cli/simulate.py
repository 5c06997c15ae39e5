"""`usage-watch simulate`: the analytics API of a made-up organization, to try rules on."""

from __future__ import annotations

import signal
from threading import Event

import click

from usage_watch.errors import MachineError


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), default=8765, show_default=True, help="0 takes a free one.")
@click.option(
    "--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Another seed, another organization."
)
@click.option("--key", default="simulated-analytics-key", show_default=True, help="The key that it accepts.")
def simulate(port: int, seed: int, key: str) -> None:
    """Serve a made-up organization's usage on this machine, as the real API would, until stopped."""
    from datetime import UTC, datetime, timedelta

    from usage_watch.simulator import Scenario, SimulatorServer

    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    scenario = Scenario(seed=seed, start_at=midnight - timedelta(days=100))
    try:
        with SimulatorServer(scenario, port=port, key=key) as server:
            click.echo(f"A made-up organization answers at {server.base_url}; stop it with Ctrl-C. In rules.yaml:\n")
            click.echo(f"source: {{base_url: {server.base_url}}}\n")
            click.echo(f"and in the environment:  export PERPLEXITY_ANALYTICS_API_KEY={key}")
            stop.wait()
    except OSError as error:
        raise MachineError(
            f"port {port} cannot be had ({error.strerror}); choose another with --port, or 0."
        ) from error
