"""Measures what following Nomad costs, and how soon a stop is a refusal. Standard library only."""
import os
import re
import statistics
import sys
import tempfile
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


def run(bench):
    log = bench.path("gc.log")
    daemon = bench.start(
        [load.java()[0], *load.daemon_flags(), f"-Xlog:gc:file={log}", "-jar", f"{load.HOME}/target/taskrole.jar",
         "agent", "--config", bench.path("taskrole.yaml")], env=load.allocator())
    admin = re.search(r"admin=(\S+)", daemon.await_line("ready "))[1]
    tokens = bench.tokens(200, "tokens")
    bench.prime(tokens)
    bench.upstream.ask(f"fleet {ALLOCATIONS} {BYTES}")
    for _ in range(3):
        bench.fixed_rate(bench.port, tokens, rate=2000)

    def lists():
        with urllib.request.urlopen(admin + "/metrics") as answer:
            text = answer.read().decode()
        return float(re.search(r"^taskrole_allocation_lookups_total ([\d.]+)", text, re.M)[1])

    quiet, busy, shares, rates = [], [], [], []
    before = lists()
    for _ in range(ROUNDS):
        quiet.append(bench.fixed_rate(bench.port, tokens, rate=2000)["p99"])
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
    ratio = statistics.median(busy) / statistics.median(quiet)
    print(f"  p99 of warm requests at 2,000/s: {statistics.median(busy)} us with events, {statistics.median(quiet)} us "
          f"without: ratio {ratio:.2f}, at most 1.5: {'holds' if ratio <= 1.5 else 'MISSES'}")
    print(f"  look-ups caused by warm requests: {looked:.0f}, 0 expected: {'holds' if looked == 0 else 'MISSES'}")

    bench.upstream.ask(f"stops {STOPS} {bench.port}")
    told = re.search(r"stopped p50=(\d+) p99=(\d+) max=(\d+)", bench.upstream.output())
    p50, p99, most = (int(value) / 1000 for value in told.groups())
    print(f"stop of an allocation to refusal, {STOPS} times: p50 {p50:.0f} ms, p99 {p99:.0f} ms, longest {most:.0f} ms, "
          f"p99 below 1 s: {'holds' if p99 < 1000 else 'MISSES'}")
    return ratio <= 1.5 and looked == 0 and p99 < 1000


def main():
    with tempfile.TemporaryDirectory() as directory:
        bench = load.Bench(directory)
        try:
            return 0 if run(bench) else 1
        finally:
            bench.close()


sys.exit(main())
