"""The keys of a `load:` block that say when to send, how long, and what is good enough."""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

from pydantic import Field

from validator.spec.forms import (
    UNSET,
    Count,
    Duration,
    Number,
    OneOrMore,
    PartOf,
    Short,
    Text,
    Written,
    ZeroDuration,
    one_of,
    words,
)


class RateBlock(Written):
    """An open loop: requests become due by a schedule, and latency counts from then."""

    per_second: Number = Field(description="Requests a second.")
    arrivals: Annotated[Any, words("constant", "poisson", "gamma")] = Field(
        UNSET, description="constant (unless given), poisson, or gamma with a `burstiness`."
    )
    burstiness: Number = Field(
        UNSET, description="The shape of gamma arrivals: 1 is poisson, less comes in bursts."
    )


class RampStage(Written):
    """A straight line to the next value; after the last stage it stays."""

    to: Number = Field(description="The rate, or the concurrency, at the end of the stage.")
    over: ZeroDuration = Field(description="How long the stage takes; 0s is a step.")


class ThinkBlock(Written):
    """A pause: of one length, anywhere between two, or exponential of a mean."""

    pause: ZeroDuration = Field(UNSET, description="Always as long.")
    min: ZeroDuration = Field(UNSET, description="At least; as likely as anything up to `max`.")
    max: Duration = Field(UNSET, description="At most.")
    mean: Duration = Field(UNSET, description="Exponential, of this mean.")


class WarmupBlock(Written):
    """Requests before the first look: by number, by time, or whichever ends first."""

    alone = "requests"

    model_config = one_of("requests", "duration")

    requests: Count = Field(UNSET, description="How many to send.")
    duration: Duration = Field(UNSET, description="After this, nothing more is sent.")


class CancelBlock(Written):
    """Requests that the client cuts off in the middle of their streams."""

    alone = "share"

    share: PartOf = Field(description="The share of all requests, such as 0.1.")
    after: Count = Field(description="How many events with content come before the cut.")


class PrefixBlock(Written):
    """The words that a group of synthetic prompts begins with."""

    share: PartOf = Field(description="The share of a prompt's words that its group shares.")
    groups: Count = Field(UNSET, description="How many groups there are, in turn; 1 unless given.")


class SyntheticBlock(Written):
    """Prompts of a known length that share what one says, and nothing else."""

    words: Count = Field(
        description="Short English words in each prompt: about one token each to most tokenizers."
    )
    prefix: PrefixBlock = Field(UNSET, description="What prompts have in common; nothing if none.")
    distinct: Count = Field(
        UNSET, description="How many different prompts there are; no two alike unless given."
    )


class PromptsBlock(Written):
    """Where prompts come from: one of `texts`, `file`, `jsonl` and `synthetic`."""

    texts: list[str] = Field(UNSET, description="The prompts themselves.")
    file: Text = Field(
        UNSET, description="A text file, each line of it a prompt; blank ones apart."
    )
    jsonl: Text = Field(UNSET, description="A file with a JSON object on each line.")
    field: Text = Field(UNSET, description="Its key that holds the prompt; `prompt` unless given.")
    synthetic: SyntheticBlock = Field(UNSET, description="Made up, for prefix caches to reuse.")
    order: Annotated[Any, words("turn", "shuffled")] = Field(
        UNSET, description="As they are (turn, unless given), or shuffled anew on each pass."
    )


class SloBlock(Written):
    """When a request is good enough: each figure at most as long."""

    model_config = one_of("ttft", "ttfc", "tpot", "itl", "latency", "wall")

    ttft: Duration = Field(UNSET, description="To the first token.")
    ttfc: Duration = Field(UNSET, description="To the first event of any kind.")
    tpot: Duration = Field(UNSET, description="For an output token after the first.")
    itl: Duration = Field(UNSET, description="For the longest gap between two content events.")
    latency: Duration = Field(UNSET, description="To the last content event.")
    wall: Duration = Field(UNSET, description="To the end of the response.")


class AbortBlock(Written):
    """When a load is hopeless: any of these is enough."""

    alone = "failed_share"

    model_config = one_of("failed", "failed_share", "consecutive")

    failed: Count = Field(UNSET, description="So many requests have failed.")
    failed_share: PartOf = Field(UNSET, description="So great a share of those that have ended.")
    after: Count = Field(
        UNSET, description="`failed_share` waits until so many have ended; 20 unless given."
    )
    consecutive: Count = Field(UNSET, description="So many failed one after another.")


Rate: TypeAlias = Annotated[RateBlock, Short("per_second", {"type": "number", "minimum": 0})]
Think: TypeAlias = Annotated[ThinkBlock, Short("pause", {"type": "string"})]
Prompts: TypeAlias = Annotated[
    PromptsBlock,
    Short("texts", {"type": "array", "items": {"type": "string"}, "minItems": 1}),
]
Ramp: TypeAlias = Annotated[list[RampStage], OneOrMore()]
