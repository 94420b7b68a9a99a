"""Replays the incident and writes docs/incident.md. Standard library only; run by `incident`."""
import collections
import datetime
import json
import os
import platform
import re
import signal
import statistics
import sys
import tempfile
import time
import urllib.parse
import urllib.request
import uuid
import xml.etree.ElementTree

from checks import Checks
from network import AWS, ENDPOINT, HERE, HOME, HOST_AT_AWS, Host, Network, run, within, within_sys
from processes import Child, environment
from sdks import clients, versions
from seaweedfs import ACCOUNT, Role, SeaweedFs

JDK, LAUNCHER = sys.argv[1:3]
PYTHON = os.path.join(HOME, "target", "interop", "python", "bin")
RUNS = 3
LIMIT = 85  # milliseconds that a cold lease may take above the exchange at STS
PORT = 9171
NOMAD, NOMAD_V6 = "172.26.64", "fd00:b:0:1"
BUCKET = "billing-bucket"
CLIENTS = ("JavaScript v3", "JavaScript v2", "boto3", "Java v2")

# What is varied: whether the job asks taskrole, by which rule it is answered, whether it is told to leave the metadata
# service alone, the hop limit of that service, and whether the guard is there.
Case = collections.namedtuple("Case", "name job asks disables hops guard")
CASES = [
    Case("no taskrole, hop limit 1", "billing", False, False, 1, False),
    Case("no taskrole, hop limit 2", "billing", False, False, 2, False),
    Case("no taskrole, guard", "billing", False, False, 2, True),
    Case("taskrole and guard", "billing", True, True, 2, True),
    Case("the same, variable forgotten", "billing", True, False, 2, True),
    Case("taskrole refuses, no guard, variable forgotten", "unknown", True, False, 2, False),
    Case("taskrole refuses, guard, variable forgotten", "unknown", True, False, 2, True),
]
SLOW, NODE, GUARD, TASKROLE, FORGOTTEN, REFUSED, REFUSED_GUARD = CASES

Run = collections.namedtuple("Run", "seconds put identity packets asked overhead sts said")


class Lab:
    def __init__(self, directory):
        self.directory = directory
        self.children = []
        self.host = self.weed = None

    def path(self, name):
        return os.path.join(self.directory, name)

    def write(self, name, text):
        with open(self.path(name), "w") as f:
            f.write(text)
        return self.path(name)

    def start(self, command, **options):
        child = Child(command, **options)
        self.children.append(child)
        return child

    def serve(self, command):
        child = self.start(command)
        child.await_line("ready")
        return child

    def open(self):
        self.network = Network()
        self.network.bridge("nomad", NOMAD, NOMAD_V6)
        self.network.count_metadata_packets()
        self.host = Host(self.directory)
        self.host.systemctl("start", "taskrole-address")
        self.host.systemctl("start", "nomad")

        self.issuer = self.start(within(
            "host", f"{JDK}/bin/java", "-Xmx64m", "-XX:+UseSerialGC", "-cp",
            f"{HOME}/target/taskrole.jar:{HOME}/target/lib/*", f"{HOME}/src/interop/java/IssuerDriver.java", "4646"),
            stdin=True)
        issuer = self.issuer.await_line("ready ").split()[1]
        # Nomad's keys, where AWS can read them.
        self.serve(within("host", "python3", f"{HERE}/relay.py", f"{HOST_AT_AWS}:443", "127.0.0.1:4646"))
        self.weed = SeaweedFs(
            self, PYTHON, issuer, f"http://{HOST_AT_AWS}:443/.well-known/jwks.json",
            [Role("billing", "global:payments:billing:api:server:aws", BUCKET),
             Role("node", "global:infra:node:node:node:aws", BUCKET)],
            AWS, lambda *command: within("aws", *command))
        self.await_weed()
        self.weed.make_buckets(self, PYTHON, [BUCKET], lambda *command: within("aws", *command))
        self.s3 = f"http://{AWS}:8000"
        self.s3_relay = self.serve(within("aws", "python3", f"{HERE}/relay.py", f"{AWS}:8000", f"{AWS}:{self.weed.port}"))

        keys = self.node_keys()
        self.node_key = keys["AccessKeyId"]
        self.write("hops", "2")
        self.write("keys", json.dumps(keys))
        self.metadata = self.serve(within("aws", "python3", f"{HERE}/metadata.py", self.path("hops"), self.path("keys")))
        self.wire = self.serve(within("host", "python3", f"{HERE}/wire.py", f"nomad:{PORT}", f"eth0:{self.weed.port}"))

        self.write("roles.yaml", f"""
roles:
  - match: {{namespace: payments, job: billing}}
    role: arn:aws:iam::{ACCOUNT}:role/billing
""")
        config = self.write("taskrole.yaml", f"""
listen: {{credentials: ["{ENDPOINT}:{PORT}"], admin: "127.0.0.1:9172"}}
nomad: {{address: "{issuer}"}}
identity: {{issuer: "{issuer}"}}
sts: {{region: us-east-1, endpoint: "{self.weed.url}"}}
audit: {{file: audit.jsonl}}
""")
        daemon = self.start(within_sys("host", LAUNCHER, "agent", "--config", config),
                            env=environment({"HOME": os.environ.get("HOME", "/")}))
        daemon.await_line("ready ")

    def await_weed(self):
        for _ in range(300):
            if run(*within("aws", "python3", f"{HERE}/probe.py", "1", "2", AWS, str(self.weed.port))).stdout[0].isdigit():
                return
            time.sleep(0.2)
        raise RuntimeError("SeaweedFS does not answer")

    def token(self, *words):
        return self.issuer.ask("token " + " ".join(words))

    def node_keys(self):
        """The node's own role, as the metadata service hands it out: a session that S3 accepts."""
        token = self.token("infra", "node", "node", "node", str(uuid.uuid4()), "3600")
        form = urllib.parse.urlencode({
            "Action": "AssumeRoleWithWebIdentity", "Version": "2011-06-15", "RoleSessionName": "node",
            "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/node", "WebIdentityToken": token})
        script = ("import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1], sys.stdin.read().encode(), 10)"
                  ".read().decode())")
        answer = run(*within("aws", "python3", "-c", script, self.weed.url), input=form).stdout
        found = {each.tag.split("}")[-1]: each.text for each in xml.etree.ElementTree.fromstring(answer).iter()}
        return {"Code": "Success", "Type": "AWS-HMAC", "AccessKeyId": found["AccessKeyId"],
                "SecretAccessKey": found["SecretAccessKey"], "Token": found["SessionToken"],
                "LastUpdated": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
                "Expiration": found["Expiration"]}

    def close(self):
        for child in reversed(self.children):
            child.stop()
        if self.weed:
            self.weed.remove_sockets()
        if self.host:
            self.host.stop()

    def issued(self, allocation):
        """The access keys that taskrole says it issued to an allocation."""
        with open(self.path("audit.jsonl")) as f:
            records = [json.loads(line) for line in f]
        return {r["accessKeyId"] for r in records if r.get("allocation") == allocation and r["outcome"] == "issued"}

    def try_client(self, client, case):
        """One process of a client in an allocation of its own; what it did, and what was seen of it."""
        self.write("hops", str(case.hops))
        if self.host.is_active("taskrole-guard") != case.guard:
            self.host.systemctl("start" if case.guard else "stop", "taskrole-guard")
        allocation = str(uuid.uuid4())
        address = self.network.allocation(allocation, "nomad", NOMAD, NOMAD_V6)
        token_file = self.write(allocation + ".jwt", self.token(
            "payments", case.job, "api", "server", allocation, "3600", address))
        settings = {"AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL_S3": self.s3}
        if case.asks:
            settings["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = f"http://{ENDPOINT}:{PORT}/v1/credentials"
            settings["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"] = token_file
        if case.disables:
            settings["AWS_EC2_METADATA_DISABLED"] = "true"
        return self.put_and_leave(client, allocation, settings)

    def try_keys(self, client, keys):
        """The same with keys in the environment: what the client takes when credentials cost nothing."""
        allocation = str(uuid.uuid4())
        self.network.allocation(allocation, "nomad", NOMAD, NOMAD_V6)
        return self.put_and_leave(client, allocation, {
            "AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL_S3": self.s3, "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ACCESS_KEY_ID": keys["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"],
            "AWS_SESSION_TOKEN": keys["Token"]})

    def put_and_leave(self, client, allocation, settings):
        seen = self.put(client, allocation, settings)
        # Connections without an answer outlive process and namespace, and would be counted in the next run.
        run("ip", "-n", allocation, "link", "set", "eth0", "down")
        run("ip", "netns", "delete", allocation)
        return seen

    def put(self, client, allocation, settings):
        home = tempfile.mkdtemp(dir=self.directory)
        told, wired, asked = len(self.s3_relay.lines), len(self.wire.lines), len(self.metadata.lines)
        packets = self.network.metadata_packets()
        begun = time.monotonic()
        child = Child(within(allocation, *client.command, "put", BUCKET, "object"), cwd=home,
                      env=environment({"HOME": home, **settings}))
        try:
            code = child.finish(90)
        finally:
            child.stop()
        ended = time.monotonic()
        time.sleep(0.1)
        put, answered = self.first_put([json.loads(line) for line in self.s3_relay.lines[told:]])
        overhead, sts = self.cold([json.loads(line) for line in self.wire.lines[wired:]])
        key = put["key"] if put else None
        identity = ("none" if code or not put else "node role" if key == self.node_key else
                    "task role" if key in self.issued(allocation) else "unknown")
        return Run((answered if put and not code else ended) - begun, put is not None and code == 0, identity,
                   self.network.metadata_packets() - packets, len(self.metadata.lines) - asked, overhead, sts,
                   child.output())

    @staticmethod
    def first_put(lines):
        """The first PUT that S3 accepted, and when it had answered."""
        for i, line in enumerate(lines):
            if line.get("asked") == "PUT":
                for later in lines[i + 1:]:
                    if later["connection"] == line["connection"] and "answered" in later:
                        if later["answered"] == 200:
                            return line, later["at"]
                        break
        return None, None

    def cold(self, lines):
        """Milliseconds on the wire from the GET to its answer less those of the exchange at STS, and the latter."""
        def at(port, *begins):
            return next((line["at"] for line in lines if line["port"] == port and line["begins"].startswith(begins)), None)

        asked, answered = at(PORT, "GET "), at(PORT, "HTTP/1.1 200")
        sent, received = at(self.weed.port, "POST "), at(self.weed.port, "HTTP/1.1 200")
        if None in (asked, answered, sent, received):
            return None, None
        return ((answered - asked) - (received - sent)) * 1000, (received - sent) * 1000


def judge(check, results, bare):
    for name in CLIENTS:
        def runs(case):
            return results[case, name]

        def identities(case):
            return {each.identity for each in runs(case)}

        def seconds(case):
            return statistics.median(each.seconds for each in runs(case))

        # That the lab is the incident.
        check(f"{name}: at hop limit 1 it waits for the metadata service, and puts nothing",
              identities(SLOW) == {"none"} and all(each.seconds > 1 and each.packets for each in runs(SLOW)),
              f"{seconds(SLOW):.2f} s")
        check(f"{name}: at hop limit 2 it takes the node's role in silence", identities(NODE) == {"node role"})
        # What is promised.
        check(f"{name}: behind the guard it fails fast",
              identities(GUARD) == {"none"} and seconds(GUARD) < 1.5 * bare[name] + 0.5, f"{seconds(GUARD):.2f} s")
        for case in (TASKROLE, FORGOTTEN):
            check(f"{name}: {case.name}: the task's own role", identities(case) == {"task role"}, ", ".join(identities(case)))
            above = [each.overhead for each in runs(case)]
            check(f"{name}: {case.name}: a cold lease takes at most {LIMIT} ms more than STS", None not in above and
                  statistics.median(above) <= LIMIT, ", ".join("-" if each is None else f"{each:.1f} ms" for each in above))
        for case in (GUARD, TASKROLE, FORGOTTEN, REFUSED_GUARD):
            check(f"{name}: {case.name}: no packet at the metadata service",
                  not any(each.packets for each in runs(case)), sum(each.packets for each in runs(case)))
        check(f"{name}: refused, behind the guard: no role at all", identities(REFUSED_GUARD) == {"none"})
    check("refused, without the guard and the variable: some take the node's role in silence",
          any(each.identity == "node role" for name in CLIENTS for each in results[REFUSED, name]))


def machine():
    with open("/proc/cpuinfo") as f:
        model = re.search(r"^model name\s*: (.*)$", f.read(), re.M)
    name = re.sub(r"\s+", " ", model[1]) if model else platform.machine()
    return f"{os.cpu_count()} cores ({name}), Linux {'.'.join(platform.release().split('.')[:2])}"


def cell(runs, bare):
    seconds = statistics.median(each.seconds for each in runs)
    identities = {each.identity for each in runs}
    identity = " or ".join(sorted(identities))
    packets = round(statistics.median(each.packets for each in runs))
    what = f"{seconds:.2f} s ({seconds - bare:+.2f})" if identities != {"none"} else f"fails after {seconds:.2f} s"
    return f"{what}; {identity}; {packets}"


def document(results, bare, v):
    named = {"JavaScript v3": v["js3"], "JavaScript v2": v["js2"], "boto3": v["boto3"], "Java v2": v["java2"]}
    lines = [
        "# The incident, replayed",
        "",
        "A task on Nomad wants to put a file into S3, and hangs for four seconds. Nothing is wrong with S3: the SDK asks the",
        "instance metadata service for credentials, from a network one hop behind the host's. The service limits the hops of its",
        "answer to one, so the answer never arrives; the SDK waits a second, asks again, and so on. The usual mend is to raise",
        "the hop limit to two, which newer images do by themselves. Then the upload is fast, and is made with **the node's own",
        "role**, whichever task asks, and nobody is told.",
        "",
        "`src/lab/incident` makes this page: the SDKs' default chains, each in a fresh process in an allocation's network",
        "namespace, and what they come to. Nothing else in the job than the columns say but `AWS_REGION`.",
        "",
        "```",
        " allocation ─────── bridge nomad ─ host ──────────────── eth0 ─── 169.254.169.254  metadata service, node's role,",
        " 172.26.64.x        TTL - 1        169.254.170.23:9171            hop limit 1 or 2, counts packets",
        " one SDK, a PUT                    taskrole, as distributed       10.0.0.1  SeaweedFS: STS and S3",
        "                                   taskrole-address, -guard",
        "                                   under systemd; Nomad's issuer",
        "```",
        "",
        "Each cell: the time from the start of the process to S3's answer to the first PUT, and how much more that is than the",
        "same client takes with keys in its environment (*bare*, which is mostly the start of the runtime and of the SDK); whose",
        "role made the PUT, by the access key that S3 saw; packets that arrived at the metadata service. Medians of",
        f"{RUNS} runs, in turns; {machine()}, all of it on this one machine. taskrole's lease is cold each time: the task is",
        "new to it.",
        "",
        "| client | bare | " + " | ".join(case.name for case in CASES[:5]) + " |",
        "|---|---|" + "---|" * 5,
    ]
    for name in CLIENTS:
        lines.append(f"| {name} {named[name]} | {bare[name]:.2f} s | " +
                     " | ".join(cell(results[case, name], bare[name]) for case in CASES[:5]) + " |")
    lines += [
        "",
        "*variable forgotten*: the job does not say `AWS_EC2_METADATA_DISABLED=true`; elsewhere under taskrole it does.",
        "",
        "What of the time is taskrole's: from the GET for credentials to its answer, as the kernel saw both on the bridge, less",
        "the exchange at STS as it saw that on the host's card. It holds the token's check, the task's lookup, the caller's, and",
        "the connection to STS. The first request of the daemon's life is among JavaScript v3's.",
        "",
        f"| client | STS | taskrole above STS, median | slowest of {2 * RUNS} | limit of the median |",
        "|---|---|---|---|---|",
    ]
    for name in CLIENTS:
        both = [each for case in (TASKROLE, FORGOTTEN) for each in results[case, name] if each.overhead is not None]
        lines.append(f"| {name} | {statistics.median(e.sts for e in both):.1f} ms | "
                     f"{statistics.median(e.overhead for e in both):.1f} ms | {max(e.overhead for e in both):.1f} ms | {LIMIT} ms |"
                     if both else f"| {name} | not seen | | | {LIMIT} ms |")
    lines += [
        "",
        "And when taskrole has to refuse, here because no rule names the task, and the job has forgotten the variable:",
        "",
        "| client | hop limit 2, no guard | guard |",
        "|---|---|---|",
    ]
    for name in CLIENTS:
        lines.append(f"| {name} | " + " | ".join(cell(results[case, name], bare[name]) for case in CASES[5:]) + " |")
    lines += [
        "",
        "## What follows",
        "",
        "- **Run [the guard](../systemd/README.md#taskrole-guardservice).** Without it some SDKs answer a refusal by taking the",
        "  node's role, and so does every task that taskrole is not told of. With it no task does, whatever its job says.",
        "- Do not raise the hop limit for tasks. At 1 it hides the node's role from bridged tasks only, by making them wait;",
        "  tasks with the host's network have it at once.",
        "- Set `AWS_EC2_METADATA_DISABLED=true` and `AWS_REGION` all the same: one answer less to wait for, and a node without",
        "  the guard is covered too.",
        "- Give the node's instance profile nothing that a task could want.",
        "",
    ]
    return "\n".join(lines)


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    check = Checks()
    chosen = {client.name: client for client in clients(HOME, JDK)}
    with tempfile.TemporaryDirectory(prefix="taskrole-incident-", ignore_cleanup_errors=True) as directory:
        lab = Lab(directory)
        try:
            lab.open()
            with open(lab.path("keys")) as f:
                keys = json.load(f)
            # In turns, so that what else the machine does meets all alike; the first only fills its caches.
            bare, results = collections.defaultdict(list), collections.defaultdict(list)
            for turn in range(RUNS + 1):
                for name in CLIENTS:
                    bare[name].append(lab.try_keys(chosen[name], keys))
                for case in CASES if turn else ():
                    print("incident:", turn, case.name, file=sys.stderr, flush=True)
                    for name in CLIENTS:
                        results[case, name].append(lab.try_client(chosen[name], case))
            for name, tries in bare.items():
                unable = [each.said for each in tries if not each.put]
                check(f"{name}: with keys in its environment it puts", not unable, "; ".join(unable))
            bare = {name: statistics.median(each.seconds for each in tries[1:]) for name, tries in bare.items()}
            judge(check, results, bare)
            text = document(results, bare, versions(HOME))
            print(text)
            if not check.failed:
                with open(f"{HOME}/docs/incident.md", "w") as f:
                    f.write(text)
        finally:
            lab.close()
    print(f"incident: {check.passed} passed, {check.failed} failed")
    return 1 if check.failed else 0


if __name__ == "__main__":
    sys.exit(main())
