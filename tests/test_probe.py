"""A probe brings back a payload or says in one sentence why not, within its bounds."""

from __future__ import annotations

import asyncio
import gzip
import subprocess
import sys
import time
import zlib

import pytest
from hostile_http import (
    drip,
    endless,
    gzipped,
    hostile,
    never,
    raw,
    redirect,
    reply,
    reset,
)

from validator.errors import ProbeError
from validator.probes.http import HttpProbe, session
from validator.server import free_port

MEBIBYTE = 1024 * 1024
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def fetch(script, **options):
    """Fetch /x from a server that plays *script* there."""

    async def once():
        async with hostile({"/x": script}) as server, session() as client:
            return await HttpProbe(client, f"{server.url}/x", **options).fetch()

    return asyncio.run(once())


def refusal(script, **options):
    """Return the cause and the text of the error that such a fetch must end in."""
    began = time.monotonic()
    with pytest.raises(ProbeError) as refused:
        fetch(script, **options)
    assert time.monotonic() - began < 4
    assert str(refused.value).isprintable()
    return refused.value.cause, str(refused.value)


def test_a_payload_has_body_type_and_status():
    payload = fetch(reply(b"[1]", status=503, headers={"Content-Type": "application/json"}))
    assert (payload.body, payload.content_type, payload.status) == (b"[1]", "application/json", 503)


def test_a_body_of_ten_megabytes_arrives_whole():
    assert len(fetch(reply(b"x" * 10_000_000)).body) == 10_000_000


def test_the_request_is_sent_as_the_spec_says():
    async def once():
        async with hostile({"/x": reply()}) as server, session() as client:
            await HttpProbe(
                client,
                f"{server.url}/x",
                method="POST",
                headers=(("X-Key", "schlüssel"), ("Content-Type", "text/plain")),
                body=b"question",
            ).fetch()
            return server.requests

    (request,) = asyncio.run(once())
    assert (request.method, request.body) == ("POST", b"question")
    assert request.headers["x-key"].encode("latin-1").decode() == "schlüssel"
    assert request.headers["content-type"] == "text/plain"
    assert request.headers["accept-encoding"] == "gzip, deflate"


def test_a_connection_is_used_again():
    async def twice():
        async with hostile({"/x": reply(b"1")}) as server, session() as client:
            probe = HttpProbe(client, f"{server.url}/x")
            await probe.fetch()
            await probe.fetch()
            return server.connections

    assert asyncio.run(twice()) == 1


@pytest.mark.parametrize(
    "name,value,url",
    [
        ("SSL_CERT_FILE", "/nowhere/certificates.pem", "https://127.0.0.1:9/"),
        ("HTTP_PROXY", "http://user:pa5s/w0rd@proxy:99", "http://127.0.0.1:9/"),
    ],
)
def test_what_the_environment_makes_impossible_is_not_blamed_on_the_page(
    monkeypatch, name, value, url
):
    monkeypatch.setenv(name, value)

    async def once():
        async with session() as client:
            await HttpProbe(client, url).fetch()

    with pytest.raises(ProbeError, match="that the environment names cannot be used") as refused:
        asyncio.run(once())
    assert refused.value.cause == "environment"
    assert name in str(refused.value)
    assert "pa5s" not in str(refused.value)


def test_nobody_listens():
    async def once():
        async with session() as client:
            await HttpProbe(client, f"http://127.0.0.1:{free_port()}/").fetch()

    with pytest.raises(ProbeError, match=r"^cannot connect: connection refused$") as refused:
        asyncio.run(once())
    assert refused.value.cause == "connect"


def test_nobody_listens_where_the_proxy_should_be(monkeypatch):
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")

    async def once():
        async with session() as client:
            await HttpProbe(client, "http://target.invalid/").fetch()

    said = r"^cannot connect by the proxy of HTTP_PROXY: connection refused$"
    with pytest.raises(ProbeError, match=said) as refused:
        asyncio.run(once())
    assert refused.value.cause == "connect"


@pytest.mark.parametrize(
    "url,cause,text",
    [
        ("http://no-such-host.invalid/", "connect", "cannot connect: "),
        ("http://127.0.0.1:99999/", "protocol", "OverflowError: "),
        ("http:///x", "protocol", "not a URL to read: "),
        ("ftp://127.0.0.1/x", "protocol", "not a URL to read: "),
        ("http://127.0.0.1/\x00", "protocol", "not a URL to read: "),
    ],
)
def test_a_url_that_leads_nowhere(url, cause, text):
    async def once():
        async with session() as client:
            await HttpProbe(client, url).fetch()

    with pytest.raises(ProbeError) as refused:
        asyncio.run(once())
    assert refused.value.cause == cause
    assert str(refused.value).startswith(text)
    assert str(refused.value).isprintable()


def test_a_server_that_does_not_speak_tls():
    async def once():
        def refuse(_reader, writer):
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            writer.close()

        async with (
            await asyncio.start_server(refuse, "127.0.0.1", 0) as server,
            session() as client,
        ):
            port = server.sockets[0].getsockname()[1]
            await HttpProbe(client, f"https://127.0.0.1:{port}/").fetch()

    with pytest.raises(ProbeError, match=r"^cannot connect: TLS: \w") as refused:
        asyncio.run(once())
    assert refused.value.cause == "connect"


def test_a_server_that_never_answers_costs_the_timeout():
    assert refusal(never(), timeout=0.3) == ("timeout", "no answer within 300ms")


def test_a_body_that_drips_costs_the_timeout_and_no_more():
    cause, text = refusal(drip(b"x" * 1000, every=0.02), timeout=0.3)
    assert cause == "timeout"
    assert text.startswith("the body did not end within 300ms (")
    assert text.endswith(" so far)")


def test_headers_that_drip_cost_the_timeout():
    script = never(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    assert refusal(script, timeout=0.3) == ("timeout", "no answer within 300ms")


def test_informational_answers_without_end_cost_the_timeout():
    script = endless(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n" * 100)
    assert refusal(script, timeout=0.3) == ("timeout", "no answer within 300ms")


@pytest.mark.parametrize(
    "script",
    [reply(b"x" * 1025), endless(CHUNKED, b"400\r\n" + b"x" * 1024 + b"\r\n")],
    ids=["announced", "endless"],
)
def test_a_body_larger_than_the_bound(script):
    assert refusal(script, max_bytes=1024) == ("too_large", "body larger than 1 KiB")


def test_a_body_as_large_as_the_bound_is_read():
    assert len(fetch(reply(b"x" * 1024), max_bytes=1024).body) == 1024
    assert len(fetch(gzipped(b"x" * 1024), max_bytes=1024).body) == 1024


def test_a_body_that_decodes_to_more_than_the_bound():
    script = gzipped(b"\0" * 40 * MEBIBYTE)
    assert refusal(script, max_bytes=MEBIBYTE) == (
        "too_large",
        "body decodes to more than 1 MiB",
    )


@pytest.mark.parametrize(
    "coding,body",
    [
        ("gzip", gzip.compress(b"hello")),
        ("x-gzip", gzip.compress(b"hello")),
        ("GZIP", gzip.compress(b"hel") + gzip.compress(b"lo") + b"\0\0"),
        ("deflate", zlib.compress(b"hello")),
        ("deflate", zlib.compress(b"hello")[2:-4]),
        ("identity", b"hello"),
        ("", b"hello"),
    ],
    ids=["gzip", "x-gzip", "members", "zlib", "raw", "identity", "none"],
)
def test_content_codings_are_undone(coding, body):
    assert fetch(reply(body, headers={"Content-Encoding": coding})).body == b"hello"


def test_an_empty_body_needs_no_coding():
    assert fetch(reply(status=204, headers={"Content-Encoding": "gzip"})).body == b""


@pytest.mark.parametrize(
    "coding,body,text",
    [
        ("gzip", b"plain text", "the body is not valid gzip: "),
        ("gzip", gzip.compress(b"hello" * 99)[:-9], "the gzip body is cut short"),
        ("gzip", gzip.compress(b"hello") + b"rubbish", "the body is not valid gzip: "),
        ("br", b"hello", "content coding 'br'; asked for gzip, deflate"),
        ("gzip, gzip", b"hello", "content coding 'gzip, gzip'; asked for gzip, deflate"),
    ],
    ids=["plain", "cut", "rubbish", "unasked", "twice"],
)
def test_content_codings_that_cannot_be_undone(coding, body, text):
    cause, said = refusal(reply(body, headers={"Content-Encoding": coding}))
    assert cause == "protocol"
    assert said.startswith(text)


@pytest.mark.parametrize(
    "script,text",
    [
        (raw(b""), "the connection broke before an answer"),
        (reset(), "the connection broke before an answer"),
        (
            raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello"),
            "the connection broke after 5 bytes",
        ),
        (
            reset(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nh"),
            "the connection broke after 1 byte",
        ),
        (raw(CHUNKED + b"5\r\nhello\r\n"), "the connection broke after 5 bytes"),
        (raw(CHUNKED + b"zz\r\n"), "not valid HTTP: "),
        (raw(b"\x16\x03\x01\x1b[31m nonsense\r\n\r\n"), "not valid HTTP: "),
        (raw(b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n"), "not valid HTTP: "),
        (endless(b"HTTP/1.1 200 OK\r\n", b"X-Flood: " + b"x" * 1000 + b"\r\n"), "not valid HTTP: "),
    ],
)
def test_an_answer_that_is_not_http(script, text):
    cause, said = refusal(script)
    assert cause == "protocol"
    assert said.startswith(text)
    assert len(said) < 200


def test_a_header_that_cannot_be_sent_is_not_quoted():
    cause, text = refusal(reply(), headers=(("Authorization", "Bearer secret\n"),))
    assert cause == "protocol"
    assert "not valid HTTP" in text
    assert "secret" not in text


def follow(scripts, **options):
    async def once():
        async with hostile(scripts) as server, session() as client:
            payload = await HttpProbe(client, f"{server.url}/a", **options).fetch()
            return payload, [f"{request.method} {request.path}" for request in server.requests]

    return asyncio.run(once())


def test_a_redirect_within_the_origin_is_followed():
    payload, asked = follow({"/a": redirect("/b#part", status=307), "/b": reply(b"here")})
    assert payload.body == b"here"
    assert asked == ["GET /a", "GET /b"]


@pytest.mark.parametrize("status,method", [(303, "GET"), (307, "POST")])
def test_a_post_is_repeated_only_where_http_says_so(status, method):
    _, asked = follow(
        {"/a": redirect("b", status=status), "/b": reply()}, method="POST", body=b"question"
    )
    assert asked == ["POST /a", f"{method} /b"]


def test_a_redirect_can_be_the_answer():
    payload, asked = follow({"/a": redirect("/b"), "/b": reply()}, follow=False)
    assert payload.status == 302
    assert asked == ["GET /a"]


@pytest.mark.parametrize(
    "scripts,text",
    [
        ({"/a": redirect("/a")}, "redirect in a loop: /a"),
        ({"/a": redirect("/b"), "/b": redirect("/a")}, "redirect in a loop: /a"),
        (
            {"/a": redirect("/1")} | {f"/{n}": redirect(f"/{n + 1}") for n in range(1, 9)},
            "more than 5 redirects, the last one to /6",
        ),
        ({"/a": redirect("https://elsewhere.invalid/b")}, "redirect to another origin: https://"),
        ({"/a": redirect("//127.0.0.1:1/b")}, "redirect to another origin: //127.0.0.1:1/b"),
        ({"/a": redirect("file:///etc/passwd")}, "redirect to another origin: file:///etc/passwd"),
        ({"/a": redirect("http://[::1")}, "redirect to no URL: "),
    ],
)
def test_a_redirect_that_is_not_followed(scripts, text):
    with pytest.raises(ProbeError) as refused:
        follow(scripts)
    assert refused.value.cause == "redirect"
    assert str(refused.value).startswith(text)


def test_redirects_share_one_timeout():
    with pytest.raises(ProbeError, match=r"^no answer within 300ms$"):
        follow({"/a": redirect("/b"), "/b": never()}, timeout=0.3)


def test_httpx_is_not_imported_before_it_is_used():
    code = "import sys, validator.observe, validator.server; sys.exit('httpx' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_cancelled_fetch_is_cancelled():
    async def once():
        async with hostile({"/x": never()}) as server, session() as client:
            task = asyncio.create_task(HttpProbe(client, f"{server.url}/x").fetch())
            await server.asked.wait()
            task.cancel()
            await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(once())
