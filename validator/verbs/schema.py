"""`validator schema`."""

from __future__ import annotations

import click

from validator.verbs.base import verb


@verb("schema")
@click.argument("what", type=click.Choice(["spec", "suite", "report", "bench"]), default="spec")
def schema(what: str) -> None:
    """Print the JSON Schema of specs or suites, for editors, or of JSON reports and sweeps."""
    from validator.schema import bench_schema, report_schema, spec_schema, suite_schema

    schemas = {"spec": spec_schema, "suite": suite_schema, "report": report_schema}
    schemas["bench"] = bench_schema
    click.echo(schemas[what](), nl=False)
