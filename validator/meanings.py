"""What the words mean that a run comes up with: fields of the ledger, statuses, flags."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from validator.records.verdict import Severity, Status

FIELDS: Final[Mapping[str, str]] = {
    "sent": "how many requests were sent",
    "ok": "how many of them succeeded, judged by content: a whole stream with a finish reason",
    "failed": "how many of them did not; those cut off by `cancel` apart",
    "cancelled": "how many the client cut off, as `cancel` asks",
    "success_rate": "`ok` as a share of `ok` and `failed`, 0 to 1",
    "outcomes.CLASS": "how many ended as `ok`, `status_429` and the like, `timeout`, `connect`, "
    "`reset`, `truncated`, `empty`, `malformed`, `api_error`, `cancelled`, `client_error`",
    "finish_reasons.REASON": "how many choices of ok requests ended with `stop`, `length` "
    "and so on",
    "errors.CLASS": "up to five different messages of that class",
    "started_at": "the first start, in seconds since 1970 by the client's clock",
    "ended_at": "the last end, in seconds since 1970 by the client's clock",
    "duration_s": "first start to last end, in seconds",
    "requests_per_s": "ok requests per second of `duration_s`",
    "tokens_per_s": "completion tokens of ok requests per second of `duration_s`",
    "tokens.prompt": "tokens of the prompts as the server's `usage` says; null when one answer "
    "did not say",
    "tokens.completion": "tokens of the answers as `usage` says, or else counted",
    "tokens.cached": "tokens of the prompts that came from a cache, as `usage` says",
    "tokens.source": "`usage`, `chunks` (counted, when there was no usage) or `mixed`",
    "chunks": "content events; a chunk is not a token",
    "models.NAME.sent": "`sent` of one model",
    "models.NAME.ok": "`ok` of one model",
    "models.NAME.tokens": "`tokens` of one model: `prompt`, `completion` and `cached`",
    "in_flight_max": "the most requests that were open at once",
    "ttfc_ms": "t0 to the first event of any kind, in ms",
    "ttft_ms": "t0 to the first event with content, reasoning or tool-call text, in ms",
    "itl_ms": "gaps between successive content events, in ms",
    "tpot_ms": "(latency − ttft) ÷ (completion tokens − 1), of answers with two tokens or more, "
    "in ms",
    "latency_ms": "t0 to the last content event, in ms",
    "wall_ms": "t0 to the end of the response, in ms",
    "percentiles.exact": "whether percentiles were taken of all samples",
    "percentiles.relative_error": "if not, by what share of their value they may be off",
    "aborted": "false, or why the load was given up, as `abort_on` asks",
    "client.lag_ms": "how late the client's own event loop woke up, in ms: `p50` `p99` `max`",
    "client.lag_ms.total": "how late it was in all, in ms",
    "client.prepare_ms": "what it took, before t0, to build a request and to have a connection "
    "for it, in ms: `p50` `p99` `max`; null by `transport: openai`, which has it within the "
    "latencies",
    "client.late_ms": "under a rate, how long after it was due a request was sent, in ms: "
    "`p50` `p99` `max`",
    "client.cpu_share": "CPU seconds of the client per second of load, of the process that fared "
    "worst; near 1, the client was the bottleneck",
    "client.cpu_total": "the same of all processes together",
    "client.processes": "how many processes sent the load",
    "client.lost": "shares of the load that did not come home, and why; a ledger with one "
    "decides nothing",
    "client.held_back": "under a rate, how many requests found no room in flight and waited",
    "client.unsent": "under a rate, how many found none before the duration was over",
    "goodput.met": "how many ok requests met every limit of `slo`",
    "goodput.missed": "how many missed one",
    "goodput.undetermined": "how many lack a figure, and missed no other limit",
    "goodput.share": "`met` as a share of all requests that were not cancelled, 0 to 1",
    "goodput.requests_per_s": "`met` per second of `duration_s`",
    "goodput.slo_ms": "the limits, in ms",
}
"""The fields of the ledger; t0 is the moment just before a request is handed over."""

FIGURES: Final[Mapping[str, str]] = {
    "count": "how many samples there are",
    "missing": "how many ok requests have none",
    "mean": "their mean",
    "min": "the least",
    "max": "the greatest",
    "p50": "their median",
    "p90": "90 % of them are at most so long",
    "p95": "95 % of them are at most so long",
    "p99": "99 % of them are at most so long",
}
"""What each time of the ledger has; those of `client` have some of them."""

SUMMED: Final = ("ttfc_ms", "ttft_ms", "itl_ms", "tpot_ms", "latency_ms", "wall_ms")
"""The times that have all the figures."""

STATUSES: Final[Mapping[str, str]] = {
    Status.PASS.value: "looked, and it is so",
    Status.FAIL.value: "looked, and it is not so; nothing there, null or a wrong kind is not so",
    Status.ERROR.value: "could not look, or could not decide",
    Status.SKIP.value: "not judged, for the reason given",
    Status.XFAIL.value: "failed as announced",
}

SEVERITIES: Final[Mapping[str, str]] = {
    Severity.CRITICAL.value: "breaks the run, which ends with 1; what an assertion is by default",
    Severity.WARNING.value: "is reported, and breaks nothing without `--fail-on warning`",
    Severity.INFO.value: "is reported, and breaks nothing without `--fail-on info`",
}

FLAGS: Final[Mapping[str, str]] = {
    "vacuous": "a pass that could not have failed with these values, such as 0 = 0",
    "known": "no better in the report that `--baseline` names",
    "not decidable": "an error: the client itself was too late, or lost a part of the load",
}
