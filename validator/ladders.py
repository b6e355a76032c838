"""The server's percentiles beside the client's own, as charts. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from validator.asking import fields, orders
from validator.beside import MOST_SERIES, Beside, Found, short
from validator.percentiles import fits, is_pair, is_percentile, ladder, ordered, percentile
from validator.query import Query
from validator.records.chart import By, Chart, Form, Series
from validator.records.observation import Snapshot
from validator.records.trace import Point
from validator.spec.model import PathAssertion


def ladders(beside: Beside, asked: Iterable[PathAssertion]) -> Iterator[Found]:
    """Yield percentiles: beside the client's own where they are compared with them."""
    drawn: set[tuple[str, str]] = set()
    for assertion in asked:
        for name, unit, series in _ladders(beside, assertion):
            question = (str(assertion.endpoint), name)
            if question not in drawn:
                drawn.add(question)
                yield Found(
                    Chart(
                        assertion.about.name, Form.LADDER, series, str(assertion.endpoint),
                        "percentile", unit,
                    ),
                    assertion.about.span,
                )  # fmt: skip


def _ladders(
    beside: Beside, assertion: PathAssertion
) -> Iterator[tuple[str, str, tuple[Series, ...]]]:
    """Yield a name, a unit and a ladder of each family of percentiles that is asked about."""
    after = beside.seen.after.get(str(assertion.endpoint))
    if after is None or after.error is not None:
        return
    for distribution, rung in filter(is_pair, beside.own(fields(assertion.condition))):
        book = beside.ledger.get(distribution) if isinstance(beside.ledger, dict) else None
        client, server = ladder(book), _family(assertion, rung, after)
        if client and server:
            name = short(assertion.query, 1)
            own = Series(f"{beside.ledger_name}.{distribution}, by the client", client)
            yield name, "ms", (own, Series(f"{name}, by the server", server, By.SERVER))
    for keys in orders(assertion.condition):
        matches = assertion.query.select(after.document)
        found = [(m.path, rungs) for m in matches if (rungs := ordered(m.value, keys))]
        if found:
            yield (
                short(assertion.query),
                "",
                tuple(Series(path, rungs, By.SERVER) for path, rungs in found[:MOST_SERIES]),
            )


def _family(assertion: PathAssertion, asked: str, after: Snapshot) -> tuple[Point, ...]:
    """Return the percentiles that stand beside the one that is *asked* about."""
    query = assertion.query
    if isinstance(query, Query) and query.definite and is_percentile(query):
        beside = after.document
        for key in query.keys[:-1]:
            beside = beside.get(str(key)) if isinstance(beside, dict) else None
        return ladder(beside)
    found = [m.value for m in query.select(after.document) if fits(m.value)]
    at = percentile(asked)
    return ((at, found[0]),) if len(found) == 1 and at is not None else ()
