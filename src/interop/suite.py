"""Runs every client through every check and writes docs/clients.md. Standard library only."""
import base64
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid

from jobs import check_jobs
from processes import TIMEOUT, Child, await_http, environment, free_port
from sdks import clients, versions
from seaweedfs import ACCOUNT, Role, SeaweedFs

HOME, JDK, LAUNCHER = sys.argv[1:4]
WORK = os.path.join(HOME, "target", "interop")
JAVA = os.path.join(JDK, "bin", "java")
PYTHON = os.path.join(WORK, "python", "bin")


class Lab:
    """Issuer, SeaweedFS, moto and a daemon for each of the two STS."""

    def __init__(self, directory):
        self.directory = directory
        self.children = []
        self.weed = None

    def open(self):
        self.issuer_port = free_port()
        self.issuer = self.start(
            [JAVA, "-Xmx64m", "-XX:+UseSerialGC", "-cp", f"{HOME}/target/taskrole.jar:{HOME}/target/lib/*",
             f"{HOME}/src/interop/java/IssuerDriver.java", str(self.issuer_port)], stdin=True)
        self.issuer_url = self.issuer.await_line("ready ").split()[1]
        jobs = ("billing", "reports")
        self.weed = SeaweedFs(
            self, PYTHON, self.issuer_url, self.issuer_url + "/.well-known/jwks.json",
            [Role(job, f"global:payments:{job}:api:server:aws", job + "-bucket") for job in jobs])
        self.s3_url = self.weed.url
        await_http(self.s3_url)
        self.weed.make_buckets(self, PYTHON, [job + "-bucket" for job in jobs])
        self.moto_port = free_port()
        self.start([f"{PYTHON}/moto_server", "-H", "127.0.0.1", "-p", str(self.moto_port)])
        self.moto_url = f"http://127.0.0.1:{self.moto_port}"
        await_http(self.moto_url)
        self.endpoint, self.audit = self.daemon("seaweedfs", self.s3_url)
        self.moto_endpoint, self.moto_audit = self.daemon("moto", self.moto_url)

    def start(self, command, **options):
        child = Child(command, **options)
        self.children.append(child)
        return child

    def close(self):
        for child in reversed(self.children):
            child.stop()
        if self.weed:
            self.weed.remove_sockets()

    def path(self, name):
        return os.path.join(self.directory, name)

    def write(self, name, text):
        with open(self.path(name), "w") as f:
            f.write(text)
        return self.path(name)

    def daemon(self, name, sts):
        directory = self.path(name)
        os.mkdir(directory)
        self.write(f"{name}/roles.yaml", f"""
roles:
  - match: {{namespace: payments, job: billing}}
    role: arn:aws:iam::{ACCOUNT}:role/billing
  - match: {{namespace: payments, job: reports}}
    role: arn:aws:iam::{ACCOUNT}:role/reports
    duration: 30m
    policy-arns: [arn:aws:iam::aws:policy/AmazonS3FullAccess]
    session-policy: |
      {{"Version": "2012-10-17", "Statement": [{{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}}]}}
""")
        config = self.write(f"{name}/taskrole.yaml", f"""
listen: {{credentials: ["127.0.0.1:0"], admin: "127.0.0.1:0"}}
nomad: {{address: "{self.issuer_url}"}}
identity: {{issuer: "{self.issuer_url}"}}
sts: {{region: us-east-1, endpoint: "{sts}"}}
audit: {{file: audit.jsonl}}
""")
        child = self.start([LAUNCHER, "agent", "--config", config],
                           env=environment({"HOME": os.environ.get("HOME", "/")}))
        ready = child.await_line("ready ")
        self.admin_url = "http://" + re.search(r"admin=(\S+)", ready)[1].removeprefix("http://")
        return re.search(r"credentials=(\S+)", ready)[1], os.path.join(directory, "audit.jsonl")

    def token(self, job, allocation, seconds=3600):
        return self.issuer.ask(f"token payments {job} api server {allocation} {seconds}")


def audited(file, allocation, outcome, role=None):
    """Whether the daemon's audit log has such a decision for the allocation, and for this role."""
    arn = role and f"arn:aws:iam::{ACCOUNT}:role/{role}"
    for _ in range(50):
        if os.path.exists(file):
            with open(file) as f:
                for line in f:
                    record = json.loads(line)
                    if (record.get("allocation"), record["outcome"], record.get("role")) == (
                            allocation, outcome, arn):
                        return True
        time.sleep(0.1)
    return False


def rewrite(file, token):
    """As Nomad does: the same file, truncated and written in place."""
    with open(file, "w") as f:
        f.write(token)


def check(lab, client):
    """One row of the table; each cell is what was seen."""
    allocation = str(uuid.uuid4())
    token_file = lab.write(f"{allocation}.jwt", lab.token("billing", allocation))
    here = (lab, lab.endpoint, lab.s3_url, token_file)
    row = {}
    code, said = client.run(*here, "put", "billing-bucket", client.name.replace(" ", "-"))
    row["fetch"] = audited(lab.audit, allocation, "issued", "billing")
    row["allowed"] = code == 0
    if code:
        print(said, file=sys.stderr)
    code, said = client.run(*here, "put", "reports-bucket", "stolen")
    row["refused"] = code != 0 and "AccessDenied" in said.replace(" ", "")
    if not row["refused"]:
        print(said, file=sys.stderr)

    child = client.start(*here, "put-twice", "billing-bucket", "twice")
    child.await_line("FIRST")
    lab.issuer.ask("rotate")
    fresh = lab.token("billing", allocation)
    rewrite(token_file, fresh)
    child.process.stdin.write("\n")
    child.process.stdin.flush()
    row["refresh"] = child.finish() == 0 and used(lab.audit, allocation, fresh)
    if not row["refresh"]:
        print(child.output(), file=sys.stderr)

    stranger = str(uuid.uuid4())
    stranger_file = lab.write(f"{stranger}.jwt", lab.token("unknown", stranger))
    begun = time.monotonic()
    code, said = client.run(lab, lab.endpoint, lab.s3_url, stranger_file, "put", "billing-bucket", "x")
    row["seconds"] = time.monotonic() - begun
    row["told"] = code != 0 and audited(lab.audit, stranger, "refused")
    row["message"] = said
    return row


def used(file, allocation, token):
    """Whether the daemon was shown exactly this token."""
    payload = token.split(".")[1]
    jti = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["jti"]
    for _ in range(50):
        with open(file) as f:
            if any(json.loads(line).get("jti") == jti for line in f):
                return True
        time.sleep(0.1)
    return False


def told(message):
    """The message as it fits into a table: one line, nothing that changes from run to run."""
    # Warnings about end of support come first; what the SDK throws stands after our own mark.
    line = " ".join(message.split("ERR ", 1)[-1].split())
    # A chain that lists every provider is cut down to the one that asked us.
    listed = re.search(r"\w*Container\w*Provider\w*(?:@\w+|\(\))?: ([^\]]+?)(?=, \w+(?:\.\w+)*Provider|, com\.|\])", line)
    if listed:
        line = line[:60] + " … " + re.sub(r"@\w+", "", listed[0])
    line = re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}|\b[0-9a-f]{16}\b|127\.0\.0\.1:\d+", "…", line)
    line = re.sub(r"/\S*/(node_modules|site-packages|interop)/\S*", "…", line).replace("|", "\\|")
    return line if len(line) <= 300 else line[:297] + "…"


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    directory = tempfile.mkdtemp(prefix="taskrole-interop-")
    lab = Lab(directory)
    passed = failed = 0
    try:
        lab.open()
        v = versions(HOME)
        rows = []
        for client in clients(HOME, JDK):
            print("interop:", client.name, client.version, file=sys.stderr, flush=True)
            row = check(lab, client)
            results = [row[c] for c in ("fetch", "allowed", "refused", "refresh", "told")]
            passed += results.count(True)
            failed += results.count(False)
            rows.append((client, row))
        moto = check_moto(lab)
        alone = check_demo(directory) + check_answers(lab) + check_jobs(HOME, WORK, LAUNCHER)
        for results in (moto, alone):
            passed += results.count(True)
            failed += results.count(False)
        text = document(rows, v, moto)
        print(text)
        with open(f"{HOME}/docs/clients.md", "w") as f:
            f.write(text)
    finally:
        lab.close()
        shutil.rmtree(directory, ignore_errors=True)
    print(f"interop: {passed} passed, {failed} failed")
    return 1 if failed else 0


def check_moto(lab):
    """A second STS: it checks no token, but answers the whole wire format."""
    results = []
    boto3 = clients(HOME, JDK)[0]
    for job in ("billing", "reports"):
        allocation = str(uuid.uuid4())
        token_file = lab.write(f"{allocation}.jwt", lab.token(job, allocation))
        subprocess.run(
            [f"{PYTHON}/aws", "--endpoint-url", lab.moto_url, "s3api", "create-bucket", "--bucket", job],
            env=environment({"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "us-east-1"}),
            capture_output=True, timeout=TIMEOUT, check=True)
        code, said = boto3.run(lab, lab.moto_endpoint, lab.moto_url, token_file, "put", job, "object")
        if code:
            print(said, file=sys.stderr)
        results.append(code == 0 and audited(lab.moto_audit, allocation, "issued", job))
        code, said = boto3.run(lab, lab.moto_endpoint, lab.moto_url, token_file, "whoami", job, "object")
        results.append(code == 0 and f"arn:aws:sts::{ACCOUNT}:assumed-role/{job}/" in said)
        if not results[-1]:
            print(said, file=sys.stderr)
    return results


def check_demo(directory):
    """The distribution alone, with nothing of its surroundings set: every step of its demo holds."""
    done = subprocess.run([LAUNCHER, "demo"], env={"PATH": "/usr/bin:/bin", "HOME": f"{directory}/none"},
                          cwd=directory, capture_output=True, text=True, timeout=TIMEOUT)
    held = done.returncode == 0 and "Every step held." in done.stdout
    if not held:
        print(done.stdout, done.stderr, file=sys.stderr)
    return [held]


def check_answers(lab):
    """What else is asked of the distribution: health, metrics, and a bad file told by its line."""
    results = []
    for path, expected in (("/healthz", "ok"), ("/readyz", '"outageBudgetSeconds"'), ("/metrics", "taskrole_leases")):
        with urllib.request.urlopen(lab.admin_url + path, timeout=TIMEOUT) as answer:
            results.append(expected in answer.read().decode())
    bad = lab.write("bad.yaml", "sts: {region: nowhere}\nsts: {}\n")
    done = subprocess.run([LAUNCHER, "check", "--config", bad], capture_output=True, text=True, timeout=TIMEOUT)
    results.append(done.returncode == 2 and f"{bad}:2:1" in done.stdout + done.stderr)
    return results


def document(rows, v, moto):
    mark = {True: "yes", False: "**no**"}
    lines = [
        "# Clients",
        "",
        "Real AWS SDKs, each through its default credential chain with nothing set but",
        "`AWS_CONTAINER_CREDENTIALS_FULL_URI`, `AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE`, `AWS_REGION`,",
        "`AWS_ENDPOINT_URL_S3` and `AWS_EC2_METADATA_DISABLED=true`. `src/interop/run` makes this page:",
        f"SeaweedFS {v['weed']} is STS and S3. It checks signature, audience, expiry and the role's trust in `sub`,",
        "and enforces the role's policy on the PUT.",
        "",
        "- *fetch*: the daemon's audit log has the task's credentials as issued.",
        "- *PUT allowed*, *PUT refused*: into the role's own bucket; into a bucket that another role owns.",
        "- *refresh*: the issuer's key and the token file were rotated under a running client; its next",
        "  load presented the new token and the next PUT went through.",
        "- *message*: what the user of the SDK sees when no rule names the task, and the seconds until then.",
        "",
        "| client | version | fetch | PUT allowed | PUT refused | refresh | message when no rule matches | seconds |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for client, row in rows:
        lines.append(
            f"| {client.name} | {client.version} | {mark[row['fetch']]} | {mark[row['allowed']]} "
            f"| {mark[row['refused']]} | {mark[row['refresh']]} | {told(row['message'])} | {row['seconds']:.1f} |")
    lines += [
        "",
        "The AWS CLI is version 1: version 2 is not published in a package registry, and the 2.9.19 that Debian",
        "packages is older than `AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE`, which version 2 knows from 2.15.0 on.",
        "A CLI command is a process of its own, so its refresh is the next command. SDKs whose message does not",
        "name the reason leave it to the daemon's audit log, which has it with the allocation and the request id.",
        "",
        "What the same SDKs do where a metadata service answers as well, or hangs: [the incident](incident.md).",
        "",
        f"With moto {v['moto']} as STS and S3, which checks no token but answers the whole wire format, boto3 "
        f"fetched and put with a plain rule: {mark[moto[0]]}, and `GetCallerIdentity` named that role: {mark[moto[1]]}; "
        f"with a rule that has a duration, policy ARNs and a session policy: {mark[moto[2]]} and {mark[moto[3]]}.",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
