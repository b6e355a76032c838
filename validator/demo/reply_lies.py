"""Faults in the replies: they are not what was asked for, or not all of them is billed."""

from __future__ import annotations

from dataclasses import replace

from validator.demo.faults import REGISTRY, Fault
from validator.demo.order import Asked, Order


@REGISTRY.register("max-tokens-ignored")
class MaxTokensIgnored(Fault):
    """Replies are as long as they like, whatever limit is asked for."""

    def asked(self, asked: Asked) -> Asked:
        limits = ("max_tokens", "max_completion_tokens", "max_output_tokens")
        return {name: value for name, value in asked.items() if name not in limits}


@REGISTRY.register("always-stop")
class AlwaysStop(Fault):
    """The finish_reason is always stop, after a limit and a tool call as well."""

    def order(self, order: Order) -> Order:
        choices = tuple(replace(choice, finish_reason="stop") for choice in order.choices)
        return replace(order, choices=choices)


@REGISTRY.register("n-billed-once")
class BilledOnce(Fault):
    """Of several choices only the first is counted and billed."""

    def order(self, order: Order) -> Order:
        return replace(order, billed=1)
