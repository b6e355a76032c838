"""Which format a body is in, by what it is and by what it says it is. Pure."""

from __future__ import annotations

import re

from validator.decoders import DECODERS
from validator.errors import DecodeError
from validator.page import OPENMETRICS, media_type
from validator.records.observation import Payload
from validator.values import Json, brief

_DEPTH = 200
_START = 4096
_MARKUP = re.compile(rb"\s*<(?:!doctype|\?xml|html|head|body|[a-z]+[\s>])", re.IGNORECASE)
_METADATA = re.compile(rb"^#\s*(?:TYPE|HELP|UNIT|EOF)\b", re.MULTILINE)
_SAMPLE = re.compile(rb"^[a-zA-Z_:][\w:]*(?:\{[^\n]*\})?[ \t]+[-+0-9NI]", re.MULTILINE)


def recognised(payload: Payload) -> str:
    """Return the name of the decoder that reads *payload*; raise `DecodeError` if none does."""
    body, declared = payload.body, media_type(payload.content_type)
    start = body[:_START].removeprefix(b"\xef\xbb\xbf")
    if not body.strip():
        raise DecodeError("the body is empty")
    if _MARKUP.match(start):
        raise DecodeError("a page of HTML or XML, not of metrics: is the path right?")
    if declared == "text/event-stream":
        raise DecodeError(
            "a stream of events has no end: write `format: events` and `collect:` by hand"
        )
    if b"\0" in start or "protobuf" in declared:
        raise DecodeError(f"binary data ({brief(declared or 'no content type')})")
    for name in _candidates(start, declared):
        try:
            document = DECODERS[name](payload, _DEPTH)
        except DecodeError as error:
            if _certain(name, start, declared):
                raise
            last = str(error)
            continue
        if why := _nothing(name, document):
            raise DecodeError(why)
        return name
    said = f" ({last})" if declared == "application/json" else ""
    raise DecodeError(
        f"neither JSON nor Prometheus text nor CSV{said}: {brief(start.decode('utf-8', 'replace'))}"
    )


def _candidates(start: bytes, declared: str) -> list[str]:
    found = []
    if declared in ("application/json", "text/json") or start.lstrip()[:1] in (b"{", b"["):
        found.append("json")
    if declared == OPENMETRICS or _METADATA.search(start) or _SAMPLE.search(start):
        found.append("prometheus")
    if declared == "text/csv" or re.search(rb"[,;\t]", start.partition(b"\n")[0]):
        found.append("csv")
    return found or ["json"]


def _certain(name: str, start: bytes, declared: str) -> bool:
    """Say whether the body can be meant to be nothing else: then what is wrong is worth saying."""
    match name:
        case "json":
            return start.lstrip()[:1] == b"{"
        case "prometheus":
            return declared == OPENMETRICS or _METADATA.search(start) is not None
    return declared == "text/csv"


def _nothing(name: str, document: Json) -> str:
    """Say why there is nothing on a page to ask about, if so."""
    if name == "prometheus" and isinstance(document, dict):
        families = document["families"]
        filled = isinstance(families, dict) and any(
            isinstance(family, dict) and family.get("samples") for family in families.values()
        )
        return "" if filled else "a Prometheus page without any sample"
    if not isinstance(document, dict | list):
        return f"only {brief(document)}: nothing to ask about"
    return "" if document else "an empty document: nothing to ask about"
