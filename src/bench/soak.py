"""Load and faults for ten minutes: judges whether what the daemon holds stays flat. Standard library only."""
import json
import os
import re
import shutil
import statistics
import sys
import tempfile
import time
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import load  # noqa: E402
import plot  # noqa: E402
from processes import Child, environment, free_port  # noqa: E402

FULL = 600
SECONDS = int(sys.argv[4])
RATE = 2_000
STS_RATE = 50
SETTLED = 120  # of FULL; compilers and caches have what they want by then
ROLE = "arn:aws:iam::123456789012:role/soak-"

# When, how long, what the plot calls it, its beginning and its end, and what /readyz has to tell of it.
CYCLE = [
    (0, 15, "STS: 503", ["sts down"], ["sts well"], "StsUnavailable"),
    (34, 15, "STS: 3 s each", ["sts slow"], ["sts well"], None),
    (68, 15, "STS: throttling", ["sts throttling"], ["sts well"], "StsUnavailable"),
    (102, 15, "STS: resets", ["sts resetting"], ["sts well"], "StsUnavailable"),
    (136, 15, "STS: refuses", ["sts refusing"], ["sts well"], "StsUnavailable"),
    (170, 15, "Nomad down", ["agent down"], ["agent up"], "NomadTrouble"),
    (200, 8, "key rotation", ["rotate"], ["drop"], None),
    (214, 16, "roles files", ["rules other"], ["rules usual"], None),
    (222, 8, "", ["rules bad"], [], "RolesFileRefused"),
    (240, 20, "clients vanish", ["vanish on"], ["vanish off"], None),
]
CYCLES = [40, 310]
# When nobody asks for a second: the daemon collects its garbage then, so that what is left can be compared.
QUIET = [21, 55, 89, 123, 157, 191, 236, 266]

# What is judged: metric, what it is called, its unit, and how much it may drift whatever its size.
# How many connections there are is the callers' choice: file descriptors are counted without them.
FIGURES = [
    ("jvm_heap_live_bytes", "heap after a collection", "MB", 2.0),
    ("jvm_direct_memory_bytes", "direct memory", "MB", 1.0),
    ("process_threads", "threads", "", 3.0),
    ("other_open_fds", "file descriptors besides callers' connections", "", 16.0),
    ("process_resident_memory_bytes", "resident memory", "MB", 16.0),
]
SHARE = 0.05


class Soak:
    def __init__(self, directory):
        self.directory = directory
        self.children = []
        self.world = self.start(load.java("-Xmx384m", "-XX:+UseSerialGC", "Soak"), stdin=True)
        _, issuer, sts = self.world.await_line("ready ").split()
        self.rules("usual")
        self.port = free_port()
        with open(self.path("taskrole.yaml"), "w") as f:
            f.write(f'listen: {{credentials: ["127.0.0.1:{self.port}"], admin: "127.0.0.1:0"}}\n'
                    f'nomad: {{address: "{issuer}"}}\n'
                    f'sts: {{region: eu-west-1, endpoint: "{sts}", rate: {STS_RATE}}}\n'
                    "audit: {file: audit.jsonl}\n")
        self.daemon = self.start([load.LAUNCHER, "agent", "--config", self.path("taskrole.yaml")])
        self.admin = re.search(r"admin=(\S+)", self.daemon.await_line("ready "))[1]

    def path(self, name):
        return os.path.join(self.directory, name)

    def start(self, command, **options):
        child = Child(command, env=environment({}), **options)
        self.children.append(child)
        return child

    def close(self):
        for child in reversed(self.children):
            child.stop()

    def rules(self, kind):
        """The usual rules; others, of which one job's is another; or a file that is none."""
        text = "roles:\n"
        for job in range(8):
            text += f'  - match: {{namespace: soak, job: job{job}}}\n    role: "{ROLE}job{job}"\n'
            if kind == "other" and job == 7:
                text += "    duration: 2h\n"
        if kind == "bad":
            text += "  - match: {namespace: soak\n"
        with open(self.path("roles.yaml.next"), "w") as f:
            f.write(text)
        os.rename(self.path("roles.yaml.next"), self.path("roles.yaml"))

    def obey(self, command):
        words = command.split()
        if words[0] != "rules":
            self.world.ask(command)
            return
        if words[1] == "other" or self.is_other:
            self.world.ask("changed job7")
        if words[1] != "bad":
            self.is_other = words[1] == "other"
        self.rules(words[1])

    is_other = False

    def fetch(self, path):
        with urllib.request.urlopen(self.admin + path, timeout=10) as answer:
            return answer.read().decode()

    def sample(self):
        metrics = dict(re.findall(r"^taskrole_(\w+) (\S+)$", self.fetch("/metrics"), re.M))
        sample = {name: float(value) for name, value in metrics.items()}
        sample.update((k, float(v)) for k, v in re.findall(r"(\w+)=(\d+)", self.world.ask("figures")))
        sample["other_open_fds"] = sample["process_open_fds"] - sample["connections"]
        sample["problems"] = {problem["code"] for problem in json.loads(self.fetch("/readyz"))["problems"]}
        return sample


def schedule():
    """The faults of this run: begin, end, name, commands at both, what is to be told."""
    scale = SECONDS / FULL
    return [(scale * (cycle + at), scale * (cycle + at + length), *rest)
            for cycle in CYCLES for at, length, *rest in CYCLE]


def run(soak):
    faults = schedule()
    due = sorted([(begin, c) for begin, _, _, first, _, _ in faults for c in first]
                 + [(end, c) for _, end, _, _, last, _ in faults for c in last]
                 + [(SECONDS / FULL * (cycle + at), "quiet") for cycle in CYCLES for at in QUIET])
    soak.world.ask(f"begin {soak.port} {RATE}")
    begun = time.monotonic()
    samples = []
    while (now := time.monotonic() - begun) < SECONDS:
        while due and due[0][0] <= now:
            soak.obey(due.pop(0)[1])
        sample = soak.sample()
        sample["at"] = time.monotonic() - begun
        samples.append(sample)
        if len(samples) % 30 == 0:
            print(f"{now:.0f} s: {sample['issued']:.0f} issued, {sample['told']:.0f} told to wait, {sample['wrong']:.0f} wrong, "
                  f"{sample['late']:.0f} late, heap {sample['jvm_heap_live_bytes'] / 1e6:.1f} MB, "
                  f"{sample['process_open_fds']:.0f} files", flush=True)
        time.sleep(max(0.05, 1 - (time.monotonic() - begun - now)))
    return faults, samples


def slope(points):
    """Theil and Sen: the median of the slopes between all pairs of points."""
    return statistics.median((y2 - y1) / (x2 - x1)
                             for i, (x1, y1) in enumerate(points) for x2, y2 in points[i + 1:])


def shown(value, unit):
    return f"{value / 1e6:.1f} MB" if unit == "MB" else f"{value:.0f}"


def judge(faults, samples):
    """Rows of the two tables: what has to stay flat, and what has to hold."""
    settled = [s for s in samples if s["at"] >= SETTLED * SECONDS / FULL]
    window = settled[-1]["at"] - settled[0]["at"]
    flat = []
    for name, title, unit, least in FIGURES:
        size = 1e6 if unit == "MB" else 1
        points = [(s["at"], s[name]) for s in settled]
        middle = statistics.median(y for _, y in points)
        drift = slope(points) * window
        limit = max(SHARE * middle, least * size)
        flat.append((title, shown(middle, unit), shown(max(y for _, y in points), unit),
                     f"{drift / size:+.2f} {unit}".strip(), shown(limit, unit), drift <= limit))
    last = samples[-1]
    holds = [
        ("answers with credentials, each the task's own", f"{last['issued']:,.0f}", last["issued"] > 0.8 * RATE * (SECONDS - 20)),
        ("answers that were wrong: other credentials, a refusal to a task that has them, none at all",
         f"{last['wrong']:.0f}", last["wrong"] == 0),
        ("refusals to tasks whose credentials had ended, for want of an STS that answers", f"{last['ended']:.0f}",
         last["ended"] == 0),
        ("answers later than 850 ms and 150 ms for the client", f"{last['late']:.0f}", last["late"] == 0),
        ("starts without credentials, each served in the end: the longest wait",
         f"{last['firsts']:,.0f}: {last['longestCold'] / 1000:.1f} s", last["longestCold"] < 40_000),
        ("told to wait meanwhile, `StsUnavailable` and the like", f"{last['told']:,.0f}", last["told"] > 0),
        ("refused after the stop", f"{last['refused']:,.0f}", last["refused"] > 0),
        ("clients that vanished", f"{last['vanished']:,.0f}", last["vanished"] > 0),
        (f"calls to STS, of {STS_RATE} × the time + {STS_RATE} at most", f"{last['calls']:,.0f}",
         last["calls"] <= STS_RATE * last["at"] + STS_RATE),
        ("audit records lost", f"{last['audit_lost_total']:.0f}", last["audit_lost_total"] == 0),
    ]
    untold = [code for begin, end, name, _, _, code in faults if code
              and not any(code in s["problems"] for s in samples if begin <= s["at"] <= end + 5)]
    holds.append(("faults that `/readyz` did not tell while they lasted", ", ".join(untold) or "0", not untold))
    left = samples[-1]["problems"] - {"LeasesEndSoon"}  # as is true of all sessions of six minutes
    holds.append(("problems in `/readyz` at the end", ", ".join(sorted(left)) or "0", not left))
    return flat, holds


def verdict(row):
    return "holds" if row[-1] else "**misses**"


def document(flat, holds, after):
    minutes = SECONDS / 60
    return "\n".join([
        "# A soak",
        "",
        f"`src/bench/soak` makes this page: taskrole as distributed, for {minutes:.0f} minutes, under faults that come and go.",
        f"{load.machine()}; load, Nomad, STS and daemon share them,",
        "at a raised priority, so that nothing else that runs there makes an answer late.",
        "",
        f"![What the daemon holds over {minutes:.0f} minutes of load and faults](soak.svg)",
        "",
        f"{RATE:,} requests a second for 400 tasks of 100 allocations, nine on kept connections to one on a fresh one. Each second an",
        "allocation stops and another one starts. Each task gets a new token each minute, which lives for four; sessions are cut to",
        "six minutes, so each is renewed about every three. The grey bands are what goes wrong, twice each: STS answers 503, takes 3 s,",
        "throttles, resets, refuses connections; Nomad's agent fails; the signing key is rotated and the old one withdrawn; the",
        "roles file changes one job's rule, is broken, and is as before; fifty clients a second vanish, five ways. After each fault",
        "nobody asks for a second, in which the daemon collects the whole heap, so that what is left can be compared; without such",
        "seconds the heap grows until it is full, at 256 MB at the latest, and resident memory with it.",
        "",
        "## What has to stay flat",
        "",
        f"From minute {SETTLED // 60} on. The drift is the slope of the Theil–Sen line times that time. It may be {SHARE * 100:.0f} % of the median, or as",
        "little as the figure moves anyway.",
        "",
        "| | median | most | drift | limit | |",
        "|---|---|---|---|---|---|",
        *("| " + " | ".join(row[:-1]) + f" | {verdict(row)} |" for row in flat),
        "",
        f"Ten seconds after the last request: {after}.",
        "",
        "## What has to hold",
        "",
        "| | | |",
        "|---|---|---|",
        *("| " + " | ".join(row[:-1]) + f" | {verdict(row)} |" for row in holds),
        "",
    ])


def come_first():
    """What else the machine does is not what is measured."""
    try:
        os.setpriority(os.PRIO_PROCESS, 0, -15)
    except PermissionError:
        print("soak: not at a raised priority; answers may be late for want of a processor", flush=True)


def main():
    come_first()
    directory = tempfile.mkdtemp(prefix="taskrole-soak-")
    soak = Soak(directory)
    try:
        faults, samples = run(soak)
        wrong = soak.world.ask("end")
        time.sleep(10)
        end = {k: float(v) for k, v in re.findall(r"^taskrole_(\w+) (\S+)$", soak.fetch("/metrics"), re.M)}
        after = (f"{shown(end['jvm_heap_live_bytes'], 'MB')} of heap, {shown(end['jvm_direct_memory_bytes'], 'MB')} of direct memory, "
                 f"{end['process_threads']:.0f} threads, {end['process_open_fds']:.0f} file descriptors")
        with open(os.path.join(load.HOME, "target", "soak.json"), "w") as f:
            json.dump([{**s, "problems": sorted(s["problems"])} for s in samples], f)
    finally:
        soak.close()
        shutil.rmtree(directory, ignore_errors=True)
    flat, holds = judge(faults, samples)
    text = document(flat, holds, after)
    print(text)
    print(wrong, flush=True)
    if SECONDS >= FULL:
        with open(os.path.join(load.HOME, "docs", "soak.md"), "w") as f:
            f.write(text)
        with open(os.path.join(load.HOME, "docs", "soak.svg"), "w") as f:
            f.write(plot.picture(samples, [fault[:3] for fault in faults if fault[2]], SECONDS))
    return 0 if all(row[-1] for row in flat + holds) else 1


if __name__ == "__main__":
    sys.exit(main())
