"""A real browser without a window: Chromium, told what to do over a pipe by the Chrome DevTools Protocol.

    with browser() as chromium:
        page = chromium.open(path.as_uri(), width=390, dark=True)
        assert page.messages == [] and page.requests == [path.as_uri()]
        page.evaluate("document.title")

Nothing but loopback and files can be reached from it.
"""

import base64
import os
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
TIMEOUT_S = 60.0
KEYS = {
    "Tab": ("Tab", 9, ""), "Enter": ("Enter", 13, "\r"), "Escape": ("Escape", 27, ""), " ": ("Space", 32, " "),
    "ArrowUp": ("ArrowUp", 38, ""), "ArrowDown": ("ArrowDown", 40, ""), "ArrowLeft": ("ArrowLeft", 37, ""),
    "ArrowRight": ("ArrowRight", 39, ""), "Home": ("Home", 36, ""), "End": ("End", 35, ""),
    "Backspace": ("Backspace", 8, ""), "Delete": ("Delete", 46, ""),
}  # fmt: skip
_FLAGS = (
    "--headless=new",
    "--remote-debugging-pipe",
    "--no-sandbox",  # tests may run as root; pages are our own
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--no-first-run",
    "--no-default-browser-check",
    "--hide-scrollbars",
    "--mute-audio",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
)


@dataclass(slots=True)
class Page:
    """One tab. `messages` are what its console says, errors and what was not loaded included; `requests` all it asks
    for.
    """

    messages: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    _browser: "Browser" = field(init=False, repr=False)
    _session: str = field(init=False, repr=False)
    _events: list[str] = field(init=False, repr=False, default_factory=list)

    def go(self, url: str) -> None:
        """Open an address and wait until all of it is loaded."""
        self._events.clear()
        told = self._call("Page.navigate", url=url)
        assert "errorText" not in told, f"{url}: {told.get('errorText')}"
        self._browser.wait_until(lambda: "Page.loadEventFired" in self._events, f"{url} to load")

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression; of a promise, what it resolves to."""
        told = self._call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in told, told["exceptionDetails"]
        return told["result"].get("value")

    def wait_for(self, expression: str, timeout_s: float = TIMEOUT_S) -> None:
        """Until the expression is true, which it is asked once a frame."""
        script = f"new Promise(done => (function look() {{ ({expression}) ? done() : requestAnimationFrame(look) }})())"
        with self._browser.patient(timeout_s):
            self.evaluate(script)

    def show(self, *, width: int = 1440, height: int = 900, dark: bool = False, printed: bool = False) -> None:
        """Another window, in light or in dark colours, or as on paper."""
        phone = width < 600
        self._call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._call("Emulation.setEmulatedMedia", media="print" if printed else "", features=[scheme])

    def press(self, key: str, modifiers: int = 0) -> None:
        """Press a key and let it go: one of `KEYS`, or a character. `modifiers`: 1 Alt, 2 Ctrl, 4 Meta, 8 Shift."""
        code, number, text = KEYS.get(key, ("", ord(key[0].upper()), key))
        name = key if key in KEYS else key[0]
        told = {"key": name, "code": code, "windowsVirtualKeyCode": number, "modifiers": modifiers}
        self._call("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", text=text, **told)
        self._call("Input.dispatchKeyEvent", type="keyUp", **told)

    def click(self, selector: str) -> None:
        """Click into the middle of an element, with the mouse."""
        place = self.evaluate(
            f"(() => {{ const found = document.querySelector({orjson.dumps(selector).decode()});"
            "found.scrollIntoView({block: 'center'}); const box = found.getBoundingClientRect();"
            "return [box.x + box.width / 2, box.y + box.height / 2] })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self._call("Input.dispatchMouseEvent", type=kind, x=place[0], y=place[1], button="left", clickCount=1)

    def screenshot(self, path: Path, *, whole: bool = True) -> Path:
        """A picture of the page, or of what the window shows of it, as PNG."""
        told = self._call("Page.captureScreenshot", format="png", captureBeyondViewport=whole, **self._clip(whole))
        path.write_bytes(base64.b64decode(told["data"]))
        return path

    @property
    def overflow(self) -> int:
        """By how many pixels the page is wider than its window."""
        return int(self.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))

    def _clip(self, whole: bool) -> dict[str, Any]:
        if not whole:
            return {}
        size = self._call("Page.getLayoutMetrics")["cssContentSize"]
        return {"clip": {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}}

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        return self._browser.call(method, parameters, self._session)

    def told(self, method: str, parameters: Mapping[str, Any]) -> None:
        """An event of this tab."""
        self._events.append(method)
        if method == "Runtime.consoleAPICalled":
            words = [str(each.get("value", each.get("description", ""))) for each in parameters["args"]]
            self.messages.append(f"{parameters['type']}: {' '.join(words)}")
        elif method == "Runtime.exceptionThrown":
            self.messages.append(f"exception: {parameters['exceptionDetails']}")
        elif method == "Log.entryAdded":
            self.messages.append(f"{parameters['entry']['level']}: {parameters['entry']['text']}")
        elif method == "Network.requestWillBeSent":
            self.requests.append(parameters["request"]["url"])


class Browser:
    """A running Chromium."""

    def __init__(self, write_to: int, read_from: int) -> None:
        self._write_to, self._read_from = write_to, read_from
        self._number = 0
        self._timeout_s = TIMEOUT_S
        self._rest = b""
        self._answers: dict[int, dict[str, Any]] = {}
        self._pages: dict[str, Page] = {}

    def open(self, url: str, *, width: int = 1440, height: int = 900, dark: bool = False) -> Page:
        """A new tab with this address."""
        target = self.call("Target.createTarget", {"url": "about:blank"})["targetId"]
        session = self.call("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
        page = self._pages[session] = Page()
        page._browser, page._session = self, session
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable", {}, session)
        page.show(width=width, height=height, dark=dark)
        page.go(url)
        return page

    def call(self, method: str, parameters: Mapping[str, Any], session: str | None = None) -> dict[str, Any]:
        """Have one command carried out."""
        self._number += 1
        number = self._number
        message = {"id": number, "method": method, "params": parameters}
        if session is not None:
            message["sessionId"] = session
        data = orjson.dumps(message) + b"\0"
        while data:
            data = data[os.write(self._write_to, data) :]
        self.wait_until(lambda: number in self._answers, f"an answer to {method}")
        answer = self._answers.pop(number)
        assert "error" not in answer, f"{method}: {answer['error']}"
        result: dict[str, Any] = answer["result"]
        return result

    def wait_until(self, done: Any, what: str) -> None:
        """Take in what the browser says until `done()`."""
        deadline = time.monotonic() + self._timeout_s
        while not done():
            ready, _, _ = select.select([self._read_from], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, f"waited {self._timeout_s:g} s for {what}"
            data = os.read(self._read_from, 1 << 20)
            assert data, "the browser has ended"
            *messages, self._rest = (self._rest + data).split(b"\0")
            for message in messages:
                self._take_in(orjson.loads(message))

    @contextmanager
    def patient(self, timeout_s: float) -> Iterator[None]:
        """Within this, wait for so long."""
        self._timeout_s, before = timeout_s, self._timeout_s
        try:
            yield
        finally:
            self._timeout_s = before

    def _take_in(self, message: dict[str, Any]) -> None:
        if "id" in message:
            self._answers[message["id"]] = message
        elif (page := self._pages.get(message.get("sessionId", ""))) is not None:
            page.told(message["method"], message["params"])


@contextmanager
def browser() -> Iterator[Browser]:
    """Chromium with a profile of its own, which is gone afterwards."""
    assert CHROMIUM is not None, "no Chromium: apt-get install chromium"
    commands_out, commands_in = os.pipe()
    answers_out, answers_in = os.pipe()
    with tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as profile:
        # Chromium reads commands from descriptor 3 and answers on 4.
        line = f'exec "$0" "$@" 3<&{commands_out} 4>&{answers_in}'
        command = ["bash", "-c", line, CHROMIUM, *_FLAGS, f"--user-data-dir={profile}", "about:blank"]
        with subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, pass_fds=(commands_out, answers_in)
        ) as process:
            os.close(commands_out)
            os.close(answers_in)
            try:
                yield Browser(commands_in, answers_out)
            finally:
                os.close(commands_in)  # it ends when its pipe does
                try:
                    process.wait(timeout=10)
                except subprocess.TimeoutExpired:
                    process.kill()
                os.close(answers_out)
