"""Chromium without a window, driven by chromedriver's HTTP (W3C WebDriver)."""

import base64
import json

from .program import wait_until

# Each host is a network of its own, so this port is free.
_DRIVER = "http://127.0.0.1:9515"

_ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--user-data-dir=/run/browser/profile",
]


class Browser:
    """A browser on `host`. With `scripts` false it runs no scripts."""

    def __init__(self, host, scripts=True):
        self._host = host
        host.path("/run/browser").mkdir(exist_ok=True)
        environment = {"HOME": "/run/browser", "TMPDIR": "/run/browser"}
        command = ["chromedriver", "--port=9515"]
        self._driver = host.start("chromedriver", command, env=environment)
        self._driver.wait_for("started successfully")
        options = {"args": _ARGUMENTS, "binary": "/usr/bin/chromium"}
        if not scripts:
            options["prefs"] = {"profile.managed_default_content_settings.javascript": 2}
        wanted = {
            "goog:chromeOptions": options,
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        }
        made = self._ask("POST", "session", {"capabilities": {"alwaysMatch": wanted}})
        self._session = f"session/{made['sessionId']}"

    def _ask(self, method, path, body=None):
        command = ["curl", "-sS", "-X", method, f"{_DRIVER}/{path}"]
        if body is not None:
            file = self._host.write("/run/browser/request.json", json.dumps(body))
            command += ["-H", "Content-Type: application/json", "--data-binary", f"@{file}"]
        value = json.loads(self._host.run(command, patience=120).stdout)["value"]
        if isinstance(value, dict) and "error" in value:
            raise AssertionError(f"{path}: {value['error']}: {value['message']}")
        return value

    def _tell(self, what, body):
        return self._ask("POST", f"{self._session}/{what}", body)

    def _devtools(self, command, **parameters):
        return self._tell("goog/cdp/execute", {"cmd": command, "params": parameters})

    def open(self, url):
        """Opens a page and waits until it is loaded."""
        self._tell("url", {"url": url})

    def run(self, script, *arguments):
        """Runs a script on the page; returns its value."""
        return self._tell("execute/sync", {"script": script, "args": list(arguments)})

    def text(self, selector="body"):
        """The visible text of an element; empty if there is no such element."""
        return self.run("return document.querySelector(arguments[0])?.innerText ?? ''", selector)

    def wait_for(self, script, *arguments):
        """Waits until a script on the page returns a true value; returns it."""
        failure = lambda: f"{script} {arguments} should come true:\n{self.text()}"  # noqa: E731
        return wait_until(lambda: self.run(script, *arguments), failure)

    def wait_for_text(self, text, selector="body"):
        """Waits until an element shows the text."""
        script = "return (document.querySelector(arguments[1])?.innerText ?? '').includes(arguments[0])"
        self.wait_for(script, text, selector)

    def show(self, width, height=800, dark=False):
        """Sets the size of the window, and the light or dark color scheme."""
        self._devtools(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        scheme = "dark" if dark else "light"
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self._devtools("Emulation.setEmulatedMedia", features=features)

    def accessible_nodes(self):
        """The roles and names that a screen reader finds."""
        nodes = self._devtools("Accessibility.getFullAXTree")["nodes"]
        return [
            (node["role"]["value"], node.get("name", {}).get("value", ""))
            for node in nodes
            if not node["ignored"] and "role" in node
        ]

    def complaints(self):
        """The errors and policy violations that the browser logged since the last call."""
        entries = self._tell("se/log", {"type": "browser"})
        return [entry["message"] for entry in entries]

    def requests(self):
        """The URLs that the browser requested from a network since the last call."""
        entries = self._tell("se/log", {"type": "performance"})
        messages = [json.loads(entry["message"])["message"] for entry in entries]
        urls = [
            message["params"]["request"]["url"]
            for message in messages
            if message["method"] == "Network.requestWillBeSent"
        ]
        return [url for url in urls if not url.startswith(("chrome:", "data:"))]

    def picture(self, longest=2000):
        """A PNG picture of the page, at most `longest` pixels high."""
        size = self._devtools("Page.getLayoutMetrics")["cssContentSize"]
        height = min(size["height"], longest)
        clip = {"x": 0, "y": 0, "width": size["width"], "height": height, "scale": 1}
        shot = self._devtools("Page.captureScreenshot", clip=clip, captureBeyondViewport=True)
        return base64.b64decode(shot["data"])
