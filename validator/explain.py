"""What a spec may say and a run comes up with, explained from what does it."""

from __future__ import annotations

import dataclasses
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

from validator import meanings
from validator.decoders import DECODERS
from validator.drivers import DRIVERS
from validator.errors import UsageError
from validator.measures import MEASURES
from validator.predicates import PREDICATES
from validator.registry import Registry, near
from validator.reporters import REPORTERS
from validator.spec import assertion_keys, foreign, load_keys, written
from validator.spec.explanations import model_at
from validator.spec.forms import Written

Entries: TypeAlias = "dict[str, dict[str, Callable[[], str]]]"
"""By heading, names and what makes their texts."""

_PLUGINS: dict[str, Registry[Any]] = {
    "predicates": PREDICATES,
    "measures": MEASURES,
    "drivers": DRIVERS,
    "formats": DECODERS,
    "reports": REPORTERS,
}

BLOCKS: dict[str, type[Written]] = {
    "spec": written.SpecFile,
    "target": written.TargetBlock,
    "server": written.ServerBlock,
    "load": written.LoadBlock,
    "load.rate": load_keys.RateBlock,
    "load.ramp": load_keys.RampStage,
    "load.think": load_keys.ThinkBlock,
    "load.warmup": load_keys.WarmupBlock,
    "load.cancel": load_keys.CancelBlock,
    "load.slo": load_keys.SloBlock,
    "load.abort_on": load_keys.AbortBlock,
    "load.prompts": load_keys.PromptsBlock,
    "load.prompts.synthetic": load_keys.SyntheticBlock,
    "load.prompts.synthetic.prefix": load_keys.PrefixBlock,
    "settle": written.SettleBlock,
    "endpoints": written.EndpointBlock,
    "collect": written.CollectBlock,
    "during": written.DuringBlock,
    "reachable": written.ReachableBlock,
    "assert": assertion_keys.Assertion,
    "let": assertion_keys.Binding,
    "xfail": assertion_keys.XfailBlock,
    "suite": written.SuiteFile,
}

_TOPICS_FILE = "topics.md"
_LEDGER = "the ledger"
_MOST = 8
"""Texts that may mention a word for it to be explained by them."""
_OF_A_RUN = {
    "statuses": meanings.STATUSES,
    "severities": meanings.SEVERITIES,
    "flags": meanings.FLAGS,
    "figures of a time": meanings.FIGURES,
}


def overview() -> str:
    """Return every name that can be explained, with its first sentence; keys and fields apart."""
    lines: list[str] = []
    for heading, entries in _listed().items():
        lines += ["", heading]
        width = max(map(len, entries))
        lines += [f"  {name:{width}}  {_first(text())}" for name, text in entries.items()]
    more = "each key of a block and each field of the ledger is one: settle.within, ttft_ms"
    return "\n".join([*lines[1:], "", f"validator explain NAME tells more; {more}."])


def explained(name: str) -> str:
    """Return all there is to say about *name*; raise `UsageError` for a name of nothing."""
    everything = {**_listed(), "a key": _keys(), _LEDGER: _fields()}
    named = [
        (heading, entry)
        for heading, entries in everything.items()
        for entry in entries
        if _answers(entry, heading, name)
    ]
    named.sort(key=lambda one: one[1] != name)  # those of just this name come first
    found = named or _mentioning(name, everything)
    if not found:
        raise UsageError(_unknown(name, everything))
    return "\n\n".join(
        f"{entry} ({heading})\n\n{textwrap.indent(everything[heading][entry](), '  ')}"
        for heading, entry in found
    )


def _answers(entry: str, heading: str, name: str) -> bool:
    """Say whether *name* names *entry*, as a whole or by its last words."""
    if heading == _LEDGER:
        return _is_field(entry.removeprefix("load."), name)
    return entry == name or entry.endswith(f".{name}")


def _is_field(entry: str, name: str) -> bool:
    """Say whether *name* is the field *entry*, a part of it, a figure of it, or what holds it."""
    if name in entry.split("."):
        return True
    name = name.removeprefix("load.")
    pattern = re.sub(r"[A-Z]{2,}", r"[^.]+", re.escape(entry))
    figures = "|".join(meanings.FIGURES)
    return entry.startswith(f"{name}.") or bool(
        re.fullmatch(rf"(?:\w+\.)?{pattern}(?:\.(?:{figures}))?", name)
    )


def _mentioning(word: str, everything: Entries) -> list[tuple[str, str]]:
    """Return the keys and fields whose texts mention *word*, such as `poisson`, unless many do."""
    mention = re.compile(rf"(?<!\w){re.escape(word)}(?!\w)")
    found = [
        (heading, entry)
        for heading in ("a key", _LEDGER)
        for entry, text in everything[heading].items()
        if mention.search(text())
    ]
    return found if len(found) <= _MOST else []


def _unknown(name: str, everything: Entries) -> str:
    """Say what *name* may have been meant to be, or which names there are."""
    meant = PREDICATES.meant_by(name) or MEASURES.meant_by(name) or foreign.anywhere(name)
    known = {entry for entries in everything.values() for entry in entries}
    known |= {entry.rpartition(".")[2] for entry in known}
    if hint := f"did you mean {meant!r}?" if meant else near(name, known):
        return f"nothing is called {name!r}: {hint}"
    listed = [f"  {heading}  {', '.join(entries)}" for heading, entries in _listed().items()]
    return "\n".join([f"nothing is called {name!r}; what there is:", *listed])


def _listed() -> Entries:
    plugins = {
        heading: {name: _documentation(registry, name) for name in registry}
        for heading, registry in _PLUGINS.items()
    }
    more = {name: _constant(reflowed(text)) for name, text in topics().items()}
    blocks = {name: _block(model) for name, model in BLOCKS.items()}
    words = {
        heading: {name: _constant(f"{text}.") for name, text in told.items()}
        for heading, told in _OF_A_RUN.items()
    }
    return {**plugins, "more of an assertion": more, "blocks of a spec": blocks, **words}


def topics() -> dict[str, str]:
    """Return the texts about what is no plug-in, by heading."""
    text = Path(__file__).with_name(_TOPICS_FILE).read_text(encoding="utf-8")
    parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], map(str.strip, parts[1::2]), strict=True))


def _keys() -> dict[str, Callable[[], str]]:
    """Return every key of a spec by where it stands, and the options of measures and predicates."""
    found = {place: _constant(text) for place, text in _members(written.SpecFile, "")}
    for registry in (MEASURES, PREDICATES):
        for name, plugin in registry.items():
            options = dataclasses.fields(plugin)  # type: ignore[arg-type]  # both are dataclasses
            for option in options if registry is MEASURES or len(options) > 1 else ():
                form = option.metadata["form"]
                found[f"{name}.{option.name}"] = _constant(form.description)
    return found


def _members(model: type[Written], place: str) -> Iterator[tuple[str, str]]:
    """Yield where each key of *model* and of what it holds stands, and what it is."""
    for name, field in model.model_fields.items():
        if name.startswith(assertion_keys.PREDICATE_PREFIX):
            continue
        key = field.alias or name
        here = f"{place}.{key}" if place else key
        yield here, _key(field) + _drivers(model, name)
        inner = model_at(model, (key,)) or model_at(model, (key, 0))
        if inner is assertion_keys.Assertion:
            here = "assert"  # wherever it stands, it is the same
        if inner is not None and key != "loads" and (here != "assert" or not place):
            yield from _members(inner, here)


def _key(field: Any) -> str:
    need = " It is required." if field.is_required() else ""
    return f"{field.description or ''}{need}"


def _drivers(model: type[Written], name: str) -> str:
    """Say which drivers bring the key *name* to a `load:` block, if not all have it."""
    if model is not written.LoadBlock or name in written.CommonLoad.model_fields:
        return ""
    having = [
        driver
        for driver, kind in DRIVERS.items()
        if name in {field.name for field in dataclasses.fields(kind)}  # type: ignore[arg-type]  # they are dataclasses
    ]
    return f" With driver {', '.join(having)}." if len(having) < len(DRIVERS) else ""


def _fields() -> dict[str, Callable[[], str]]:
    figures = "\n".join(f"  {name:7}  {text}" for name, text in meanings.FIGURES.items())
    more = f"\n\nIt has these figures:\n{figures}"
    return {
        f"load.{name}": _constant(f"{text}.{more if name in meanings.SUMMED else ''}")
        for name, text in meanings.FIELDS.items()
    }


def _documentation(registry: Registry[Any], name: str) -> Callable[[], str]:
    return lambda: reflowed(registry.documentation(name))


def _constant(text: str) -> Callable[[], str]:
    return lambda: text


def _block(model: type[Written]) -> Callable[[], str]:
    about = inspect.cleandoc(model.__doc__ or "")
    return lambda: "\n".join([reflowed(about), "", *_told(model)])


def _told(model: type[Written]) -> Iterator[str]:
    fields = {
        field.alias or name: field
        for name, field in model.model_fields.items()
        if not name.startswith(assertion_keys.PREDICATE_PREFIX)
    }
    width = max(map(len, fields))
    for key, field in fields.items():
        yield f"{key:{width}}  {_key(field)}".rstrip()
    if issubclass(model, assertion_keys.Condition):
        yield "…and any predicate, measure or quantifier; several must all hold."


def reflowed(text: str) -> str:
    """Return *text* with each paragraph in one line, and examples as they are."""
    parts = re.split(r"(^```.*?^```$)", text, flags=re.MULTILINE | re.DOTALL)
    return "".join(
        part if part.startswith("```") else re.sub(r"(?<=\S)\n(?=\S)", " ", part) for part in parts
    )


def _first(text: str) -> str:
    return " ".join(text.split("\n\n", maxsplit=1)[0].split())
