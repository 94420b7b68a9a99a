"""What one bad neighbour costs the others. Standard library only."""
import os
import re
import selectors
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import load  # noqa: E402
from processes import environment  # noqa: E402

ROUNDS = 5
RATE = 1_000
HALF_OPEN = 10_000
LIMIT = 512


def p99(bench, tokens):
    return bench.fixed_rate(bench.port, tokens, rate=RATE, seconds=4, warm=1)["p99"]


class Flood:
    """One task, 64 connections, as fast as it is answered."""

    def __init__(self, bench, tokens):
        self.process = subprocess.Popen(
            ["wrk", "-t1", "-c64", "-d60s", "-s", f"{load.HOME}/src/bench/throughput.lua",
             f"http://127.0.0.1:{bench.port}"],
            env=environment({"BENCH_TOKENS": tokens, "BENCH_PORT": str(bench.port)}), stdout=subprocess.PIPE, text=True)
        time.sleep(3)  # its burst is over then

    def stop(self):
        self.process.send_signal(2)
        return float(re.search(r"Requests/sec:\s+([\d.]+)", self.process.communicate(timeout=20)[0])[1])


class HalfOpen:
    """Connections that begin a request and never end it; whichever is closed is opened again."""

    def __init__(self, port, count):
        self.port, self.count, self.ending = port, count, False
        self.selector = selectors.DefaultSelector()
        self.opened = self.closed = 0
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def open(self):
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=5)
        connection.sendall(b"GET /v1/credentials HTTP/1.1\r\nHost: 127")
        connection.setblocking(False)
        self.selector.register(connection, selectors.EVENT_READ)
        self.opened += 1

    def run(self):
        while not self.ending:
            for _ in range(100):
                if self.opened - self.closed < self.count:
                    try:
                        self.open()
                    except OSError:
                        break
            for key, _ in self.selector.select(0.005):
                self.drop(key.fileobj)
        for key in list(self.selector.get_map().values()):
            self.drop(key.fileobj)

    def drop(self, connection):
        self.selector.unregister(connection)
        connection.close()
        self.closed += 1

    def stop(self):
        self.ending = True
        self.thread.join()


def metric(admin, name):
    with urllib.request.urlopen(f"{admin}/metrics", timeout=5) as answer:
        return float(re.search(rf"^{name} (\S+)$", answer.read().decode(), re.M)[1])


def main():
    bench = load.Bench(tempfile.mkdtemp(prefix="taskrole-bench-"))
    try:
        daemon = bench.daemon()
        admin = re.search(r"admin=(\S+)", daemon.await_line("ready "))[1]
        others, one = bench.tokens(200, "others"), bench.tokens(1, "one")
        bench.prime(others)
        bench.prime(one)
        for _ in range(4):
            bench.fixed_rate(bench.port, others, rate=5_000, seconds=3, warm=1)

        quiet, flooded, pace = [], [], []
        for _ in range(ROUNDS):
            quiet.append(p99(bench, others))
            flood = Flood(bench, one)
            flooded.append(p99(bench, others))
            pace.append(flood.stop())
        without, beside = statistics.median(quiet), statistics.median(flooded)
        holds = beside <= 2 * without
        print(f"one task floods over 64 connections and is answered {statistics.median(pace):.0f} times a second; p99 of "
              f"{RATE}/s by 200 others: {beside:.0f} us, without the flood {without:.0f} us,\n"
              f"  ratio {beside / without:.2f}, at most 2: {'holds' if holds else 'MISSES'} "
              f"(rounds: {[round(x) for x in flooded]} and {[round(x) for x in quiet]})")

        before = load.resident(daemon.process.pid)
        half = HalfOpen(bench.port, HALF_OPEN)
        tails, most, open_ = [], 0, 0
        try:
            time.sleep(4)
            for _ in range(ROUNDS):
                tails.append(bench.fixed_rate(bench.port, others, rate=RATE, seconds=4, warm=1))
                most = max(most, load.resident(daemon.process.pid))
                open_ = max(open_, metric(admin, "taskrole_connections"))
        finally:
            half.stop()
        time.sleep(10)
        after, left = load.resident(daemon.process.pid), metric(admin, "taskrole_connections")
        served = all(tail["failed"] == 0 for tail in tails)
        print(f"{open_:.0f} connections open, {half.opened} opened that never finish a request ({half.closed} closed): others' p99 "
              f"{statistics.median(tail['p99'] for tail in tails):.0f} us, {sum(t['answered'] for t in tails)} answered, "
              f"{sum(t['failed'] for t in tails)} failed\n"
              f"  resident memory {before:.0f} MB before, {most:.0f} MB at most, {after:.0f} MB ten seconds after; "
              f"{left:.0f} connections left: {'holds' if served and most < LIMIT else 'MISSES'} (limit {LIMIT} MB, that of the unit)")
        return 0 if holds and served and most < LIMIT else 1
    finally:
        bench.close()


if __name__ == "__main__":
    sys.exit(main())
