"""Records kept by column come back as they were, and cost little."""

import pickle
import sys
from array import array
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from validator.columns import Columns
from validator.records.load import Exchange


@dataclass(frozen=True, slots=True)
class Row:
    number: int
    time: float
    maybe: int | None
    perhaps: float | None
    name: str
    flag: bool | None = None
    gaps: "array[float]" = field(default_factory=lambda: array("d"))


INTEGERS = st.integers(-(2**63) + 1, 2**63 - 1)
FLOATS = st.floats(allow_nan=False)
ROWS = st.lists(
    st.builds(
        Row,
        number=INTEGERS,
        time=FLOATS,
        maybe=st.none() | INTEGERS,
        perhaps=st.none() | FLOATS,
        name=st.sampled_from(["a", "b", "€", ""]),
        flag=st.sampled_from([None, True, False]),
        gaps=st.lists(FLOATS, max_size=4).map(lambda gaps: array("d", gaps)),
    ),
    max_size=12,
)


@settings(deadline=None)
@given(ROWS, ROWS)
def test_columns_are_the_sequence_of_their_records(rows, more):
    found = Columns(Row, rows)
    assert found == rows
    assert (len(found), list(found), list(reversed(found))) == (len(rows), rows, rows[::-1])
    assert found[1:-1] == rows[1:-1]
    assert [found[at] for at in range(len(rows))] == rows
    assert found.ordered("name", "number") == sorted(rows, key=lambda r: (r.name, r.number))
    named = [row for row in rows if row.name == "a"]
    assert found.where("name", "a") == named
    assert sorted(found.where("name", "a").joined("gaps")) == sorted(
        gap for row in named for gap in row.gaps
    )
    other = pickle.loads(pickle.dumps(Columns(Row, more)))
    found.extend(other)
    assert found == rows + more
    assert list(found.column("maybe")) == [row.maybe for row in rows + more]


def test_a_place_that_is_not_there_is_an_index_error():
    with pytest.raises(IndexError):
        Columns(Row)[0]
    assert Columns(Row) == ()
    assert Columns(Row) != 5


def test_an_exchange_costs_less_than_a_kilobyte_beside_its_gaps():
    gaps = array("d", [0.005]) * 50
    sent = Columns(Exchange)
    for n in range(1000):
        sent.append(Exchange(n, "m", n, n, n + 1, "status_429", f"detail {n}", gaps=gaps))
    kept = sum(
        sys.getsizeof(part)
        for column in sent._columns.values()
        for part in vars(column).values()
        if isinstance(part, array)
    )
    assert kept / len(sent) < 8 * 50 * 1.2 + 200
    assert len(pickle.dumps(sent)) / len(sent) < 8 * 50 + 250
