#!/usr/bin/env python3
"""Looks at a page as a person's browser does: headless Chromium, spoken to by its own protocol through a pipe.

  browser.py [--dark] [--size WxH] URL STEP...

A step is `wait:EXPRESSION` (until it is truthy, 20 s at most), `print:EXPRESSION` (its value as a line of JSON), `key:NAME`,
`run:COMMAND` (a shell's), or `shot:FILE` (a picture of the page). Whatever the page complains of on its console ends it with 1.
"""
import base64, json, os, select, subprocess, sys, tempfile, time

class Browser:
    def __init__(self, size, profile):
        ours_in, theirs_out = os.pipe()
        theirs_in, ours_out = os.pipe()
        # The protocol wants its pipe at 3 and 4; what 3 and 4 are here may be these very ends.
        high = [os.dup2(theirs_in, 103), os.dup2(theirs_out, 104)]
        command = ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                   "--disable-background-networking", "--remote-debugging-pipe", f"--user-data-dir={profile}", f"--window-size={size}",
                   "about:blank"]
        self.process = subprocess.Popen(command, preexec_fn=lambda: (os.dup2(high[0], 3), os.dup2(high[1], 4)), pass_fds=(3, 4),
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for descriptor in (theirs_in, theirs_out, *high): os.close(descriptor)
        self.read, self.write, self.rest, self.number, self.session = ours_in, ours_out, b"", 0, None
        self.complaints = []

    def call(self, method, seconds=30, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session: message["sessionId"] = self.session
        os.write(self.write, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + seconds
        while True:
            answer = self.next(deadline, method)
            if answer.get("id") == self.number:
                if "error" in answer: raise SystemExit(f"{method}: {answer['error']}")
                return answer["result"]

    def next(self, deadline, what):
        while b"\0" not in self.rest:
            if not select.select([self.read], [], [], max(0, deadline - time.monotonic()))[0]: raise SystemExit(f"{what}: the browser does not answer")
            piece = os.read(self.read, 1 << 16)
            if not piece: raise SystemExit("the browser has ended")
            self.rest += piece
        line, self.rest = self.rest.split(b"\0", 1)
        message = json.loads(line)
        self.hear(message.get("method"), message.get("params", {}))
        return message

    def hear(self, event, said):
        if event == "Runtime.exceptionThrown":
            details = said["exceptionDetails"]
            self.complaints.append(details.get("exception", {}).get("description") or details["text"])
        if event == "Runtime.consoleAPICalled" and said["type"] in ("error", "warning", "assert"):
            self.complaints.append(" ".join(str(value.get("value", value.get("description"))) for value in said["args"]))
        if event == "Log.entryAdded" and said["entry"]["level"] in ("error", "warning"):
            self.complaints.append(f"{said['entry']['text']} {said['entry'].get('url', '')}")

    def open(self, url, dark):
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Runtime", "Log", "Page"): self.call(f"{domain}.enable")
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])
        self.call("Page.navigate", url=url)

    def value(self, expression):
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result: raise SystemExit(f"{expression}: {result['exceptionDetails']['exception'].get('description')}")
        return result["result"].get("value")

    def step(self, step):
        kind, _, what = step.partition(":")
        if kind == "wait":
            deadline = time.monotonic() + 20
            while not self.value(f"Boolean({what})"):
                if time.monotonic() > deadline: raise SystemExit(f"it never came: {what}\nconsole: {self.complaints}")
                time.sleep(0.05)
        elif kind == "print": print(json.dumps(self.value(what)), flush=True)
        elif kind == "key":
            for side in ("rawKeyDown", "keyUp"): self.call("Input.dispatchKeyEvent", type=side, key=what, code=what, windowsVirtualKeyCode={"Enter": 13, "Tab": 9, "Escape": 27, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40}[what])
        elif kind == "run": subprocess.run(["/bin/sh", "-c", what], check=True, stdout=subprocess.DEVNULL, timeout=60)
        elif kind == "shot":
            with open(what, "wb") as file: file.write(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))
        else: raise SystemExit(f"no step: {step}")

arguments, dark, size = sys.argv[1:], False, "1440,900"
while arguments[0].startswith("--"):
    option = arguments.pop(0)
    if option == "--dark": dark = True
    if option == "--size": size = arguments.pop(0).replace("x", ",")
# It goes on writing for a moment after it was told to end.
with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
    browser = Browser(size, profile)
    try:
        browser.open(arguments[0], dark)
        for step in arguments[1:]: browser.step(step)
        browser.value("1")
    finally:
        browser.process.terminate()
        browser.process.wait(20)
if browser.complaints: raise SystemExit("the page complains: " + "; ".join(browser.complaints))
