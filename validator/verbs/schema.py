"""`validator schema`."""

from __future__ import annotations

import click

from validator.verbs.base import verb


@verb("schema")
@click.argument("what", type=click.Choice(["spec", "report"]), default="spec")
def schema(what: str) -> None:
    """Print the JSON Schema of specs, for editors, or of JSON reports."""
    from validator.schema import report_schema, spec_schema

    click.echo(spec_schema() if what == "spec" else report_schema(), nl=False)
