"""A real browser for tests of pages: Chromium without a window, driven through two pipes.

Chromium's own protocol needs no package; commands and answers are JSON, each ended by a zero byte.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
# An answer that does not come in this time will not come, on a busy machine either.
SECONDS = 120


def chromium() -> str | None:
    """Path of the browser: the variable CHROMIUM, or one of its names; `None` without one."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


class Tab:
    """One page in a browser of its own.

    Attributes:
        faults: errors, dialogs, and requests for anything but the page.
    """

    def __init__(self, folder: Path):
        self.faults: list[str] = []
        self._address = "about:blank"
        self._number = 0
        self._session: str | None = None
        self._unread = b""
        read_by_it, self._out = os.pipe()
        self._in, written_by_it = os.pipe()
        options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe"]
        options += [
            f"--user-data-dir={folder}",
            "--no-first-run",
            "--disable-background-networking",
        ]
        self._process = subprocess.Popen(
            # The protocol's pipes are the files 3 and 4.
            [
                *("bash", "-c", f'exec "$@" 3<&{read_by_it} 4>&{written_by_it}', "bash"),
                *(str(chromium()), *options),
            ],
            pass_fds=(read_by_it, written_by_it),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(read_by_it)
        os.close(written_by_it)
        try:
            self._attach()
        except BaseException:
            self.close()
            raise

    def _attach(self) -> None:
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        attached = self.send("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network", "Accessibility"):
            self.send(f"{domain}.enable")

    def close(self) -> None:
        """End the browser."""
        self._process.terminate()
        self._process.wait(SECONDS)
        os.close(self._in)
        os.close(self._out)

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command and return its answer."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                assert "error" not in answer, (method, answer)
                return answer["result"]

    def open(self, path: Path, width: int = 1280, **media: str) -> None:
        """Open a page, `width` pixels wide, with media features such as `scheme="dark"`."""
        self.show(width, **media)
        self._address = path.resolve().as_uri()
        self.send("Page.navigate", url=self._address)
        while self.value("document.readyState") != "complete":
            pass

    def show(self, width: int = 1280, scheme: str = "light", media: str = "screen") -> None:
        """Change the width, the colour scheme that is asked for, and the medium."""
        size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False}
        self.send("Emulation.setDeviceMetricsOverride", **size)
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.send("Emulation.setEmulatedMedia", media=media, features=[feature])

    def value(self, expression: str) -> Any:
        """The value of an expression in the page's script language."""
        answer = self.send("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def click(self, selector: str) -> None:
        """Click on the middle of an element with the mouse."""
        self.value(f"document.querySelector({selector!r}).scrollIntoView({{block: 'center'}})")
        x, y = self.value(
            f"(() => {{ const r = document.querySelector({selector!r}).getBoundingClientRect();"
            " return [r.x + r.width / 2, r.y + r.height / 2]; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            place = {"x": x, "y": y, "button": "left", "clickCount": 1}
            self.send("Input.dispatchMouseEvent", type=kind, **place)

    def press(self, key: str, code: int) -> None:
        """Press a key, such as `ArrowDown`, whose number is 40."""
        for kind in ("rawKeyDown", "keyUp"):
            pressed = {"key": key, "code": key, "windowsVirtualKeyCode": code}
            self.send("Input.dispatchKeyEvent", type=kind, **pressed)

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._unread:
            part = os.read(self._in, 1 << 20)
            assert part, "the browser ended"
            self._unread += part
        line, _, self._unread = self._unread.partition(b"\0")
        message = json.loads(line)
        self._note(message.get("method"), message.get("params", {}))
        return message

    def _note(self, method: str | None, event: dict[str, Any]) -> None:
        if method in ("Runtime.exceptionThrown", "Page.javascriptDialogOpening"):
            self.faults.append(f"{method}: {event}")
        elif method == "Log.entryAdded":
            self.faults.append(f"log: {event['entry']['text']}")
        elif method == "Network.requestWillBeSent":
            url = event["request"]["url"]
            if url != self._address and not url.startswith("data:"):
                self.faults.append(f"request: {url}")
