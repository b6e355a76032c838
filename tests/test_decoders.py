"""Every decoder reads what its case file holds, and refuses the rest in the words it gives."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from validator.decoders import ACCEPT, DECODERS
from validator.errors import DecodeError
from validator.records.observation import Payload

CASES = Path(__file__).parent / "cases" / "decoders"


def _cases():
    for file in sorted(CASES.glob("*.yaml")):
        for case in yaml.safe_load(file.read_text("utf-8")):
            label = f"{file.stem}-{case['body'][:20]!r}"
            yield pytest.param(file.stem, case, id=label.encode("ascii", "replace").decode())


@pytest.mark.parametrize("name,case", list(_cases()))
def test_a_decoder_does_what_its_case_says(name, case):
    body = case["body"].encode(case.get("encoding", "utf-8")) * case.get("times", 1)
    payload = Payload(body, case.get("content_type", ""))
    if "error" in case:
        with pytest.raises(DecodeError) as refused:
            DECODERS[name](payload, case.get("depth", 200))
        assert str(refused.value) == case["error"]
        assert refused.value.cause == "decode"
    else:
        document = DECODERS[name](payload, case.get("depth", 200))
        assert json.dumps(document) == json.dumps(case["document"])  # 1 is not 1.0 here


@pytest.mark.parametrize("name", sorted(DECODERS))
def test_every_decoder_has_cases_and_a_documented_example(name):
    assert (CASES / f"{name}.yaml").is_file()
    assert "```yaml" in DECODERS.documentation(name)
    assert name in ACCEPT


def test_a_body_of_ten_megabytes_is_read_in_seconds():
    body = json.dumps([{"id": i, "rate": i / 7, "tags": ["x" * 30]} for i in range(150_000)])
    assert len(body) > 10_000_000
    began = time.process_time()
    document = DECODERS["json"](Payload(body.encode()), 200)
    assert time.process_time() - began < 5
    assert len(document) == 150_000


@pytest.mark.parametrize(
    "name,body,said",
    [
        ("csv", 'a\n"' + "\n" * 10_002, "a row of more than 10000 lines at line 2"),
        ("csv", ",".join(map(str, range(100_000))) + ("\n" + "," * 99_999) * 11, "1000000 cells"),
        ("prometheus", "# HELP a b\n" * 200_001, "more than 200000 lines of TYPE, HELP and UNIT"),
        ("prometheus", "a{" + ",".join(f'b{i}="c"' for i in range(1001)) + "} 1\n", "1000 labels"),
        ("events", "data: " + "[" * 100_000 + "\n\n", "nested too deep"),
    ],
)
def test_a_body_that_would_fill_the_memory_is_refused(name, body, said):
    with pytest.raises(DecodeError, match=said):
        DECODERS[name](Payload(body.encode()), 200)


_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=20,
)


@given(_values, st.sampled_from(["utf-8", "utf-16", "utf-32"]))
def test_what_a_json_writer_writes_is_read_back(value, charset):
    body = json.dumps(value, ensure_ascii=charset != "utf-8").encode(charset)
    assert DECODERS["json"](Payload(body), 200) == value


@given(st.binary(max_size=60) | st.text('[]{}",:1eNaIn-+.\\ufity', max_size=40).map(str.encode))
def test_any_bytes_become_a_document_or_a_decode_error(body):
    for decode in DECODERS.values():
        said = ""
        try:
            decode(Payload(body, "text/plain"), 3)
        except DecodeError as error:
            said = str(error)
        assert said.isprintable()
