"""Tries the address and guard units: who reaches the metadata service and the credential addresses, before, with and
after them. Standard library only; run by `guard`."""
import os
import re
import signal
import sys
import tempfile
import threading
import time
import uuid

from checks import Checks
from network import (ENDPOINT, ENDPOINT_V6, HERE, HOME, HOST_AT_LAN, HOST_AT_LAN_BRIDGE, METADATA, METADATA_V6,
                     Host, Network, ip, run, within)
from processes import Child

TIMES = 16
FAST = 50  # milliseconds
PORT = 9171
ALLOCATION = str(uuid.uuid4())
NOMAD, NOMAD_V6 = "172.26.64", "fd00:b:0:1"
DOCKER, DOCKER_V6 = "172.18.0", "fd00:b:0:2"
SCOPE = f"nomad.slice/share.slice/{ALLOCATION}.server.scope"
CONFIGURED = "/etc/taskrole/guard.d"


class Lab:
    def __init__(self, directory, check):
        self.directory, self.check = directory, check
        self.children = []
        self.host = None

    def open(self):
        self.network = Network()
        self.network.bridge("nomad", NOMAD, NOMAD_V6)
        self.network.bridge("br-4f1c2a", DOCKER, DOCKER_V6)
        self.network.allocation(ALLOCATION, "nomad", NOMAD, NOMAD_V6)
        self.network.allocation("docker", "br-4f1c2a", DOCKER, DOCKER_V6)
        self.network.lone("ptp", "cali7")
        self.network.lan_bridge()
        self.network.count_metadata_packets()
        # AWS knows the way back to tasks that no rule of a bridge hides behind the host.
        ip("-n aws route add 10.9.0.0/24 via 10.0.0.10")
        for name, text in (("hops", "64"), ("keys", "{}")):
            with open(os.path.join(self.directory, name), "w") as f:
                f.write(text)
        self.start(within("aws", "python3", f"{HERE}/metadata.py", os.path.join(self.directory, "hops"),
                          os.path.join(self.directory, "keys")))
        self.host = Host(self.directory)

    def start(self, command):
        child = Child(command)
        self.children.append(child)
        child.await_line("ready")
        return child

    def close(self):
        for child in self.children:
            child.stop()
        if self.host:
            self.host.stop()

    # Who asks.
    def task(self, *command):
        return within(ALLOCATION, *command)

    def host_task(self, *command):
        return self.host.in_cgroup(SCOPE, *command)

    def agent(self, *command):
        return self.host.in_cgroup("system.slice/agent.service", *command)

    @staticmethod
    def docker(*command):
        return within("docker", *command)

    @staticmethod
    def ptp(*command):
        return within("ptp", *command)

    @staticmethod
    def lan(*command):
        return within("lan", *command)

    # What is asked.
    @staticmethod
    def probe(who, address, port, times=1, seconds=1.0):
        """Each connection's outcome and milliseconds."""
        said = run(*who("python3", f"{HERE}/probe.py", str(times), str(seconds), address, str(port))).stdout
        return [(line.split()[0], float(line.split()[1])) for line in said.splitlines()]

    def expect(self, what, who, address, outcome, port=80):
        # What is answered may take a neighbour's discovery first, and so a second.
        seen = self.probe(who, address, port, seconds=1 if outcome == "silence" else 5)
        self.check(what, [each for each, _ in seen] == [outcome], " ".join(f"{o} {ms:.1f} ms" for o, ms in seen))

    def is_reset(self, what, who, address, times=TIMES):
        """Every one of many connections is reset, and none takes long."""
        seen = self.probe(who, address, 80, times, 3)
        slowest = max(ms for _, ms in seen)
        resets = sum(each == "reset" for each, _ in seen)
        self.check(what, resets == times and slowest < FAST, f"{resets} of {times} reset, the slowest in {slowest:.2f} ms")

    def everywhere(self, when, outcome):
        """Both metadata addresses, from every kind of task."""
        for who, name in ((self.task, "task behind Nomad's bridge"), (self.docker, "task behind a bridge of another name"),
                          (self.host_task, "task with the host's network")):
            for address in (METADATA, METADATA_V6):
                what = f"{when}: {name}, {address}: {outcome}"
                if outcome == "reset":
                    self.is_reset(what, who, address)
                else:
                    self.expect(what, who, address, outcome)


def verified(check):
    for unit in Host.UNITS:
        done = run("systemd-analyze", "verify", f"{HOME}/systemd/{unit}", check=False)
        check(f"systemd-analyze verify {unit}", done.returncode == 0 and not done.stderr, done.stderr.strip())


def addresses(lab):
    host, check = lab.host, lab.check

    def held():
        return set(re.findall(r"inet6? (169\.254\.170\.\d+/32|fd00:ec2::23/128)",
                              host.run("ip", "address", "show").stdout))

    expected = {"169.254.170.2/32", f"{ENDPOINT}/32", f"{ENDPOINT_V6}/128"}
    check("address: before, none", not held())
    host.systemctl("start", "taskrole-address")
    check("address: started, all three", held() == expected, ", ".join(sorted(held())))
    link = host.run("ip", "-brief", "address", "show", "to", f"{ENDPOINT}/32").stdout.split()[0]
    has_dummy = host.run("ip", "link", "add", "probe", "type", "dummy", check=False).returncode == 0
    if has_dummy:
        host.run("ip", "link", "delete", "probe")
    check("address: on a link of its own where the kernel has dummy links, else on lo",
          link == ("taskrole0" if has_dummy else "lo"), f"{link}; dummy links: {has_dummy}")
    repeated = host.run("/opt/taskrole/systemd/address", "up", check=False)
    check("address: `up` again changes nothing", repeated.returncode == 0 and held() == expected, repeated.stderr.strip())
    host.systemctl("stop", "taskrole-address")
    check("address: stopped, none", not held() and not host.is_active("taskrole-address"))
    repeated = host.run("/opt/taskrole/systemd/address", "down", check=False)
    check("address: `down` again changes nothing", repeated.returncode == 0 and not held(), repeated.stderr.strip())

    # The other way round: a link of its own where the kernel has none, none where it has.
    stand_in = os.path.join(lab.directory, "ip")
    instead = "exit 2" if has_dummy else 'exec /sbin/ip link add "$3" type ifb'
    with open(stand_in, "w") as f:
        f.write(f'#!/bin/sh\ncase "$*" in *dummy*) {instead} ;; esac\nexec /sbin/ip "$@"\n')
    os.chmod(stand_in, 0o755)
    path = f"PATH={lab.directory}:/usr/sbin:/usr/bin:/sbin:/bin"
    host.run("env", path, "/opt/taskrole/systemd/address", "up")
    link = host.run("ip", "-brief", "address", "show", "to", f"{ENDPOINT}/32").stdout.split()[0]
    check("address: and the other way round, as if the kernel were the other", held() == expected and
          link == ("lo" if has_dummy else "taskrole0"), link)
    host.run("env", path, "/opt/taskrole/systemd/address", "down")
    check("address: which `down` undoes too", not held() and "taskrole0" not in host.run("ip", "link").stdout)

    # A host without IPv6.
    ip("netns add plain")
    ip("-n plain link set lo up")
    run(*within("plain", "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1"))
    plain = run(*within("plain", f"{HOME}/systemd/address", "up"), check=False)
    seen = run(*within("plain", "ip", "address", "show")).stdout
    check("address: without IPv6 the others are there, and it succeeds",
          plain.returncode == 0 and ENDPOINT in seen and ENDPOINT_V6 not in seen, plain.stdout.strip().replace("\n", "; "))
    host.systemctl("start", "taskrole-address")


def reach(lab, when, lan):
    """The credential addresses: always from this host and its bridges; `lan` says what a neighbour gets."""
    for address in ("169.254.170.2", ENDPOINT, ENDPOINT_V6):
        lab.expect(f"{when}: task behind Nomad's bridge asks {address}: 200", lab.task, address, "200", PORT)
    lab.expect(f"{when}: task behind a bridge of another name asks {ENDPOINT}: 200", lab.docker, ENDPOINT, "200", PORT)
    lab.expect(f"{when}: task with the host's network asks {ENDPOINT}: 200", lab.host_task, ENDPOINT, "200", PORT)
    lab.expect(f"{when}: task with the host's network asks {ENDPOINT_V6}: 200", lab.host_task, ENDPOINT_V6, "200", PORT)
    for name, via, via_v6 in (("neighbour on the local network", HOST_AT_LAN, "fd00:c::1"),
                              ("neighbour behind a bridge with a tunnel in it", HOST_AT_LAN_BRIDGE, "fd00:d::1")):
        lab.network.lan_routes(via, via_v6)
        for address in ("169.254.170.2", ENDPOINT, ENDPOINT_V6):
            lab.expect(f"{when}: {name} asks {address}: {lan}", lab.lan, address, lan, PORT)


def tables(lab):
    return lab.host.run("nft", "list", "tables").stdout


def others(lab):
    """What Docker, CNI and iptables do to their own tables."""
    host = lab.host
    filters = ("*filter\n:INPUT ACCEPT [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n:DOCKER-USER - [0:0]\n"
               ":CNI-FORWARD - [0:0]\n:NOMAD-ADMIN - [0:0]\n-A FORWARD -j DOCKER-USER\n-A FORWARD -j CNI-FORWARD\n"
               "-A DOCKER-USER -j ACCEPT\n-A CNI-FORWARD -j NOMAD-ADMIN\n-A NOMAD-ADMIN -j ACCEPT\nCOMMIT\n")
    host.run("iptables-restore", input=filters)
    lab.is_reset("beside others: iptables-restore, whose chains accept everything", lab.task, METADATA)
    host.run("iptables-restore", input=filters.replace(":FORWARD DROP", ":FORWARD ACCEPT"))
    lab.is_reset("beside others: iptables-restore again", lab.task, METADATA)
    lab.is_reset("beside others: the same, task with the host's network", lab.host_task, METADATA)
    host.run("iptables", "-F")
    host.run("iptables", "-X")
    lab.is_reset("beside others: iptables -F, -X", lab.task, METADATA)
    host.run("nft", "flush", "table", "ip", "filter")
    host.run("nft", "delete", "table", "ip", "filter")
    lab.is_reset("beside others: nft flush and delete of their table", lab.task, METADATA)
    host.run("nft", "add table inet other; add chain inet other accepting "
             "{ type filter hook forward priority -300; policy accept; }; add rule inet other accepting accept")
    lab.is_reset("beside others: a chain that accepts earlier", lab.task, METADATA)
    host.run("nft", "delete", "table", "inet", "other")

    # Debian's nftables.service flushes everything. Started beside an active guard it does away with it, which systemd
    # cannot mend; whatever happens to it afterwards brings the guard along.
    host.systemctl("start", "nftables")
    host.systemctl("restart", "taskrole-guard")
    for verb in ("reload", "restart", "stop", "start"):
        host.systemctl(verb, "nftables")
        host.settle()
        if verb != "stop":
            lab.is_reset(f"beside others: {verb} of nftables.service, which flushes everything", lab.task, METADATA)
            lab.is_reset(f"beside others: the same, {verb}, task with the host's network", lab.host_task, METADATA)
    for net in (NOMAD, DOCKER):
        lab.network.masquerade(net)


def reload(lab):
    """While the guard is loaded again and again, nothing gets through."""
    lab.expect("reload: before, a network without a bridge cannot ask", lab.ptp, ENDPOINT, "silence", PORT)
    os.makedirs(CONFIGURED, exist_ok=True)
    with open(f"{CONFIGURED}/ptp.nft", "w") as f:
        f.write('redefine task_interfaces = { "lo", "cali*" }\n')
    lab.host.systemctl("reload", "taskrole-guard")
    lab.expect("reload: named by the operator, it can", lab.ptp, ENDPOINT, "200", PORT)
    lab.is_reset("reload: and not reach the metadata service", lab.ptp, METADATA)

    seen = []
    asking = threading.Thread(target=lambda: seen.extend(lab.probe(lab.task, METADATA, 80, 60000, 1)))
    before = lab.network.metadata_packets()
    asking.start()
    reloads = 0
    while asking.is_alive() and reloads < 25:
        lab.host.systemctl("reload", "taskrole-guard")
        reloads += 1
    asking.join()
    through = lab.network.metadata_packets() - before
    lab.check("reload: nothing gets through while it happens", reloads >= 3 and through == 0 and
              all(outcome == "reset" for outcome, _ in seen), f"{reloads} reloads, {len(seen)} resets, {through} packets")

    with open(f"{CONFIGURED}/ptp.nft", "w") as f:
        f.write("redefine task_interfaces = { oops\n")
    mistaken = lab.host.systemctl("reload", "taskrole-guard", check=False)
    lab.check("reload: a mistake is told", mistaken.returncode != 0)
    lab.is_reset("reload: and changes nothing", lab.task, METADATA)
    lab.expect("reload: nothing at all", lab.ptp, ENDPOINT, "200", PORT)
    os.remove(f"{CONFIGURED}/ptp.nft")
    lab.host.systemctl("restart", "taskrole-guard")
    lab.expect("restart: with the file gone, as before", lab.ptp, ENDPOINT, "silence", PORT)


def await_host_part(lab, seconds=8):
    end = time.monotonic() + seconds
    while time.monotonic() < end and not lab.host.is_active("taskrole-guard-host"):
        time.sleep(0.1)
    return lab.host.is_active("taskrole-guard-host")


def attempt(lab):
    check, host = lab.check, lab.host
    verified(check)
    addresses(lab)
    lab.start(within("host", "python3", f"{HERE}/endpoint.py", str(PORT)))

    lab.everywhere("before", "200")
    reach(lab, "before", "200")
    run(*host.in_cgroup(SCOPE, "true"))
    run(*host.command("sh", "-c", "rmdir -p /sys/fs/cgroup/" + SCOPE), check=False)

    host.systemctl("start", "taskrole-guard")
    time.sleep(0.5)
    check("without Nomad's cgroup: the guard is active all the same", host.is_active("taskrole-guard"))
    check("without Nomad's cgroup: its part for host-mode tasks is not, and is tried again",
          host.systemctl("is-active", "taskrole-guard-host", check=False).stdout.strip() == "activating")
    lab.is_reset("without Nomad's cgroup: task behind Nomad's bridge", lab.task, METADATA)
    host.systemctl("start", "nomad")
    check("Nomad starts: the part for host-mode tasks comes by itself", await_host_part(lab))

    before = lab.network.metadata_packets()
    lab.everywhere("guard", "reset")
    through = lab.network.metadata_packets() - before
    check("guard: no packet of these arrived at the metadata service", through == 0, f"{through} packets")
    for address in (METADATA, METADATA_V6):
        lab.expect(f"guard: the host's own process asks {address}: 200", lab.agent, address, "200")
    reach(lab, "guard", "silence")
    lab.expect("guard: the neighbour still reaches the host itself", lab.lan, HOST_AT_LAN, "reset", 1)

    others(lab)
    reload(lab)

    check("restart: the part for host-mode tasks came with it", await_host_part(lab))
    lab.is_reset("restart: task with the host's network", lab.host_task, METADATA)
    host.systemctl("stop", "nomad")
    lab.is_reset("Nomad stops: its tasks go on, and so does the guard", lab.host_task, METADATA)
    run(*host.command("find", "/sys/fs/cgroup/nomad.slice", "-depth", "-type", "d", "-exec", "rmdir", "{}", ";"))
    host.systemctl("start", "nomad")
    await_host_part(lab)
    lab.is_reset("Nomad starts with a cgroup made anew", lab.host_task, METADATA)

    host.systemctl("stop", "taskrole-guard")
    check("stopped: no table is left", "taskrole" not in tables(lab), tables(lab).replace("\n", "; "))
    lab.everywhere("stopped", "200")
    reach(lab, "stopped", "200")
    host.systemctl("stop", "taskrole-address")
    check("stopped: no address is left", ENDPOINT not in host.run("ip", "address").stdout)


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    check = Checks()
    made = not os.path.exists("/etc/taskrole")
    os.makedirs("/etc/taskrole", exist_ok=True)
    run("mount", "-t", "tmpfs", "tmpfs", "/etc/taskrole")
    with tempfile.TemporaryDirectory(prefix="taskrole-guard-") as directory:
        lab = Lab(directory, check)
        try:
            lab.open()
            attempt(lab)
        except Exception:
            if lab.host:
                print(lab.host.said(), file=sys.stderr)
            raise
        finally:
            lab.close()
            run("umount", "/etc/taskrole")
            if made:
                os.rmdir("/etc/taskrole")
    print(f"guard: {check.passed} passed, {check.failed} failed")
    return 1 if check.failed else 0


if __name__ == "__main__":
    sys.exit(main())
