"""Restarts the daemon in every way while callers ask: systemd's restart, SIGKILL, a freeze, and a second instance that
takes over without systemd. Standard library only; run by `restart`."""
import json
import os
import re
import shutil
import signal
import statistics
import sys
import tempfile
import time

from checks import Checks
from network import HOME, Host, ip, run, within
from processes import Child

JDK, DISTRIBUTION, DEBIAN = sys.argv[1:4]
CHOSEN = sys.argv[4:]
PORT, SHARED_PORT = 9171, 9181
RATE, TASKS = 50, 30
TIMES = int(os.environ.get("TIMES", "20"))
WORST = float(os.environ.get("WORST", "1.0"))  # seconds
# Where callers may wait longer than taskrole holds them, they are told to ask again.
ANSWERS = {"200"} if WORST <= 1 else {"200", "503"}
EXPOSURE = 1.2


class Node(Host):
    """The host, with the daemon's own units."""

    UNITS = ("taskrole.socket", "taskrole.service")


class Debian(Host):
    """A host with a file system of its own, in which packages are installed."""

    UNITS = ()


class Lab:
    def __init__(self, directory, check):
        self.directory, self.check = directory, check
        self.children = []
        self.node = None

    def path(self, name):
        return os.path.join(self.directory, name)

    def open(self):
        ip("netns add host")
        ip("-n host link set lo up")
        self.upstream = self.start(within(
            "host", f"{JDK}/bin/java", "-Xmx128m", "-XX:+UseSerialGC", "-cp",
            f"{HOME}/target/bench:{HOME}/target/taskrole.jar:{HOME}/target/lib/*", "Upstream"), "ready ", stdin=True)
        _, self.issuer, self.sts = self.upstream.await_line("ready ").split()
        etc = self.path("etc")
        os.mkdir(etc)
        self.configure(os.path.join(etc, "taskrole.yaml"), "/var/log/taskrole/audit.jsonl")
        with open(os.path.join(etc, "roles.yaml"), "w") as f:
            f.write("roles: [{match: {namespace: default, job: bench}, "
                    'role: "arn:aws:iam::123456789012:role/bench"}]\n')
        self.tokens = self.path("tokens")
        self.upstream.ask(f"tokens {TASKS} {self.tokens}")
        # Where a node has it: the cache knows the jars by their path and time.
        self.node = Node(self.directory, DISTRIBUTION, etc)

    def power_off(self):
        self.node.stop()
        self.node = None

    def configure(self, file, audit, listen=""):
        with open(file, "w") as f:
            f.write(f"{listen}nomad: {{address: \"{self.issuer}\"}}\n"
                    f"sts: {{region: eu-west-1, endpoint: \"{self.sts}\", rate: 1000}}\n"
                    f"audit: {{file: {audit}}}\n")

    def start(self, command, line, **options):
        child = Child(command, **options)
        self.children.append(child)
        child.await_line(line)
        return child

    def load(self, port):
        return self.start(within("host", "python3", os.path.join(os.path.dirname(__file__), "load.py"), str(port),
                                 self.tokens, str(RATE)), "ready", stdin=True)

    @staticmethod
    def result(load):
        return json.loads(load.ask("stop"))

    def close(self):
        for child in reversed(self.children):
            child.stop()
        if self.node:
            self.node.stop()

    # The daemon's unit.
    def show(self, name):
        return self.node.systemctl("show", "--property", name, "--value", "taskrole.service").stdout.strip()

    def main_pid(self):
        """As this machine counts: the daemon's process in the host's namespace is another number there."""
        inner = self.show("MainPID")
        for entry in os.listdir("/proc"):
            try:
                with open(f"/proc/{entry}/status") as f:
                    ids = re.search(r"^NSpid:\t(.*)$", f.read(), re.M)[1].split()
                with open(f"/proc/{entry}/comm") as f:
                    if len(ids) > 1 and ids[-1] == inner and f.read().strip() == "java":
                        return int(entry)
            except (OSError, TypeError):
                continue
        raise RuntimeError("taskrole.service has no process")

    def await_active(self, seconds=20):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.node.is_active("taskrole.service"):
                return True
            time.sleep(0.02)
        return False

    def get(self, token, port=PORT):
        """Status and seconds of one request."""
        said = run(*within("host", "curl", "-s", "-o", self.path("answer"), "-w", "%{http_code} %{time_total}",
                           "--max-time", "20", "-H", f"Authorization: {token}",
                           f"http://127.0.0.1:{port}/v1/credentials"), check=False).stdout.split()
        return int(said[0]), float(said[1])


def resident(pid):
    with open(f"/proc/{pid}/status") as f:
        return int(re.search(r"VmRSS:\s+(\d+)", f.read())[1]) / 1024


def clean(result, may_be_cut=0):
    """Whether every request had its answer."""
    return (result["refused"] == 0 and result["silent"] == 0 and result["cut"] <= may_be_cut and
            "200" in result["statuses"] and set(result["statuses"]) <= ANSWERS and result["worst"] < WORST)


def told(result):
    return (f"{result['sent']} requests, {result['refused']} refused, {result['cut']} cut, {result['silent']} without "
            f"an answer, statuses {result['statuses']}, worst wait {result['worst']:.2f} s")


def units(lab):
    check = lab.check
    for unit in sorted(os.listdir(f"{HOME}/systemd")):
        if unit.endswith((".service", ".socket")):
            done = lab.node.run("systemd-analyze", "verify", f"/opt/taskrole/systemd/{unit}", check=False)
            check(f"systemd-analyze verify {unit}", done.returncode == 0 and not done.stderr, done.stderr.strip())
    said = run("systemd-analyze", "security", "--offline=true", f"{HOME}/systemd/taskrole.service").stdout
    exposure = float(re.search(r"exposure level for \S+: ([\d.]+)", said)[1])
    check(f"exposure of taskrole.service at most {EXPOSURE}", exposure <= EXPOSURE, str(exposure))


def first_start(lab):
    check, node = lab.check, lab.node
    node.systemctl("start", "taskrole.socket")
    with open(lab.tokens) as f:
        token = f.readline().strip()
    begun = time.monotonic()
    status, waited = lab.get(token)
    # Unlike later starts, this one reads everything from disk.
    check("the first connection starts the daemon, and is answered", status in (200, 503), f"{status}, {waited:.2f} s")
    active = lab.await_active()
    status, _ = lab.get(token)
    check("it is told to be ready", active and "ready credentials=" in lab.show("StatusText"), lab.show("StatusText"))
    if not active or status != 200:
        print(node.said(), node.child.output(), sep="\n", flush=True)
        raise RuntimeError("taskrole.service does not start")
    check("it serves the second address of the socket too", "169.254.170.23:9171" in lab.show("StatusText"))
    spent = []
    for _ in range(5):
        node.systemctl("stop", "taskrole.service")
        begun = time.monotonic()
        status, _ = lab.get(token)
        spent.append(time.monotonic() - begun)
        lab.await_active()
    check(f"from start to first credential at most {WORST} s", max(spent) <= WORST,
          f"median {statistics.median(spent):.2f} s, most {max(spent):.2f} s")
    pid = lab.main_pid()
    with open(f"/proc/{pid}/status") as f:
        text = f.read()
    capabilities = re.search(r"CapBnd:\s*(\w+)", text)[1] + re.search(r"CapEff:\s*(\w+)", text)[1]
    uid = int(re.search(r"Uid:\s*(\d+)", text)[1])
    check("it runs without root and without any capability", uid != 0 and int(capabilities, 16) == 0, f"uid {uid}")
    seen = sorted(os.listdir(f"/proc/{pid}/root"))
    check("it sees no home, no shell, no other program",
          not {"home", "bin", "sbin"} & set(seen) and not os.path.exists(f"/proc/{pid}/root/usr/bin"), " ".join(seen))
    time.sleep(20)
    print(f"      resident memory {resident(pid):.0f} MB after 20 s")


def reload(lab):
    before = lab.main_pid()
    lab.node.systemctl("reload", "taskrole.service")
    time.sleep(0.5)
    lab.check("reload: SIGHUP reaches it, and it goes on", lab.main_pid() == before and
              "reload asked for" in lab.node.said(), "")


def restarts(lab):
    load = lab.load(PORT)
    time.sleep(2)
    for _ in range(TIMES):
        lab.node.systemctl("restart", "taskrole.service")
        time.sleep(0.5)
    result = lab.result(load)
    lab.check(f"{TIMES} restarts under load: 0 refused, 0 cut, 0 other than 200, each within {WORST} s", clean(result),
              told(result))


def kills(lab):
    restarted = int(lab.show("NRestarts"))
    load = lab.load(PORT)
    time.sleep(2)
    for _ in range(TIMES):
        os.kill(lab.main_pid(), signal.SIGKILL)
        time.sleep(0.1)
        lab.await_active()
        time.sleep(0.5)
    result = lab.result(load)
    # What the killed process held in its hands is lost with it; an SDK asks again.
    lab.check(f"{TIMES} SIGKILLs under load: 0 refused, 0 other than 200, at most one cut for each, each within {WORST} s",
              clean(result, TIMES), told(result))
    again = int(lab.show("NRestarts")) - restarted
    lab.check("systemd started it again each time", again == TIMES, str(again))


def freeze(lab):
    pid = lab.main_pid()
    os.kill(pid, signal.SIGSTOP)
    begun = time.monotonic()
    while os.path.exists(f"/proc/{pid}") and time.monotonic() - begun < 40:
        time.sleep(0.1)
    spent = time.monotonic() - begun
    active = lab.await_active()
    with open(lab.tokens) as f:
        status, _ = lab.get(f.readline().strip())
    lab.check("a frozen daemon is ended by the watchdog, and the next one serves", active and status == 200,
              f"after {spent:.0f} s")


def mistake(lab):
    """A configuration that is refused: callers wait, nothing is refused, and the mended file is taken by itself."""
    file = lab.path("etc/taskrole.yaml")
    with open(file) as f:
        good = f.read()
    with open(file, "w") as f:
        f.write(good.replace("region:", "regoin:"))
    before = lab.node.said().count("regoin")
    lab.node.systemctl("restart", "taskrole.service", check=False)
    time.sleep(5)
    tries = lab.node.said().count("unknown key") - before
    with open(file, "w") as f:
        f.write(good)
    with open(lab.tokens) as f:
        token = f.readline().strip()
    status, waited = lab.get(token)
    lab.check("a configuration with a mistake: tried at leisure, callers wait, the mended one is taken", status == 200
              and lab.await_active(), f"{tries} tries in 5 s, then {waited:.1f} s")
    lab.check("and the log names file and line", re.search(r"taskrole\.yaml:\d+:\d+: .*regoin", lab.node.said()) is not None)


def hand_over(lab):
    """Two instances outside systemd, as Nomad would run them."""
    configs = []
    for name in ("blue", "green"):
        config = lab.path(f"etc/{name}.yaml")
        lab.configure(config, lab.path(f"{name}.jsonl"),
                      f'listen: {{credentials: ["127.0.0.1:{SHARED_PORT}"], admin: "127.0.0.1:9182", reuse-port: true}}\n')
        configs.append(config)
    launcher = os.path.join(DISTRIBUTION, "taskrole")

    def instance(config):
        return lab.start(within("host", launcher, "agent", "--config", config), "ready ")

    with open(configs[0]) as f:
        text = f.read()
    with open(configs[0].replace("blue", "roles-of-both"), "w") as f:
        f.write(text)
    serving = instance(configs[0])
    load = lab.load(SHARED_PORT)
    time.sleep(2)
    for i in range(TIMES):
        successor = instance(configs[(i + 1) % 2])
        os.kill(serving.process.pid, signal.SIGTERM)
        code = serving.finish()
        if code:
            raise RuntimeError(f"exit code {code}:\n" + serving.output())
        serving = successor
    result = lab.result(load)
    lab.check(f"{TIMES} hand-overs without systemd: 0 refused, 0 cut, 0 other than 200, each within {WORST} s",
              clean(result), told(result))
    serving.stop()


def upgrade(lab):
    """The Debian package on a host of its own: installed, upgraded and back under load, purged."""
    check = lab.check
    shared = lab.path("debian")
    root = lab.path("root")
    os.mkdir(shared)
    run("cp", "-a", DEBIAN, root)
    packages = os.path.dirname(DISTRIBUTION)
    name = next(each for each in os.listdir(packages) if each.endswith(".deb"))
    version = name.split("_")[1]
    first = shutil.copy(os.path.join(packages, name), shared)
    unpacked = lab.path("next")
    os.mkdir(unpacked)
    run("tar", "-xzf", DISTRIBUTION + ".tar.gz", "-C", unpacked)
    shutil.copy(DISTRIBUTION + ".cdx.json", unpacked)
    built = run(f"{HOME}/src/dist/deb/build", os.path.join(unpacked, os.path.basename(DISTRIBUTION)), version + "+1",
                timeout=300).stdout.split()[-1]
    second = shutil.copy(built, shared)
    lab.power_off()
    node = lab.node = Debian(shared, root=root)

    def dpkg(*words):
        return node.run("env", "DEBIAN_FRONTEND=noninteractive", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "dpkg", *words,
                        timeout=120)

    said = dpkg("--install", first).stdout
    check("package: says what to do next, and starts nothing", "taskrole: complete /etc/taskrole/taskrole.yaml" in said and
          not node.is_active("taskrole.socket"))
    lab.configure(os.path.join(root, "etc/taskrole/taskrole.yaml"), "/var/log/taskrole/audit.jsonl")
    shutil.copy(lab.path("etc/roles.yaml"), os.path.join(root, "etc/taskrole/roles.yaml"))
    node.systemctl("enable", "--now", "taskrole.socket", "taskrole.service")
    check("package: runs once it is configured and enabled", lab.await_active())
    sockets = node.systemctl("show", "--property", "ActiveEnterTimestampMonotonic", "taskrole.socket").stdout
    load = lab.load(PORT)
    time.sleep(2)
    before = lab.show("MainPID")
    for package in (second, first, second):
        dpkg("--install", package)
        time.sleep(1)
    after = lab.show("MainPID")
    result = lab.result(load)
    check(f"package: upgraded, back and upgraded under load: 0 refused, 0 cut, 0 other than 200, each within {WORST} s",
          clean(result), told(result))
    check("package: the daemon was restarted, the socket was not", before != after and sockets == node.systemctl(
        "show", "--property", "ActiveEnterTimestampMonotonic", "taskrole.socket").stdout)
    dpkg("--purge", "taskrole")
    check("package: purged, nothing runs and nothing is left",
          not node.is_active("taskrole.socket") and not node.is_active("taskrole.service") and
          not any(os.path.exists(os.path.join(root, each)) for each in
                  ("usr/lib/taskrole", "usr/bin/taskrole", "etc/taskrole", "usr/lib/systemd/system/taskrole.socket")))


STEPS = (units, first_start, reload, restarts, kills, freeze, mistake, hand_over, upgrade)


def main():
    check = Checks()
    with tempfile.TemporaryDirectory(prefix="taskrole-restart-") as directory:
        lab = Lab(directory, check)
        try:
            lab.open()
            for step in STEPS:
                if not CHOSEN or step.__name__ in CHOSEN:
                    step(lab)
        except Exception:
            if lab.node:
                print(lab.node.systemctl("status", "--full", "taskrole.service", check=False).stdout,
                      lab.node.said()[-4000:], lab.node.child.output()[-2000:], sep="\n", flush=True)
            raise
        finally:
            lab.close()
    print(f"restart: {check.passed} passed, {check.failed} failed")
    return 1 if check.failed else 0


if __name__ == "__main__":
    sys.exit(main())
