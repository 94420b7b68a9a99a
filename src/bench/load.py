"""Measures taskrole against a bare responder, in turns, and writes docs/benchmarks.md. Standard library only."""
import http.client
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HOME, JDK = sys.argv[1:3]
LAUNCHER = sys.argv[3] if len(sys.argv) > 3 else os.path.join(HOME, "taskrole")
sys.path.insert(0, os.path.join(HOME, "src", "interop"))
from processes import Child, environment, free_port  # noqa: E402

ROUNDS = 5
SECONDS = 5
RATE = 10_000


def java(*arguments):
    return [os.path.join(JDK, "bin", "java"), "-cp",
            f"{HOME}/target/bench:{HOME}/target/taskrole.jar:{HOME}/target/lib/*", *arguments]


def daemon_flags():
    """The JVM flags that the launcher gives the daemon, for a fair other side."""
    return ["@" + os.path.join(HOME, "src", "main", "build", "java.options")]


def allocator():
    """The allocator settings that the launcher gives the daemon."""
    with open(os.path.join(HOME, "taskrole")) as f:
        return dict(pair.split("=") for pair in re.search(r"^export (MALLOC.*)$", f.read(), re.M)[1].split())


def resident(pid):
    with open(f"/proc/{pid}/status") as f:
        return int(re.search(r"VmRSS:\s+(\d+)", f.read())[1]) / 1024


class Refused(RuntimeError):
    """Not every request was answered with credentials."""


class Bench:
    def __init__(self, directory):
        self.directory = directory
        self.children = []
        self.upstream = self.start(java("-Xmx128m", "-XX:+UseSerialGC", "Upstream"), stdin=True)
        _, self.issuer, self.sts = self.upstream.await_line("ready ").split()
        with open(self.path("roles.yaml"), "w") as f:
            f.write("roles: [{match: {namespace: default, job: bench}, "
                    'role: "arn:aws:iam::123456789012:role/bench"}]\n')
        self.port = free_port()
        with open(self.path("taskrole.yaml"), "w") as f:
            f.write(f'listen: {{credentials: ["127.0.0.1:{self.port}"], admin: "127.0.0.1:0"}}\n'
                    f'nomad: {{address: "{self.issuer}"}}\n'
                    f'sts: {{region: eu-west-1, endpoint: "{self.sts}", rate: 10000}}\n'
                    "audit: {file: audit.jsonl}\n")

    def path(self, name):
        return os.path.join(self.directory, name)

    def start(self, command, **options):
        child = Child(command, env=environment(options.pop("env", {})), **options)
        self.children.append(child)
        return child

    def close(self):
        for child in reversed(self.children):
            child.stop()

    def tokens(self, count, name):
        self.upstream.ask(f"tokens {count} {self.path(name)}")
        return self.path(name)

    def daemon(self):
        return self.start([LAUNCHER, "agent", "--config", self.path("taskrole.yaml")])

    def get(self, token):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        connection.request("GET", "/v1/credentials", headers={"Authorization": token})
        answer = connection.getresponse()
        return answer.status, answer.read()

    def exec_to_first_credential(self, token):
        begun = time.monotonic()
        child = self.daemon()
        while True:
            try:
                if self.get(token)[0] == 200:
                    break
            except OSError:
                pass
            if time.monotonic() - begun > 30:
                raise RuntimeError("no credential in 30 s:\n" + child.output())
            time.sleep(0.005)
        spent = time.monotonic() - begun
        return spent, child

    def throughput(self, port, tokens):
        done = subprocess.run(
            ["wrk", "-t1", "-c64", f"-d{SECONDS}s", "-s", f"{HOME}/src/bench/throughput.lua",
             f"http://127.0.0.1:{port}"],
            env=environment({"BENCH_TOKENS": tokens, "BENCH_PORT": str(port)}),
            capture_output=True, text=True, timeout=60)
        if "Non-2xx" in done.stdout or done.returncode:
            raise RuntimeError(done.stdout + done.stderr)
        return float(re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)[1])

    def fixed_rate(self, port, tokens, rate=RATE, seconds=SECONDS, warm=2):
        return self.measured(java(
            "-Xmx256m", "-XX:+UseSerialGC", "FixedRate", str(port), tokens, str(rate), str(seconds), str(warm)))

    def prime(self, tokens):
        """Has every task its lease, however long this machine takes for so many exchanges."""
        for _ in range(20):
            try:
                return self.fixed_rate(self.port, tokens, rate=500, seconds=4, warm=0)
            except Refused:
                continue
        raise RuntimeError("the leases did not come")

    def measured(self, command):
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment({}))
        if done.returncode:
            raise RuntimeError(done.stdout + done.stderr)
        result = {k: int(v) for k, v in re.findall(r"(\w+)=(\d+)", done.stdout)}
        if result.get("failed"):
            raise Refused(f"{result['failed']} requests were not answered 200")
        return result


def run(bench):
    rows = []

    def row(what, ours, bare, limit, holds):
        verdict = "" if limit == "none" else "holds" if holds else "**misses**"
        rows.append((what, ours, bare, limit, verdict))
        print(f"{what}: {ours} / {bare}, {limit}: {rows[-1][-1]}", flush=True)

    first = bench.tokens(1, "first")
    with open(first) as f:
        token = f.read().strip()
    bench.exec_to_first_credential(token)[1].stop()  # makes the start-up cache
    spent = []
    for _ in range(5):
        seconds, child = bench.exec_to_first_credential(token)
        spent.append(seconds)
        child.stop()
    middle = statistics.median(spent)
    row("from exec to the first credential", f"{middle:.2f} s", "", "at most 1.0 s", middle <= 1.0)

    daemon = bench.daemon()
    daemon.await_line("ready ")
    time.sleep(8)
    idle = resident(daemon.process.pid)
    row("resident memory, idle", f"{idle:.0f} MB", "", "at most 80 MB", idle <= 80)

    body = bench.get(token)[1]
    with open(bench.path("body"), "wb") as f:
        f.write(body)
    bare_port = free_port()
    bare = bench.start([java()[0], *daemon_flags(), *java()[1:], "BareResponder", str(bare_port), bench.path("body")],
                       env=allocator())
    bare.await_line("ready")

    cold = bench.measured(java(
        "-Xmx128m", "-XX:+UseSerialGC", "ColdCompare", f"http://127.0.0.1:{bench.port}/v1/credentials",
        bench.sts + "/", bench.tokens(2400, "cold")))
    extra = (cold["cold"] - cold["bare"]) / 1000
    row("cold GET, p50, the first hundred after the start", f"{cold['earlyCold'] / 1000:.1f} ms",
        f"{cold['earlyBare'] / 1000:.1f} ms (STS alone)", "none", True)
    row("cold GET, p50, after 800 exchanges", f"{cold['cold'] / 1000:.1f} ms", f"{cold['bare'] / 1000:.1f} ms (STS alone)",
        "at most 5 ms more", extra <= 5)

    # A fresh one, which holds no leases but those of what follows.
    daemon.stop()
    daemon = bench.daemon()
    daemon.await_line("ready ")
    tokens = bench.tokens(1000, "tokens")
    bench.prime(tokens)
    sides = {"ours": bench.port, "bare": bare_port}
    for port in sides.values():
        bench.fixed_rate(port, tokens, rate=2000, seconds=2, warm=1)
        for _ in range(ROUNDS):
            bench.throughput(port, tokens)  # until both sides are compiled
    rates = {side: [] for side in sides}
    tails = {side: [] for side in sides}
    for _ in range(ROUNDS):
        for side, port in sides.items():
            rates[side].append(bench.throughput(port, tokens))
        for side, port in sides.items():
            tails[side].append(bench.fixed_rate(port, tokens)["p99"])
    ours, other = statistics.median(rates["ours"]), statistics.median(rates["bare"])
    row("cached GETs, 1,000 tasks, throughput", f"{ours / 1000:.1f} k/s", f"{other / 1000:.1f} k/s",
        f"ratio {ours / other:.2f}, at least 0.6", ours / other >= 0.6)
    ours, other = statistics.median(tails["ours"]), statistics.median(tails["bare"])
    row("p99 at 10,000/s", f"{ours / 1000:.2f} ms", f"{other / 1000:.2f} ms",
        f"ratio {ours / other:.2f}, at most 2", ours / other <= 2)

    bench.prime(bench.tokens(1000, "more"))
    bench.fixed_rate(bench.port, tokens, rate=5000, seconds=5, warm=1)
    loaded = resident(daemon.process.pid)
    row("resident memory, 2,000 leases under load", f"{loaded:.0f} MB", f"{resident(bare.process.pid):.0f} MB",
        "at most 110 MB", loaded <= 110)
    return rows


def machine():
    with open("/proc/cpuinfo") as f:
        model = re.search(r"model name\s*:\s*(.*)", f.read())
    java_version = subprocess.run([java()[0], "--version"], capture_output=True, text=True).stdout.split("\n")[0]
    return f"{os.cpu_count()} cores ({model[1] if model else platform.machine()}), Linux, {java_version.split(' 20')[0]}"


def document(rows):
    return "\n".join([
        "# Benchmarks",
        "",
        "`src/bench/run` makes this page: both sides in one run, in turns, on one machine that also runs the load",
        f"generator: {machine()}. Compare the ratios; the absolute figures are this machine's.",
        "taskrole runs as distributed (`src/dist/build`). The other side is a bare Vert.x responder with the same JVM",
        "flags, event loops, body and headers.",
        f"Medians of {ROUNDS} rounds (start: of 5). Latency counts from the time at which a request was due.",
        "",
        "| measure | taskrole | bare | limit | |",
        "|---|---|---|---|---|",
        *("| " + " | ".join(row) + " |" for row in rows),
        "",
    ])


def main():
    directory = tempfile.mkdtemp(prefix="taskrole-bench-")
    bench = Bench(directory)
    try:
        text = document(run(bench))
    finally:
        bench.close()
        shutil.rmtree(directory, ignore_errors=True)
    print(text)
    with open(os.path.join(HOME, "docs", "benchmarks.md"), "w") as f:
        f.write(text)


if __name__ == "__main__":
    main()
