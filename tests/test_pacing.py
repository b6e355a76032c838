"""When a request is due follows from its index alone, by the arithmetic that the spec names."""

import math
import pickle
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from validator.drivers import Connection
from validator.drivers.chat import Chat
from validator.pacing import Arrivals, Burst, Stages
from validator.plan import AbortOn, Cancel, LoadPlan, Share, Think, Warmup
from validator.records.load import Exchange, Slo

DRIVER = Chat(Connection("http://localhost", "", 1.0), model="m", prompts=("Hello",))

values = st.floats(0, 1000).map(lambda v: 0.0 if v < 1e-3 else v)
lengths = st.floats(0, 100).map(lambda v: 0.0 if v < 1e-3 else v)
curves = st.builds(Stages, values, st.lists(st.tuples(lengths, values), max_size=5).map(tuple))


def plan(requests=None, **fields):
    return LoadPlan(DRIVER, requests, **fields)


# A quantity over time


@given(curves, st.floats(0, 600))
def test_a_curve_stays_between_its_least_and_its_most(curve, second):
    every = [curve.start, *(value for _, value in curve.stages)]
    assert min(every) - 1e-9 <= curve.at(second) <= curve.most + 1e-9
    assert curve.at(1000) == curve.last


@given(curves, st.floats(0, 5000), st.floats(0, 5000))
def test_an_amount_is_reached_no_earlier_than_a_smaller_one(curve, one, other):
    least, most = sorted((one, other))
    assert curve.fills(least) <= curve.fills(most) * (1 + 1e-9) + 1e-9


@given(curves, st.floats(0, 5000))
def test_what_has_summed_up_by_then_is_the_amount(curve, amount):
    second = curve.fills(amount)
    if math.isinf(second):
        assert curve.last == 0
    else:
        assert area(curve, second) == pytest.approx(amount, rel=1e-6, abs=1e-6)


def area(curve, until):
    """Sum up a curve by its corners: each line is as much as its mean makes."""
    total, begin, low = 0.0, 0.0, curve.start
    for length, high in curve.stages:
        part = min(length, max(0.0, until - begin))
        if part:
            end = low + (high - low) * part / length
            total += part * (low + end) / 2
        begin, low = begin + length, high
    return total + low * max(0.0, until - begin)


@given(curves, values, st.floats(0, 600))
@example(Stages(0, ((1, 1), (0, 0))), 1, 0)
@example(Stages(0, ((1, 1), (1, 0))), 1, 0)
def test_a_level_is_reached_at_the_first_moment_that_has_it(curve, level, since):
    second = curve.reaches(level, since)
    if second is None:
        assert curve.last < level
        return
    assert second >= since
    assert curve.at(second) >= level - 1e-6 * max(1, level)
    for step in range(10):
        earlier = since + (second - since) * step / 10
        if earlier < second:
            assert curve.at(earlier) < level + 1e-6 * max(1, level)


def test_a_curve_goes_in_straight_lines_and_steps():
    curve = Stages(0, ((10, 20), (0, 5), (10, 5), (5, 0)))
    assert [curve.at(s) for s in (0, 5, 10, 15, 22.5, 30)] == [0, 10, 5, 5, 2.5, 0]
    assert (curve.most, curve.last) == (20, 0)
    assert curve.fills(100) == pytest.approx(10)
    assert curve.reaches(10, 0) == pytest.approx(5)
    assert curve.reaches(10, 12) is None


# Arrivals

POISSON = [0.06970593870198924, 0.3185962230816085, 0.3435798938817123]
GAMMA = [0.013701142853305787, 0.025829475099463116, 0.07329748162784817]

seeds = st.integers(-(2**40), 2**40)
shapes = st.sampled_from([None, 0.25, 0.5, 1.0, 2.0, 8.0])


@given(st.floats(0.1, 1000), st.integers(0, 10_000))
def test_constant_arrivals_are_a_grid(rate, index):
    assert Arrivals(Stages(rate)).due(index) == pytest.approx(index / rate)


@settings(max_examples=30)
@given(st.floats(0.1, 1000), shapes, seeds)
def test_arrivals_come_at_the_rate_that_was_asked_for(rate, shape, seed):
    arrivals = Arrivals(Stages(rate), shape, seed)
    n = 2000
    due = [arrivals.due(i) for i in range(n)]
    assert due == sorted(due)
    assert due[0] >= 0
    # A gap has the variance 1/shape: six standard deviations of their mean are a wide margin.
    margin = 6 / math.sqrt(n * (shape or math.inf)) + 2 / n
    assert due[-1] * rate / n == pytest.approx(1, abs=margin)


@settings(max_examples=30)
@given(st.sampled_from([0.25, 1.0, 4.0]), seeds)
def test_the_burstiness_is_the_shape_of_the_gaps(shape, seed):
    arrivals = Arrivals(Stages(1), shape, seed)
    due = [arrivals.due(i) for i in range(4000)]
    gaps = [b - a for a, b in pairwise(due)]
    mean = sum(gaps) / len(gaps)
    variance = sum((g - mean) ** 2 for g in gaps) / len(gaps)
    assert 0.6 < variance * shape < 1.6  # 1 by the gamma distribution; the margin is the sample's


@given(shapes, seeds, st.permutations(range(50)))
def test_a_schedule_depends_on_the_seed_and_not_on_the_order_of_asking(shape, seed, order):
    arrivals = Arrivals(Stages(5, ((3, 50),)), shape, seed)
    asked = {i: arrivals.due(i) for i in order}
    elsewhere = pickle.loads(pickle.dumps(arrivals))
    assert [asked[i] for i in range(50)] == [elsewhere.due(i) for i in range(50)]
    if shape is not None:
        other = Arrivals(Stages(5, ((3, 50),)), shape, seed + 1)
        assert [other.due(i) for i in range(50)] != [elsewhere.due(i) for i in range(50)]


def test_a_process_is_the_same_on_every_machine():
    poisson = Arrivals(Stages(10), 1.0, seed=7)
    gamma = Arrivals(Stages(10), 0.5, seed=7)
    assert [poisson.due(i) for i in range(3)] == pytest.approx(POISSON, rel=1e-12)
    assert [gamma.due(i) for i in range(3)] == pytest.approx(GAMMA, rel=1e-12)


def test_a_rate_that_ends_at_nothing_sends_no_more():
    arrivals = Arrivals(Stages(10, ((10, 0),)))
    assert arrivals.due(49) < 10
    assert math.isinf(arrivals.due(51))


# Plans


@given(st.integers(0, 300), st.integers(1, 40), st.integers(1, 12), st.sampled_from([0, -300, 5]))
@example(requests=100, concurrency=2, wanted=4, first=0)
def test_shares_are_the_load_and_each_has_room(requests, concurrency, wanted, first):
    whole = plan(requests, concurrency=concurrency, first=first)
    shares = whole.shares(wanted)
    dealt = [list(whole.indices(share)) for share in shares]
    assert sorted(i for part in dealt for i in part) == list(range(first, first + requests))
    assert max(map(len, dealt)) - min(map(len, dealt)) <= 1
    places = [share.among(concurrency) for share in shares]
    assert sorted(p for part in places for p in part) == list(range(concurrency))
    assert all(places)


def test_a_load_without_an_end_and_a_share_of_nothing_are_refused():
    with pytest.raises(ValueError, match="without an end"):
        plan()
    with pytest.raises(ValueError, match="no share 2 of 2"):
        Share(2, 2)


def test_a_plan_can_be_sent_to_another_process():
    whole = plan(
        100,
        duration=5.0,
        pacer=Arrivals(Stages(5, ((3, 50),)), 0.5, 1),
        think=Think(0.1, 0.2),
        warmup=Warmup(3),
        abort_on=AbortOn(5),
        slo=Slo({"ttft": 0.1}),
    )
    again = pickle.loads(pickle.dumps(whole))
    assert again == whole
    assert [again.due(i) for i in range(99)] == [whole.due(i) for i in range(99)]


def test_a_warmup_takes_what_stands_before_the_first_of_everything():
    warming = plan(100, warmup=Warmup(3), abort_on=AbortOn(1), pacer=Arrivals(Stages(2))).warming()
    assert list(warming.indices(Share())) == [-3, -2, -1]
    assert [warming.due(i) for i in (-3, -2, -1)] == [0, 0.5, 1]
    assert (warming.abort_on, warming.warming()) == (None, None)
    by_time = plan(100, warmup=Warmup(duration=2.0)).warming()
    assert (by_time.requests, by_time.duration) == (None, 2.0)
    assert next(by_time.indices(Share())) < -(10**9)
    assert plan(100).warming() is None


def test_a_loop_is_open_when_requests_are_due():
    assert not plan(1).open_loop
    assert plan(1).due(0) is None
    assert Burst().due(7) is None
    assert plan(1, pacer=Arrivals(Stages(0, ((5, 5),)))).open_loop


@given(st.integers(0, 10**6), seeds, st.floats(0.001, 10), st.floats(0, 10))
def test_a_pause_is_seeded_and_within_its_bounds(index, seed, least, more):
    think = Think(least, least + more, seed=seed)
    assert least <= think.after(index) <= least + more
    assert think.after(index) == Think(least, least + more, seed=seed).after(index)
    assert Think(mean=least, seed=seed).after(index) >= 0


def test_exponential_pauses_have_their_mean():
    think = Think(mean=2.0, seed=1)
    pauses = [think.after(i) for i in range(4000)]
    assert sum(pauses) / 4000 == pytest.approx(2, abs=6 * 2 / math.sqrt(4000))
    assert Think(0.5, 0.5).after(3) == 0.5


@given(st.floats(0.01, 1), seeds, st.integers(1, 2000))
def test_the_share_that_is_cut_off_is_kept(share, seed, requests):
    cancel = Cancel(share, 5, seed)
    hit = sum(cancel.hits(i) for i in range(requests))
    assert abs(hit - share * requests) <= 2


def test_who_is_cut_off_is_no_pattern():
    cancel = Cancel(0.1, 5, 1)
    hit = [i for i in range(2000) if cancel.hits(i)]
    assert len({b - a for a, b in pairwise(hit)}) > 5
    assert len({i % 10 for i in hit}) == 10  # so it cannot fall in with ten prompts in turn
    assert hit != [i for i in range(2000) if Cancel(0.1, 5, 2).hits(i)]
    assert all(Cancel(1.0, 5).hits(i) for i in range(99))
    whole = plan(9, cancel=Cancel(1.0, 5), warmup=Warmup(1))
    assert (whole.cut(3), plan(9).cut(3), whole.warming().cut(-1)) == (5, None, None)


@pytest.mark.parametrize(
    "limits, failed, ended, consecutive, said",
    [
        ({"failed": 5}, 4, 100, 4, ""),
        ({"failed": 5}, 5, 100, 1, "5 of 100 requests failed"),
        ({"consecutive": 3}, 9, 100, 2, ""),
        ({"consecutive": 3}, 3, 100, 3, "3 requests in a row failed"),
        ({"share": 0.5}, 19, 19, 19, ""),
        ({"share": 0.5}, 10, 20, 1, "10 of 20 requests failed, 50 %"),
        ({"share": 0.5, "after": 3}, 2, 3, 1, "2 of 3 requests failed, 66.7 %"),
        ({"share": 0.5}, 9, 20, 9, ""),
    ],
)
def test_a_load_is_hopeless_when_a_limit_is_reached(limits, failed, ended, consecutive, said):
    assert AbortOn(**limits).reason(failed, ended, consecutive) == said


def exchange(**fields):
    return Exchange(index=0, model="m", due=1.0, sent=1.5, done=9.0, outcome="ok", **fields)


@pytest.mark.parametrize(
    "limits, met",
    [
        ({"ttft": 1.0}, True),  # counted from when it was due
        ({"ttft": 0.99}, False),
        ({"wall": 8.0}, True),
        ({"wall": 7.9, "ttft": 5}, False),
        ({"tpot": 1.0}, None),
        ({"tpot": 1.0, "ttft": 1.0}, None),
        ({"tpot": 1.0, "ttft": 0.5}, False),  # too slow already, whatever is missing
        ({"itl": 3.0}, True),
        ({"itl": 2.9}, False),  # the longest gap counts
        ({"ttfc": 1.0}, None),
    ],
)
def test_an_slo_is_met_missed_or_undetermined(limits, met):
    found = exchange(first_token=2.0, last_token=6.0)
    found.gaps.extend([1.0, 3.0])
    assert Slo(limits).met(found) is met
