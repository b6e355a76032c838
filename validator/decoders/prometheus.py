"""The format `prometheus`."""

from __future__ import annotations

import math

from validator.decoders.base import decoder, text_of
from validator.errors import DecodeError
from validator.exposition import ExpositionError, read
from validator.page import Family, Page, Sample, media_type
from validator.records.observation import Payload
from validator.values import Json, Number

_EXACT = 2**53
"""Up to here a float has room for every integer."""


@decoder(
    "prometheus",
    accept="text/plain; version=0.0.4, application/openmetrics-text; version=1.0.0; q=0.5,"
    " */*; q=0.1",
)
def decode_prometheus(payload: Payload, _depth: int) -> Json:
    """Read a page of Prometheus text (0.0.4) or, if the content type says so, OpenMetrics (1.0).

    ```yaml
    prometheus:
      get: /metrics
      format: prometheus
      assert:
        - {path: $.families.http_requests_total.type, eq: counter}
        - {path: "$.families.http_requests_total.samples[*].value", each: {type: integer, ge: 0}}
    ```

    The document is `{families: {NAME: {type, help, unit, samples}}, violations: {…}}`. A sample has
    the `name` it has on the wire, `labels`, `value` and `line`, and where they are given
    `timestamp` (in seconds) and `exemplar`. `type` is `untyped` (in OpenMetrics `unknown`) and
    `help` null if no line says more; `unit` is there if a line says so.

    A whole number is an integer, however it is written. `NaN`, `+Inf` and `-Inf` are these texts:
    only an assertion that selects such a sample fails on it. A line that cannot be read makes
    the page undecodable; one that breaks a rule of the format is a violation.
    """
    from validator.conformance import judge  # noqa: PLC0415 - many rules, and few specs need them

    if "protobuf" in media_type(payload.content_type):
        raise DecodeError("not Prometheus text: the content type says protobuf")
    try:
        page = read(text_of(payload), payload.content_type)
    except ExpositionError as error:
        raise DecodeError(f"not Prometheus text: {error}") from None
    violations: Json = {
        table: [
            {"rule": v["rule"], "line": v["line"], "text": v["text"], "sample": v["sample"]}
            for v in found
        ]
        for table, found in judge(page).items()
    }
    families: Json = {name: _family(page, family) for name, family in page.families.items()}
    return {"families": families, "violations": violations}


def _family(page: Page, family: Family) -> Json:
    document: dict[str, Json] = {
        "type": family.type or ("unknown" if page.openmetrics else "untyped"),
        "help": family.help,
    }
    if family.unit is not None:
        document["unit"] = family.unit
    document["samples"] = [_sample(sample) for sample in family.samples]
    return document


def _sample(sample: Sample) -> Json:
    document: dict[str, Json] = {
        "name": sample.name,
        "labels": dict(sample.labels),
        "value": _value(sample.value),
        "line": sample.line,
    }
    if sample.timestamp is not None:
        document["timestamp"] = sample.timestamp
    if sample.exemplar is not None:
        labels, value, timestamp = sample.exemplar
        exemplar: dict[str, Json] = {"labels": dict(labels), "value": _value(value)}
        if timestamp is not None:
            exemplar["timestamp"] = timestamp
        document["exemplar"] = exemplar
    return document


def _value(value: float) -> Number | str:
    if math.isfinite(value):
        return int(value) if value.is_integer() and abs(value) <= _EXACT else value
    if math.isnan(value):
        return "NaN"
    return "+Inf" if value > 0 else "-Inf"
