"""A yaml-language-server over stdio, spoken to as an editor does; no answer is waited for long."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PATIENCE = 60


def command() -> str | None:
    """Return the server that is to be tested with, or nothing."""
    return os.environ.get("VALIDATOR_YAML_LS") or shutil.which("yaml-language-server")


class Editor:
    """One end of the conversation."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self._ids = iter(range(1, 1000))
        self._heard: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._notices: list[dict[str, Any]] = []
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        while header := self.process.stdout.readline():
            length = int(header.partition(b":")[2])
            while self.process.stdout.readline().strip():
                pass
            self._heard.put(json.loads(self.process.stdout.read(length)))
        self._heard.put(None)

    def _say(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self.process.stdin is not None
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        self.process.stdin.flush()

    def _next(self) -> dict[str, Any]:
        message = self._heard.get(timeout=PATIENCE)
        assert message is not None, "the language server has ended"
        if "method" in message and "id" in message:  # it asks the editor for its settings
            items = message.get("params", {}).get("items", ())
            answer = [SETTINGS.get(item["section"]) for item in items]
            self._say({"id": message["id"], "result": answer or None})
        return message

    def tell(self, method: str, params: dict[str, Any]) -> None:
        self._say({"method": method, "params": params})

    def ask(self, method: str, params: dict[str, Any]) -> Any:
        wanted = next(self._ids)
        self._say({"id": wanted, "method": method, "params": params})
        while True:
            message = self._next()
            if message.get("id") == wanted and "method" not in message:
                assert "error" not in message, message["error"]
                return message["result"]
            self._notices.append(message)

    def opened(self, file: Path, text: str) -> Document:
        uri = file.as_uri()
        item = {"uri": uri, "languageId": "yaml", "version": 1, "text": text}
        self.tell("textDocument/didOpen", {"textDocument": item})
        return Document(self, uri, text)

    def problems(self, uri: str) -> list[dict[str, Any]]:
        """Wait for what the server has to say against a document."""
        while True:
            for notice in self._notices:
                if (
                    notice.get("method") == "textDocument/publishDiagnostics"
                    and notice["params"]["uri"] == uri
                ):
                    self._notices.remove(notice)
                    return list(notice["params"]["diagnostics"])
            self._notices.append(self._next())


class Document:
    """An open file; a place in it is given by the text that stands there."""

    def __init__(self, editor: Editor, uri: str, text: str) -> None:
        self.editor, self.uri, self.text = editor, uri, text

    def _at(self, place: str, offset: int) -> dict[str, Any]:
        before = self.text[: self.text.index(place) + offset]
        position = {"line": before.count("\n"), "character": len(before.rpartition("\n")[2])}
        return {"textDocument": {"uri": self.uri}, "position": position}

    def completions(self, place: str) -> dict[str, str]:
        """Return what is offered right after *place*, and what is said about each."""
        found = self.editor.ask("textDocument/completion", self._at(place, len(place)))
        items = found["items"] if isinstance(found, dict) else found
        return {item["label"]: _text(item.get("documentation")) for item in items}

    def hover(self, place: str) -> str:
        """Return what is shown over the first letter of *place*."""
        found = self.editor.ask("textDocument/hover", self._at(place, 0))
        return _text(found and found["contents"])

    def problems(self) -> list[dict[str, Any]]:
        return self.editor.problems(self.uri)


def _text(content: Any) -> str:
    return str(content["value"]) if isinstance(content, dict) else str(content or "")


SETTINGS: dict[str, Any] = {
    "yaml": {
        "validate": True,
        "hover": True,
        "completion": True,
        "schemaStore": {"enable": False},  # nothing is fetched from the network
    }
}


@contextlib.contextmanager
def editor(folder: Path) -> Iterator[Editor]:
    """Start the language server, and end it."""
    server = command()
    assert server is not None
    process = subprocess.Popen(
        [server, "--stdio"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=folder,
    )
    try:
        ours = Editor(process)
        capabilities = {
            "workspace": {"configuration": True},
            "textDocument": {
                "hover": {"contentFormat": ["markdown"]},
                "completion": {"completionItem": {"documentationFormat": ["markdown"]}},
            },
        }
        ours.ask(
            "initialize",
            {"processId": os.getpid(), "rootUri": folder.as_uri(), "capabilities": capabilities},
        )
        ours.tell("initialized", {})
        ours.tell("workspace/didChangeConfiguration", {"settings": SETTINGS})
        yield ours
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            assert stream is not None
            with contextlib.suppress(OSError):
                stream.close()
