"""Faults in the load: chat requests go wrong, and the accounts say so truthfully."""

from __future__ import annotations

from validator.demo.faults import REGISTRY, Fault, Mishap

LIMITS_EVERY = 2
FAILS_EVERY = 5


@REGISTRY.register("empty-streams")
class EmptyStreams(Fault):
    """Streams end with status 200 and not a single chunk."""

    def mishap(self, _number: int) -> Mishap | None:
        return Mishap.EMPTY


@REGISTRY.register("truncated-streams")
class TruncatedStreams(Fault):
    """Streams end after five tokens, without finish_reason and [DONE]."""

    def mishap(self, _number: int) -> Mishap | None:
        return Mishap.TRUNCATED


@REGISTRY.register("error-in-stream")
class ErrorInStream(Fault):
    """Streams end after five tokens with an error object."""

    def mishap(self, _number: int) -> Mishap | None:
        return Mishap.ERROR_IN_STREAM


@REGISTRY.register("rate-limited")
class RateLimited(Fault):
    """Every second chat request is refused with 429."""

    def mishap(self, number: int) -> Mishap | None:
        return Mishap.RATE_LIMITED if number % LIMITS_EVERY == 0 else None


@REGISTRY.register("failing")
class Failing(Fault):
    """Every fifth chat request fails with 500."""

    def mishap(self, number: int) -> Mishap | None:
        return Mishap.FAILED if number % FAILS_EVERY == 0 else None
