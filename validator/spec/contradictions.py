"""What can never hold, whatever the server says: as far as what is written tells."""

from __future__ import annotations

from validator.predicates import Predicate
from validator.predicates.compare import Equal, In, NotEqual, NotIn
from validator.predicates.kinds import Type
from validator.reference import Reference
from validator.spec.references import UNKNOWN
from validator.values import KINDS, Json, Kind, kind


def kinds(predicate: Predicate) -> frozenset[Kind]:
    """Return the kinds of the values that *predicate* may hold of."""
    match predicate:
        case Equal(value=value) | NotEqual(value=value):
            return kinds_of(value)
        case In(choices=choices) | NotIn(choices=choices):
            return frozenset[Kind]().union(*map(kinds_of, choices))
        case Type(names=names):
            return KINDS & {"number" if name == "integer" else name for name in names}
    return predicate.accepts


def kinds_of(value: Json | Reference) -> frozenset[Kind]:
    """Return what *value* may be once its references are known: inside a text they make a text."""
    if isinstance(value, Reference):
        return KINDS if value.whole else frozenset({"string"})
    return KINDS if value is UNKNOWN else frozenset({kind(value)})
