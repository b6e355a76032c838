"""An engine that nobody here knows: truthful books, and pages in the manner of real ones.

Its Prometheus page is laid out as vLLM's is (colons in names, histograms, `_created`, an info
metric), once as text 0.0.4 and once as OpenMetrics with exemplars. Its JSON page is made up, with
keys that need quotes. The chat endpoint tells its tokens.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise

from hostile_http import Hostile, Script, hostile, raw, reply
from hostile_llm import DONE, ROLE, delta, stream
from scripted_server import CHAT

MODEL = "org/model-7b"
BOUNDS = ("0.001", "0.01", "0.1", "1.0", "+Inf")
TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


@dataclass(slots=True)
class Engine:
    """What was served so far."""

    counts: bool = True
    """Whether it keeps its books; one that does not shows only zeros."""
    ok: int = 0
    prompt: int = 0
    completion: int = 0
    running: int = 0
    began: float = field(default_factory=time.time)
    delay: float = 0.03
    """How long an answer takes; long enough for a sample of the pages to see it."""
    longer: int = 0
    """By how many tokens answers are longer than at first."""
    reason: str = "stop"
    """Why answers end."""
    repeated: int = 0
    """Of how many requests each last one asks what was asked before; 0 for none."""
    reasons: Counter[str] = field(default_factory=Counter)
    took: list[float] = field(default_factory=list)
    """Milliseconds of each answer."""
    sizes: list[int] = field(default_factory=list)
    """Tokens of each answer."""
    hits: int = 0

    def served(self, prompt: int, completion: int, took: float = 0.0) -> None:
        if self.counts:
            self.ok += 1
            self.prompt += prompt
            self.completion += completion
            self.reasons[self.reason] += 1
            self.took.append(took)
            self.sizes.append(completion)
            self.hits += bool(self.repeated) and self.ok % self.repeated == 0

    def prometheus(self, *, openmetrics: bool = False) -> str:
        labels = f'engine="0",model_name="{MODEL}"'
        lines = [
            "# HELP python_info Python platform information.",
            "# TYPE python_info gauge",
            'python_info{implementation="CPython",version="3.12"} 1.0',
            "# HELP vllm:num_requests_running Number of requests in execution.",
            "# TYPE vllm:num_requests_running gauge",
            f"vllm:num_requests_running{{{labels}}} {self.running}.0",
            "# HELP vllm:gpu_cache_usage_perc KV-cache usage. 1 means 100 percent usage.",
            "# TYPE vllm:gpu_cache_usage_perc gauge",
            f"vllm:gpu_cache_usage_perc{{{labels}}} {min(0.9, 0.01 * self.ok):g}",
            "# HELP vllm:lora_adapters Adapters, of which there are none.",
            "# TYPE vllm:lora_adapters gauge",
            f"vllm:lora_adapters{{{labels}}} NaN",
        ]
        end = "" if openmetrics else "_total"  # of a counter's family
        for name, value in (
            ("prompt_tokens", self.prompt),
            ("generation_tokens", self.completion),
            ("num_preemptions", 0),
        ):
            lines += [
                f"# HELP vllm:{name}{end} Cumulative number.",
                f"# TYPE vllm:{name}{end} counter",
                f"vllm:{name}_total{{{labels}}} {value}.0",
            ]
        lines += [
            f"# HELP vllm:request_success{end} Requests by the reason that ended them.",
            f"# TYPE vllm:request_success{end} counter",
        ]
        for reason in ("abort", "length", "stop"):
            count = self.reasons[reason]
            both = f'engine="0",finished_reason="{reason}",model_name="{MODEL}"'
            lines.append(f"vllm:request_success_total{{{both}}} {count}.0")
        lines += self._histogram(
            "vllm:time_to_first_token_seconds", labels, self.ok, exemplars=openmetrics
        )
        between = self.completion - self.ok
        lines += self._histogram(
            "vllm:time_per_output_token_seconds", labels, between, exemplars=openmetrics
        )
        if openmetrics:
            lines += [
                "# TYPE vllm:cache_config info",
                'vllm:cache_config_info{block_size="16",num_gpu_blocks="512"} 1.0',
                "# EOF",
            ]
        return "\n".join(lines) + "\n"

    def _histogram(self, name: str, labels: str, count: int, *, exemplars: bool) -> list[str]:
        lines = [f"# HELP {name} Histogram.", f"# TYPE {name} histogram"]
        for bound in BOUNDS:
            held = 0 if bound == "0.001" else count
            mark = ' # {trace_id="a1"} 0.005 1754000000.0' if exemplars and held else ""
            lines.append(f'{name}_bucket{{{labels},le="{bound}"}} {held}.0{mark}')
        lines.append(f"{name}_count{{{labels}}} {count}.0")
        lines.append(f"{name}_sum{{{labels}}} {count * 0.005:g}")
        if exemplars:
            lines.append(f"{name}_created{{{labels}}} {self.began:.3f}")
        return lines

    def stats(self) -> object:
        half = (self.ok + 1) // 2
        return {
            "engine": {"version": "3.1.0", "max_batch_size": 32, "uptime_s": self.uptime()},
            "status": "ok",
            "now": datetime.now(UTC).isoformat(),
            "queue": {"depth": self.running, "rejected": 0},
            "models": {
                MODEL: {
                    "inference_count": self.ok,
                    "tokens": {"in": self.prompt, "out": self.completion},
                }
            },
            "latency_ms": {
                "mean": 5.0,
                "percentiles": {"50": 4.0, "90": 5.5, "99": 6.0, "99.9": 6.5},
            },
            "ttft": {"p50_ms": 1.5, "p95_ms": 2.5, "p99_ms": 3, "max_ms": 4, "count": self.ok},
            "replicas": [
                {"id": f"7b1f0a52-0000-4000-8000-00000000000{i}", "served": n, "busy": False}
                for i, n in enumerate((half, self.ok - half))
            ],
            "hit-rate %": 12.5,
            "odd": {"a b": 1, "it's": 2, "${load.ok}": 3, 'say "x"': 4, "back\\slash": 5, "é": 6},
            "note": None,
            "errors": [],
        }

    def books(self) -> object:
        """What was served, in shapes of which any may be the one that a server has."""
        took = sorted(self.took) or [0.0]
        rate = self.hits / self.ok if self.ok else 0.0
        bounds = (10, 20, 35, 50, 100, "+Inf")
        edges = (4, 5, 8, 16)
        below = [sum(size <= edge for size in self.sizes) for edge in edges] + [len(self.sizes)]
        first = sum(serial % 3 == 0 for serial in range(self.ok))
        return {
            "ts": time.time(),
            "uptime_s": int(self.uptime()),
            "requests": {"ok": self.ok, "bad": 0, "embeddings": 0},
            "finish_reasons": {"stop": self.reasons["stop"], "length": self.reasons["length"]},
            "latency": {
                "count": len(self.took),
                "sum_ms": sum(self.took),
                "min_ms": took[0],
                "avg_ms": sum(took) / len(took),
                "p50_ms": took[len(took) // 2],
                "p95_ms": took[int(len(took) * 0.95)],
                "max_ms": took[-1],
                "buckets": [
                    {"le": b, "count": sum(t <= float(b) for t in self.took)} for b in bounds
                ],
            },
            "answers": {
                "bounds": edges,
                "counts": [below[0], *(b - a for a, b in pairwise(below))],
            },
            "by_size_histogram": {str(size): n for size, n in Counter(self.sizes).items()},
            "cache": {
                "hits": self.hits,
                "misses": self.ok - self.hits,
                "hit_rate": round(rate, 3),
            },
            "ratio_in_out": self.prompt / self.completion if self.completion else 0.0,
            "busyRatio": float(self.running > 0),
            "workers": [
                {"id": i, "served": n, "state": "idle"}
                for i, n in enumerate((first, self.ok - first))
            ],
            "lastErr": None,
        }

    def uptime(self) -> float:
        return time.time() - self.began

    def table(self) -> str:
        return f"queue,served,utilization\ndefault,{self.ok},0.5\nbatch,0,0.25\n"


def page(content_type: str, make) -> Script:
    async def script(writer: asyncio.StreamWriter) -> None:
        await reply(make().encode(), headers={"Content-Type": content_type})(writer)

    return script


def chat(engine: Engine) -> Script:
    """Answer with a stream that tells its usage; no two answers in a row are as long."""

    async def script(writer: asyncio.StreamWriter) -> None:
        engine.running += 1
        serial = engine.running + engine.ok
        prompt, completion = 11 + serial % 3, 4 + serial % 2 + engine.longer
        began = time.monotonic()
        await asyncio.sleep(engine.delay)
        usage = {"prompt_tokens": prompt, "completion_tokens": completion}
        usage["total_tokens"] = prompt + completion
        body = stream(
            ROLE,
            *(delta("x ") for _ in range(completion)),
            delta(finish=engine.reason),
            {"choices": [], "usage": usage},
            DONE,
        )
        engine.running -= 1
        engine.served(prompt, completion, 1000 * (time.monotonic() - began))
        await raw(body, close=False)(writer)

    return script


@asynccontextmanager
async def serving(engine: Engine, more: Mapping[str, Script] = {}) -> AsyncIterator[Hostile]:
    """Serve the chat and the pages of *engine*."""
    pages = {
        CHAT: chat(engine),
        "/metrics": page(TEXT, engine.prometheus),
        "/openmetrics": page(OPENMETRICS, lambda: engine.prometheus(openmetrics=True)),
        "/v2/stats": page("application/json", lambda: json.dumps(engine.stats())),
        "/stats.csv": page("text/csv", engine.table),
        "/v2/books": page("application/json", lambda: json.dumps(engine.books())),
    }
    async with hostile({**pages, **more}) as server:
        yield server
