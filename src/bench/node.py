"""Measures what following Nomad costs, and how soon a stop is a refusal. Standard library only."""
import json
import os
import re
import statistics
import sys
import tempfile
import threading
import time
import urllib.request

import load

ROUNDS = 5
ALLOCATIONS = 250
BYTES = 8_000
EVENTS = 10
STOPS = 80


def cpu(pid):
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def allocated(log):
    """Megabytes that the young collections of the log took away."""
    with open(log) as f:
        sizes = re.findall(r"Pause Young.* (\d+)M->(\d+)M", f.read())
    return sum(int(before) - int(after) for before, after in sizes)


class Reader:
    """Reads another node's list at each change, as the feed does, and throws it away: what Nomad itself costs."""

    def __init__(self, bench):
        with urllib.request.urlopen(bench.issuer + "/v1/agent/self") as answer:
            self.node = json.load(answer)["stats"]["client"]["node_id"]
        self.agent = bench.issuer
        self.ending = False
        self.lists = 0
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        index = "0"
        while not self.ending:
            url = f"{self.agent}/v1/node/{self.node}/allocations?index={index}&wait=1s"
            with urllib.request.urlopen(url, timeout=10) as answer:
                index = answer.headers["X-Nomad-Index"]
                while answer.read(65536):
                    pass
            self.lists += 1
            time.sleep(0.6)

    def end(self):
        self.ending = True
        self.thread.join(10)


def run(bench, other):
    log = bench.path("gc.log")
    daemon = bench.start(
        [load.java()[0], *load.daemon_flags(), f"-Xlog:gc:file={log}", "-jar", f"{load.HOME}/target/taskrole.jar",
         "agent", "--config", bench.path("taskrole.yaml")], env=load.allocator())
    admin = re.search(r"admin=(\S+)", daemon.await_line("ready "))[1]
    tokens = bench.tokens(200, "tokens")
    bench.prime(tokens)
    for each in (bench, other):
        each.upstream.ask(f"fleet {ALLOCATIONS} {BYTES}")
    for _ in range(3):
        bench.fixed_rate(bench.port, tokens, rate=2000)

    def lists():
        with urllib.request.urlopen(admin + "/metrics") as answer:
            text = answer.read().decode()
        return float(re.search(r"^taskrole_allocation_lookups_total ([\d.]+)", text, re.M)[1])

    quiet, beside, busy, shares, rates = [], [], [], [], []
    before = lists()
    for _ in range(ROUNDS):
        quiet.append(bench.fixed_rate(bench.port, tokens, rate=2000)["p99"])
        reader = Reader(other)
        other.upstream.ask(f"events {EVENTS} 10")
        beside.append(bench.fixed_rate(bench.port, tokens, rate=2000)["p99"])
        reader.end()
        time.sleep(4)
        bench.upstream.ask(f"events {EVENTS} 10")
        busy.append(bench.fixed_rate(bench.port, tokens, rate=2000)["p99"])
        time.sleep(4)
        # Events alone, without requests.
        bench.upstream.ask(f"events {EVENTS} 11")
        spent, taken = cpu(daemon.process.pid), allocated(log)
        time.sleep(10)
        shares.append((cpu(daemon.process.pid) - spent) / 10 * 100)
        rates.append((allocated(log) - taken) / 10)
        time.sleep(2)
    looked = lists() - before
    print(f"{ALLOCATIONS} allocations of {BYTES / 1000:.0f} kB, {EVENTS} events a second:")
    print(f"  the feed takes {statistics.median(shares):.1f} % of one core, allocates {statistics.median(rates):.1f} MB/s")
    ratio = statistics.median(busy) / statistics.median(beside)
    print(f"  p99 of warm requests at 2,000/s: {statistics.median(busy)} us while the feed follows them, "
          f"{statistics.median(beside)} us while the same lists")
    print("  are read from the same agent by something that throws them away, "
          f"{statistics.median(quiet)} us while nothing happens")
    print(f"  ratio of the feed to such a reader {ratio:.2f}, at most 1.5: {'holds' if ratio <= 1.5 else 'MISSES'}; "
          f"to nothing at all {statistics.median(busy) / statistics.median(quiet):.2f} (agent, load and daemon share two cores)")
    print(f"  look-ups caused by warm requests: {looked:.0f}, 0 expected: {'holds' if looked == 0 else 'MISSES'}")

    bench.upstream.ask(f"stops {STOPS} {bench.port}")
    told = re.search(r"stopped p50=(\d+) p99=(\d+) max=(\d+)", bench.upstream.output())
    p50, p99, most = (int(value) / 1000 for value in told.groups())
    print(f"stop of an allocation to refusal, {STOPS} times: p50 {p50:.0f} ms, p99 {p99:.0f} ms, longest {most:.0f} ms, "
          f"p99 below 1 s: {'holds' if p99 < 1000 else 'MISSES'}")
    return ratio <= 1.5 and looked == 0 and p99 < 1000


def main():
    with tempfile.TemporaryDirectory() as directory, tempfile.TemporaryDirectory() as another:
        bench, other = load.Bench(directory), load.Bench(another)
        try:
            return 0 if run(bench, other) else 1
        finally:
            bench.close()
            other.close()


sys.exit(main())
