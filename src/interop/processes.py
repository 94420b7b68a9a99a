"""Processes of a run: started, listened to, and stopped with it."""
import os
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request

TIMEOUT = 60


def free_port(also=()):
    """A port that is free now, with every port of `also` above it free as well."""
    while True:
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        if port > 50000:
            continue
        try:
            for distance in also:
                with socket.socket() as s:
                    s.bind(("127.0.0.1", port + distance))
            return port
        except OSError:
            continue


class Child:
    """A process of this run; its output is kept, and it ends with the run."""

    def __init__(self, command, env=None, cwd=None, stdin=False):
        self.lines = []
        self.process = subprocess.Popen(
            command, env=env, cwd=cwd, text=True,
            stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
        self.changed = threading.Condition()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            with self.changed:
                self.lines.append(line.rstrip("\n"))
                self.changed.notify_all()
        with self.changed:
            self.changed.notify_all()

    def await_line(self, beginning, timeout=TIMEOUT):
        end = time.monotonic() + timeout
        with self.changed:
            while True:
                for line in self.lines:
                    if line.startswith(beginning):
                        return line
                left = end - time.monotonic()
                if left <= 0 or (self.process.poll() is not None and not self.reader.is_alive()):
                    raise RuntimeError(f"no line {beginning!r} from {self.process.args[0]}:\n" + self.output())
                self.changed.wait(min(left, 0.5))

    def ask(self, text):
        """Sends a line and returns the next one."""
        with self.changed:
            before = len(self.lines)
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()
        with self.changed:
            while len(self.lines) == before:
                if not self.changed.wait(TIMEOUT):
                    raise RuntimeError("no answer to " + text)
            return self.lines[before]

    def output(self):
        return "\n".join(self.lines)

    def finish(self, timeout=TIMEOUT):
        code = self.process.wait(timeout)
        self.reader.join(timeout)
        return code

    def stop(self):
        """Ends the process and what it started itself: it leads a group of its own."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)


def environment(extra):
    """The machine's environment without anything of AWS or a proxy."""
    kept = {k: v for k, v in os.environ.items()
            if not k.startswith("AWS_") and "proxy" not in k.lower()}
    kept.update(extra)
    return kept


def await_http(url):
    for _ in range(300):
        try:
            urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=2)
            return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError("nothing answers at " + url)
