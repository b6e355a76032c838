"""Looking never fails, one hanging endpoint harms no other, and settling ends."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

import pytest
from hostile_http import drip, gzipped, hostile, in_turn, never, raw, redirect, reply, reset
from hypothesis import given
from hypothesis import strategies as st

from validator.observe import Stillness, settle, watching
from validator.records.observation import Snapshot, Unreadable
from validator.server import free_port
from validator.spec.model import Endpoint, Settle, Target


def look(scripts, *endpoints, headers=(), **options):
    """Look at *endpoints* of a server that plays *scripts*; return snapshots and requests."""

    async def once():
        async with (
            hostile(scripts) as server,
            watching(Target(server.url, headers=headers), time.monotonic) as observer,
        ):
            return await observer.look(endpoints, **options), server.requests

    return asyncio.run(once())


def look_at_one(script, **fields):
    snapshots, _ = look({"/x": script}, Endpoint("one", "/x", **fields))
    return snapshots["one"]


def test_a_snapshot_has_the_document_and_when_it_was_taken():
    before = time.monotonic()
    snapshot = look_at_one(reply(b'{"n": 22}'))
    assert (snapshot.document, snapshot.error, snapshot.status) == ({"n": 22}, None, 200)
    assert before < snapshot.taken
    assert 0 < snapshot.elapsed < time.monotonic() - before


def test_an_error_with_a_json_body_is_not_a_document():
    snapshot = look_at_one(reply(b'{"n":\n 22, "x": "\x1b[31m"}', status=500))
    assert snapshot.document is None
    assert snapshot.status == 500
    assert snapshot.error == Unreadable("status", 'HTTP 500: {"n": 22, "x": "\\x1b[31m"}')


def test_an_error_page_is_quoted_in_one_line():
    snapshot = look_at_one(reply(b"<p>\n" * 500, status=404), statuses=(200, 204))
    text = str(snapshot.error)
    assert text.startswith("HTTP 404: <p> <p>")
    assert text.endswith("…")
    assert len(text) == len("HTTP 404: ") + 120


def test_an_expected_status_is_no_error():
    assert look_at_one(reply(b"[]", status=503), statuses=(503,)).document == []


def test_an_expected_redirect_is_not_followed():
    snapshot = look_at_one(redirect("/y"), statuses=(302,), decoder="text")
    assert (snapshot.status, snapshot.document) == (302, "")


@pytest.mark.parametrize(
    "script,cause,text",
    [
        (reply(b'{"ttft": NaN}'), "decode", "not JSON: NaN at line 1, column 10"),
        (reply(b""), "decode", "not JSON: the body is empty"),
        (reply(b"[" * 500 + b"]" * 500), "decode", "nested deeper than 200 levels"),
        (reply(b"x" * 3_000_000), "decode", "not JSON: expecting value"),
        (gzipped(b" " * 2_000_000), "too_large", "body decodes to more than"),
        (never(), "timeout", "no answer within 300ms"),
        (drip(b"x" * 99, 0.05), "timeout", "the body did not end within 300ms"),
        (redirect("/x"), "redirect", "redirect in a loop: /x"),
        (redirect("http://elsewhere.invalid/"), "redirect", "redirect to another origin: "),
        (reset(), "protocol", "the connection broke before an answer"),
        (raw(b"nonsense\r\n\r\n"), "protocol", "not valid HTTP: "),
    ],
)
def test_what_cannot_be_read_says_why(script, cause, text):
    bound = 4_000_000 if cause == "decode" else 1_000_000
    snapshot = look_at_one(script, timeout=0.3 if cause == "timeout" else 5, max_bytes=bound)
    assert snapshot.document is None
    assert snapshot.error is not None
    assert snapshot.error.cause == cause
    assert str(snapshot.error).startswith(text)


def test_nobody_listens_is_said_of_every_endpoint():
    async def once():
        target = Target(f"http://127.0.0.1:{free_port()}")
        async with watching(target, time.monotonic) as observer:
            return await observer.look([Endpoint("a", "/a"), Endpoint("b", "/b")])

    for snapshot in asyncio.run(once()).values():
        assert snapshot.error == Unreadable("connect", "cannot connect: connection refused")


def test_a_body_of_ten_megabytes_is_a_document():
    body = b"[" + b'{"id": 12345, "name": "worker"},' * 330_000 + b"0]"
    assert len(body) > 10_000_000
    assert len(look_at_one(reply(body)).document) == 330_001


def test_one_hanging_endpoint_leaves_the_others_alone():
    scripts = {f"/{n}": reply(b"1") for n in range(40)} | {"/hang": never()}
    endpoints = [Endpoint(str(n), f"/{n}") for n in range(40)]
    endpoints.insert(0, Endpoint("hang", "/hang", timeout=0.5))
    began = time.monotonic()
    snapshots, _ = look(scripts, *endpoints)
    assert time.monotonic() - began < 3
    assert list(snapshots) == [endpoint.id for endpoint in endpoints]
    assert [name for name, s in snapshots.items() if s.error] == ["hang"]
    assert 0.5 <= snapshots["hang"].elapsed < 1


def test_those_to_be_read_last_are_read_one_by_one_after_all_others():
    scripts = {"/slow": drip(b"11", 0.05), "/a": reply(b"1"), "/b": drip(b"11", 0.05)}
    _, requests = look(
        scripts,
        Endpoint("b", "/b", read_last=True),
        Endpoint("a", "/a", read_last=True),
        Endpoint("slow", "/slow"),
    )
    assert [request.path for request in requests] == ["/slow", "/b", "/a"]


def test_sequential_reads_keep_the_order_of_the_spec():
    names = [str(n) for n in range(9, 0, -1)]
    scripts = {f"/{n}": drip(b"1", 0.01) for n in names}
    _, requests = look(scripts, *(Endpoint(n, f"/{n}") for n in names), sequential=True)
    assert [request.path for request in requests] == [f"/{n}" for n in names]


def test_headers_of_the_endpoint_replace_those_of_the_target():
    _, (plain, text) = look(
        {"/x": reply(b"1"), "/y": reply(b"1")},
        Endpoint("x", "/x"),
        Endpoint("y", "/y", decoder="text", headers=(("x-key", "mine"), ("accept", "a/b"))),
        headers=(("X-Key", "ours"), ("X-Other", "too")),
        sequential=True,
    )
    assert (plain.headers["x-key"], plain.headers["x-other"]) == ("ours", "too")
    assert plain.headers["accept"] == "application/json, */*;q=0.5"
    assert (text.headers["x-key"], text.headers["x-other"]) == ("mine", "too")
    assert text.headers["accept"] == "a/b"


@pytest.mark.parametrize("host, told", [("127.0.0.1", True), ("localhost", False)])
def test_a_page_may_be_elsewhere_and_only_the_host_of_the_target_is_told_its_headers(host, told):
    async def once():
        async with hostile({"/x?y=1": reply(b"1"), "/x": reply(b"1")}) as server:
            url = f"{server.url.replace('127.0.0.1', host)}/x?y=1"
            target = Target("http://127.0.0.1:9", headers=(("X-Key", "ours"),))
            async with watching(target, time.monotonic) as observer:
                return await observer.look([Endpoint("x", url)]), server.requests

    snapshots, (request,) = asyncio.run(once())
    assert snapshots["x"].document == 1, snapshots["x"].error
    assert ("x-key" in request.headers) == told


def test_the_method_and_body_of_the_endpoint_are_sent():
    _, (request,) = look({"/x": reply(b"1")}, Endpoint("x", "/x", method="POST", body=b"{}"))
    assert (request.method, request.body) == ("POST", b"{}")


@dataclass
class World:
    """A clock that moves only by sleeping and reading, and endpoints that follow it."""

    values: dict
    """Endpoint id to a function of the time: a value, or an Unreadable."""
    read_takes: dict = field(default_factory=dict)
    now: float = 100.0
    reads: list = field(default_factory=list)

    def clock(self):
        return self.now

    async def sleep(self, seconds):
        self.now += seconds

    async def read(self, endpoint, *, within=None):
        began = self.now
        bound = min(endpoint.timeout, within)
        takes = self.read_takes.get(endpoint.id, 0.0)
        self.reads.append((endpoint.id, began - 100))
        self.now += min(takes, bound)
        value = self.values[endpoint.id](began - 100)
        if takes > bound:
            value = Unreadable("timeout", "no answer")
        if isinstance(value, Unreadable):
            return Snapshot(endpoint.id, error=value, taken=began)
        return Snapshot(endpoint.id, value, taken=began)


def run_settle(world, plan=Settle(), *, wanted=None, endpoints=None, **options):  # noqa: B008 - frozen
    """Settle in *world*; the delta of an endpoint holds once its value is the *wanted* one."""
    wanted = wanted or {}
    return asyncio.run(
        settle(
            world,
            endpoints or [Endpoint(name, f"/{name}") for name in world.values],
            plan,
            fingerprint=lambda seen: {n: s.document for n, s in seen.items() if not s.error},
            content=lambda seen: {
                n for n, s in seen.items() if n not in wanted or s.document == wanted[n]
            },
            clock=world.clock,
            sleep=world.sleep,
            **options,
        )
    )


def test_what_is_still_at_once_is_settled_after_the_time_it_must_be_still():
    settled = run_settle(World({"a": lambda _: 100}), wanted={"a": 100})
    assert (settled.settled, settled.elapsed, settled.polls) == (True, 0.5, 3)
    assert settled.waiting_for == settled.moving == ()


def test_a_server_that_publishes_three_seconds_late_is_waited_for():
    settled = run_settle(World({"a": lambda t: 0 if t < 3 else 100}), wanted={"a": 100})
    assert settled.settled
    assert 3.5 <= settled.elapsed <= 3.75
    assert settled.waiting_for == ()


def test_a_server_that_never_stops_moving_ends_within_the_bound():
    settled = run_settle(World({"a": lambda t: t, "b": lambda _: 1}))
    assert not settled.settled
    assert settled.elapsed == 10
    assert settled.moving == settled.waiting_for == ("a",)


def test_a_value_that_moves_on_after_it_came_true_is_waited_for():
    settled = run_settle(World({"a": lambda t: min(int(t / 0.3), 10)}), wanted={"a": 10})
    assert settled.settled
    assert settled.elapsed >= 3.5


def test_a_counter_that_stays_frozen_is_still_but_waited_for_to_the_end():
    settled = run_settle(World({"a": lambda _: 7, "b": lambda _: 1}), wanted={"a": 107})
    assert (settled.settled, settled.elapsed) == (True, 10)
    assert settled.waiting_for == ("a",)
    assert settled.moving == ()


def test_an_endpoint_that_is_unreadable_for_a_while_is_polled_on():
    broken = Unreadable("status", "HTTP 503")
    world = World({"a": lambda t: broken if 0.2 < t < 2 else 100}, {})
    settled = run_settle(world, wanted={"a": 100})
    assert settled.settled
    assert settled.elapsed == 2.5
    assert settled.waiting_for == ()


def test_an_endpoint_that_stays_unreadable_is_never_settled():
    settled = run_settle(World({"a": lambda _: Unreadable("decode", "not JSON")}))
    assert (settled.settled, settled.elapsed) == (False, 10)
    assert settled.waiting_for == ("a",)
    assert settled.moving == ()


def test_an_endpoint_that_hangs_is_asked_once():
    world = World({"hang": lambda _: 1, "a": lambda t: int(t > 6)}, {"hang": 1e9})
    settled = run_settle(world, wanted={"a": 1})
    assert [name for name, _ in world.reads].count("hang") == 1
    assert not settled.settled
    assert settled.waiting_for == ("hang",)
    assert settled.elapsed < 7


def test_only_hanging_endpoints_end_the_waiting():
    world = World({"hang": lambda _: 1}, {"hang": 1e9})
    settled = run_settle(world)
    assert (settled.settled, settled.elapsed, settled.polls) == (False, 5, 1)


def test_a_read_that_our_deadline_cuts_off_says_nothing():
    world = World({"a": lambda _: 1}, {"a": 0.6})
    settled = run_settle(world, Settle(within=1.5, every=0.1, stable_for=9))
    assert settled.elapsed == 1.5
    assert (settled.settled, settled.waiting_for) == (True, ())


def test_a_hazardous_endpoint_is_not_polled():
    world = World({"a": lambda _: 1, "b": lambda _: 1})
    endpoints = [Endpoint("a", "/a"), Endpoint("b", "/b", read_last=True)]
    settled = run_settle(world, endpoints=endpoints)
    assert settled.settled
    assert {name for name, _ in world.reads} == {"a"}


def test_nothing_to_poll_takes_no_time():
    settled = run_settle(World({}))
    assert (settled.settled, settled.elapsed, settled.polls) == (True, 0, 0)


def test_no_time_to_wait_is_not_settled():
    settled = run_settle(World({"a": lambda _: 1}), Settle(within=0))
    assert (settled.settled, settled.polls, settled.waiting_for) == (False, 0, ("a",))


def test_polls_keep_their_distance():
    world = World({"a": lambda _: 0}, {"a": 0.1})
    run_settle(world, Settle(within=2, every=0.5), wanted={"a": 1})
    assert [round(at, 9) for _, at in world.reads] == [0, 0.5, 1, 1.5]


_seconds = st.floats(0.01, 20)


@given(
    steps=st.lists(st.tuples(_seconds, st.integers(0, 3)), max_size=8),
    takes=st.floats(0, 8),
    broken=st.booleans(),
    plan=st.builds(Settle, st.floats(0, 20), st.floats(0.05, 5), st.floats(0, 5)),
    timeout=st.floats(0.01, 8),
)
def test_settling_ends_within_its_bound(steps, takes, broken, plan, timeout):
    def at(t):
        value = 0
        for when, then in steps:
            value = then if when <= t else value
        return Unreadable("status", "HTTP 500") if broken and value == 2 else value

    world = World({"a": at, "b": lambda _: 1}, {"a": takes})
    endpoints = [Endpoint("a", "/a", timeout=timeout), Endpoint("b", "/b")]
    settled = run_settle(world, plan, wanted={"a": 3}, endpoints=endpoints)
    assert settled.elapsed <= plan.within + 1e-9
    assert set(settled.moving) <= set(settled.waiting_for)
    assert not (settled.settled and settled.moving)


def test_stillness_begins_anew_when_sight_was_lost():
    one = Stillness(stable_for=1)
    one.see(0, "x")
    one.see(1, "x")
    assert one.still
    one.lose_sight()
    assert not one.still
    assert not one.seen
    one.see(2, "x")
    assert not one.still
    assert not one.moving
    one.see(3, "x")
    assert one.still


def test_stillness_knows_what_changed_lately():
    one = Stillness(stable_for=1)
    one.see(0, "x")
    assert not one.moving
    one.see(1, "y")
    assert one.moving
    one.see(1.9, "y")
    assert one.moving
    assert not one.still
    one.see(2, "y")
    assert not one.moving
    assert one.still


def test_a_late_server_is_waited_for_over_real_connections():
    """The same over sockets, with a clock of our own so that nobody waits."""
    world = World({})

    async def once():
        late = in_turn(*[reply(b'{"n": 0}')] * 12, reply(b'{"n": 9}'))
        async with (
            hostile({"/n": late}) as server,
            watching(Target(server.url), world.clock) as observer,
        ):
            return await settle(
                observer,
                [Endpoint("n", "/n")],
                Settle(),
                fingerprint=lambda seen: {k: str(s.document) for k, s in seen.items()},
                content=lambda seen: {k for k, s in seen.items() if s.document == {"n": 9}},
                clock=world.clock,
                sleep=world.sleep,
            )

    settled = asyncio.run(once())
    assert (settled.settled, settled.elapsed, settled.polls) == (True, 3.5, 15)
