"""Chromium without a screen, driven over its DevTools protocol on a pipe: https://chromedevtools.github.io/devtools-protocol.

It has no network: whatever it asks for is told, and nothing is answered.
"""

import base64
import fcntl
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final, Self, TypeAlias

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"
PROGRAM: Final = shutil.which("chromium") or shutil.which("chromium-browser")
PATIENCE_S: Final = 60
_OPTIONS: Final = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-component-update",
    "--disable-background-networking", "--disable-sync", "--disable-dev-shm-usage", "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND", "--remote-debugging-pipe",
)  # fmt: skip

_AT_3_AND_4: Final = (
    "import os, sys; os.dup2(int(sys.argv[1]), 3); os.dup2(int(sys.argv[2]), 4); os.execv(sys.argv[3], sys.argv[3:])"
)


class Chromium:
    """A browser with one page; what the page does beyond its own is kept in `events`."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        to_us, from_it = map(_high, os.pipe())
        to_it, from_us = map(_high, os.pipe())
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-c", _AT_3_AND_4, str(to_it), str(from_it), str(PROGRAM), *_OPTIONS,
             f"--user-data-dir={self._folder.name}", "about:blank"],
            pass_fds=(to_it, from_it), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        os.close(to_it)
        os.close(from_it)
        self._out, self._in = os.fdopen(from_us, "wb", buffering=0), os.fdopen(to_us, "rb")
        self._number, self._session, self._held = 0, "", bytearray()
        self.events: list[dict[str, Json]] = []

    def __enter__(self) -> Self:
        try:
            target = self.call("Target.createTarget", url="about:blank")
            attached = self.call("Target.attachToTarget", targetId=text(target, "targetId"), flatten=True)
            self._session = text(attached, "sessionId")
            for domain in ("Page", "Network", "Log", "Runtime", "DOM", "Accessibility"):
                self.call(f"{domain}.enable")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """End it and all that it has started."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(timeout=20)
        self._out.close()
        self._in.close()
        self._folder.cleanup()

    def call(self, method: str, **parameters: Json) -> dict[str, Json]:
        """Ask for something and give the answer; events that come before it are kept."""
        number = self._send(method, parameters)
        while True:
            said = self._next()
            if said.get("id") != number:
                self._keep(said)
            elif "error" in said:
                raise AssertionError(f"{method}: {said['error']}")
            else:
                result = said["result"]
                assert isinstance(result, dict)
                return result

    def _send(self, method: str, parameters: dict[str, Json]) -> int:
        self._number += 1
        message: dict[str, Json] = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        self._out.write(json.dumps(message).encode() + b"\0")
        return self._number

    def _keep(self, event: dict[str, Json]) -> None:
        """Keep an event; a dialog is closed, which would hold the page for ever."""
        self.events.append(event)
        if event.get("method") == "Page.javascriptDialogOpening":
            self._send("Page.handleJavaScriptDialog", {"accept": False})

    def _next(self) -> dict[str, Json]:
        while (end := self._held.find(b"\0")) < 0:
            assert select.select([self._in], [], [], PATIENCE_S)[0], "Chromium does not answer"
            data = os.read(self._in.fileno(), 65536)
            assert data, "Chromium has ended"
            self._held += data
        letters = bytes(self._held[:end])
        del self._held[: end + 1]
        said = json.loads(letters)
        assert isinstance(said, dict)
        return said

    def open(self, file: Path, *, width: int = 1000, media: str = "screen", scheme: str = "light") -> None:
        """Open a file at a width, as a medium, in a colour scheme; ends when it has been loaded."""
        self.events.clear()
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        features: Json = [{"name": "prefers-color-scheme", "value": scheme}]
        self.call("Emulation.setEmulatedMedia", media=media, features=features)
        self.call("Page.navigate", url=file.as_uri())
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self._keep(self._next())
        self.evaluate("new Promise(done => setTimeout(done, 200))")  # what a script would do, it has done by then

    def evaluate(self, expression: str) -> Json:
        """Give the value of an expression in the page."""
        said = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        result = said["result"]
        assert isinstance(result, dict)
        return result.get("value")

    def picture(self, to: Path) -> None:
        """Keep a picture of the whole page."""
        said = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        to.write_bytes(base64.b64decode(text(said, "data")))

    def printed(self, to: Path) -> None:
        """Keep the page as it is printed."""
        to.write_bytes(base64.b64decode(text(self.call("Page.printToPDF", printBackground=True), "data")))

    def told(self, method: str) -> list[dict[str, Json]]:
        """Give the parameters of the events of a kind since a page was opened."""
        found = [event.get("params") for event in self.events if event.get("method") == method]
        return [parameters for parameters in found if isinstance(parameters, dict)]


def _high(fd: int) -> int:
    """Move a descriptor out of the way of those that Chromium's protocol has."""
    moved = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10)
    os.close(fd)
    return moved


def text(said: Json, key: str = "") -> str:
    """Give a text, or the one at a key."""
    found = said.get(key) if key and isinstance(said, dict) else said
    assert isinstance(found, str)
    return found
