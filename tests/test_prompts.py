"""A prompt follows from its place alone, and shares with others what the spec says."""

import pickle
from itertools import takewhile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from validator.drivers import Connection
from validator.drivers.chat import Chat
from validator.drivers.prompts import WORDS, Shuffled, Synthetic
from validator.spec.parse import Overrides, load_spec

sources = st.builds(
    Synthetic,
    words=st.integers(1, 60),
    shared=st.floats(0, 1),
    groups=st.integers(1, 300),
    seed=st.integers(),
)


@given(sources, st.integers(0, 10**7))
def test_a_synthetic_prompt_is_of_its_length_and_the_same_everywhere(source, index):
    prompt = source[index]
    assert len(prompt.split()) == source.words
    assert set(prompt.split()) <= set(WORDS)
    assert pickle.loads(pickle.dumps(source))[index] == prompt


@given(sources, st.integers(0, 10**6), st.integers(0, 10**6))
def test_prompts_share_the_beginning_of_their_group_and_no_more(source, one, other):
    first, second = source[one].split(), source[other].split()
    common = len([*takewhile(lambda pair: pair[0] == pair[1], zip(first, second, strict=True))])
    if one == other:
        return
    if one % source.groups == other % source.groups:
        assert common >= source.prefix_words
        # They differ where their numbers do: at once, unless these end alike in base 140.
        if (one - other) // source.groups % len(WORDS) and source.prefix_words < source.words:
            assert common == source.prefix_words
    elif source.prefix_words and (one - other) % source.groups % len(WORDS):
        gap = one % source.groups - other % source.groups
        assert common == 0 or gap % len(WORDS) == 0


def test_no_two_are_alike_unless_asked_for():
    source = Synthetic(20, 0.5, 4)
    assert len({source[i] for i in range(20_000)}) == 20_000
    assert len({source[i][:20] for i in range(400)}) == 4
    again = chat(Synthetic(20, distinct=10))
    assert len({again.prompt(i) for i in range(200)}) == 10
    assert again.prompt(3) == again.prompt(13)


def test_another_seed_makes_other_prompts():
    assert Synthetic(20, seed=1)[0] != Synthetic(20, seed=2)[0]


def chat(prompts):
    return Chat(Connection("http://localhost", "", 1.0), model="m", prompts=prompts)


@given(st.integers(1, 40), st.integers(0, 30), st.integers())
def test_a_shuffled_pass_has_every_prompt_once(count, turn, seed):
    texts = tuple(map(str, range(count)))
    driver = chat(Shuffled(texts, seed))
    one = [driver.prompt(turn * count + place) for place in range(count)]
    assert sorted(one) == sorted(texts)
    assert one == [chat(Shuffled(texts, seed)).prompt(turn * count + p) for p in range(count)]


def test_each_pass_has_an_order_of_its_own():
    driver = chat(Shuffled(tuple(map(str, range(30)))))
    passes = {tuple(driver.prompt(turn * 30 + p) for p in range(30)) for turn in range(10)}
    assert len(passes) == 10


def test_what_comes_before_the_first_is_not_what_a_load_sends():
    driver = chat(Synthetic(30))
    assert not {driver.prompt(i) for i in range(-50, 0)} & {driver.prompt(i) for i in range(50)}
    assert chat(("a", "b", "c")).prompt(-1) == "c"


def test_a_source_is_a_sequence_with_ends():
    source = Synthetic(5, distinct=3)
    assert list(source) == source[0:3] == [source[0], source[1], source[2]]
    assert source[-1] == source[2]
    with pytest.raises(IndexError):
        source[3]


def prompts(folder, written):
    spec = folder / "spec.yaml"
    spec.write_text(
        "version: 1\ntarget: {url: http://localhost:9}\n"
        f"load: {{model: m, requests: 2, seed: 3, prompts: {written}}}\n"
    )
    return load_spec(spec, Overrides(environment={})).loads[0].plan.driver.prompts


@pytest.mark.parametrize(
    "name, text, written",
    [
        ("p.txt", "\ufeffone\n\n  two \r\nthree", "{file: p.txt}"),
        (
            "p.jsonl",
            '{"prompt": "one"}\n{"prompt": "two"}\n\n{"prompt": "three"}\n',
            "{jsonl: p.jsonl}",
        ),
        ("p.jsonl", '{"q": "one"}\n{"q": "two"}\n{"q": "three"}', "{jsonl: p.jsonl, field: q}"),
        ("p", "", "{texts: [one, two, three]}"),
        ("p", "", "[one, two, three]"),
    ],
)
def test_prompts_are_read_from_where_the_spec_says(tmp_path, name, text, written):
    (tmp_path / name).write_bytes(text.encode())
    assert prompts(tmp_path, written) == ("one", "two", "three")


def test_an_order_and_a_length_are_as_the_spec_says(tmp_path):
    assert prompts(tmp_path, "{texts: [a, b], order: shuffled}") == Shuffled(("a", "b"), 3)
    written = "{synthetic: {words: 9, prefix: {share: 0.5, groups: 4}, distinct: 7}}"
    assert prompts(tmp_path, written) == Synthetic(9, 0.5, 4, 7, 3)
    assert prompts(tmp_path, "{synthetic: {words: 9}}") == Synthetic(9, seed=3)
