"""`usage-watch schema`: the rules file's JSON Schema, for editors."""

from __future__ import annotations

import click

from usage_watch.cli.session import print_json


@click.command()
def schema() -> None:
    """Print the JSON Schema of the rules file; editors complete and check it with that."""
    from usage_watch.config import schema as of_rules_file

    print_json(of_rules_file())
