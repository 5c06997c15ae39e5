"""`usage-watch schema`: the rules file's JSON Schema, for editors."""

from __future__ import annotations

import json

import click


@click.command()
def schema() -> None:
    """Print the JSON Schema of the rules file, for editors.

    Write it beside your rules with `usage-watch schema > rules.schema.json`, and name it in their first line:
    `# yaml-language-server: $schema=rules.schema.json`.
    """
    from usage_watch.config import schema as of_rules_file

    click.echo(json.dumps(of_rules_file(), indent=2, ensure_ascii=False))
