"""A headless browser that looks at a page, and writes down whatever it complains about."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
WITHIN = 60.0
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--remote-debugging-port=0", "--window-size=1200,900",
)  # fmt: skip
COMPLAINTS = ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded")


@dataclass
class Page:
    """One open page."""

    connection: ClientConnection
    session: str = ""
    sent: int = 0
    complaints: list[Any] = field(default_factory=list)
    requested: list[str] = field(default_factory=list)

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Ask the browser for something and wait for its answer."""
        self.sent += 1
        message = {"id": self.sent, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        self.connection.send(json.dumps(message))
        while True:
            answer = json.loads(self.connection.recv(WITHIN))
            if answer.get("id") == self.sent:
                assert "error" not in answer, answer
                return answer["result"]
            self._hear(answer)

    def wait_for(self, event: str) -> None:
        """Wait until the browser tells of *event*."""
        while True:
            told = json.loads(self.connection.recv(WITHIN))
            self._hear(told)
            if told.get("method") == event:
                return

    def _hear(self, told: dict[str, Any]) -> None:
        if told.get("method") in COMPLAINTS:
            self.complaints.append(told["params"])
        if told.get("method") == "Network.requestWillBeSent":
            self.requested.append(told["params"]["request"]["url"])

    def open(self, file: Path) -> None:
        """Show *file*, and wait until it is loaded."""
        self.complaints.clear()
        self.requested.clear()
        self.call("Page.navigate", url=file.as_uri())
        self.wait_for("Page.loadEventFired")

    def run(self, script: str) -> Any:
        """Return what *script* comes to in the page."""
        found = self.call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def press(self, key: str) -> None:
        """Press a key that writes a character."""
        for kind in ("keyDown", "keyUp"):
            text = {"text": key} if kind == "keyDown" else {}
            self.call("Input.dispatchKeyEvent", type=kind, key=key, **text)


@contextmanager
def browsing() -> Iterator[Page]:
    """Run a browser of its own for the block; it is gone afterwards."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        command = [CHROMIUM, *FLAGS, f"--user-data-dir={folder}"]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
            try:
                lines = iter(process.stderr.readline, "")
                address = next(x.split()[-1] for x in lines if "DevTools listening on" in x)
                with connect(address, max_size=None, proxy=None) as connection:
                    page = Page(connection)
                    target = page.call("Target.createTarget", url="about:blank")
                    attached = page.call("Target.attachToTarget", flatten=True, **target)
                    page.session = attached["sessionId"]
                    for domain in ("Page", "Runtime", "Log", "Network"):
                        page.call(f"{domain}.enable")
                    yield page
            finally:
                process.terminate()
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    process.kill()
