"""A node with its network, made of namespaces: bridges, allocations, the local network, and AWS one hop away."""
import os
import re
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
HOME = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(HOME, "src", "interop"))

from processes import TIMEOUT, Child  # noqa: E402

METADATA, METADATA_V6 = "169.254.169.254", "fd00:ec2::254"
ENDPOINT, ENDPOINT_V6 = "169.254.170.23", "fd00:ec2::23"

# The host's own addresses towards AWS and towards the local network, and their other ends.
HOST_AT_AWS, AWS = "10.0.0.10", "10.0.0.1"
HOST_AT_LAN, LAN = "192.168.7.1", "192.168.7.2"
HOST_AT_LAN_BRIDGE, LAN_BRIDGE = "192.168.8.1", "192.168.8.2"


def run(*command, check=True, timeout=TIMEOUT, **options):
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, **options)
    if check and done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stdout}{done.stderr}")
    return done


def ip(words):
    return run("ip", *words.split())


def within(namespace, *command):
    """The command as it runs in a network namespace, seeing the mounts of the lab."""
    return ["nsenter", f"--net=/run/netns/{namespace}", *command]


def within_sys(namespace, *command):
    """The same, with the namespace's own interfaces in /sys."""
    return within(namespace, "unshare", "--mount", "--propagation", "slave", "sh", "-c",
                  'mount -t sysfs sysfs /sys && exec "$@"', "sh", *command)


class Network:
    """Namespaces `host`, `aws`, `lan` and one for each allocation. The lab's mount namespace holds their names, so
    that nothing is left of them when it ends."""

    def __init__(self):
        self.links = 0
        for name in ("host", "aws", "lan"):
            ip(f"netns add {name}")
            ip(f"-n {name} link set lo up")
        self.pair("host", "eth0", "aws", "eth0")
        self.address("host", "eth0", f"{HOST_AT_AWS}/24", "fd00:a::10/64")
        self.address("aws", "eth0", f"{AWS}/24", "fd00:a::1/64")
        self.address("aws", "lo", f"{METADATA}/32", f"{METADATA_V6}/128")
        ip(f"-n host route add {METADATA} dev eth0")
        ip(f"-n host -6 route add {METADATA_V6} via fd00:a::1")
        ip("-n host route add default via 10.0.0.1")
        self.pair("host", "eth1", "lan", "eth0")
        self.address("host", "eth1", f"{HOST_AT_LAN}/24", "fd00:c::1/64")
        self.address("lan", "eth0", f"{LAN}/24", "fd00:c::2/64")
        for setting in ("net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"):
            run(*within("host", "sysctl", "-qw", setting))
        self.allocations = 0

    def pair(self, one, one_name, other, other_name, options=""):
        self.links += 1
        ip(f"link add name l{self.links} netns {one} type veth peer name r{self.links} netns {other}")
        ip(f"-n {one} link set l{self.links} name {one_name} up")
        ip(f"-n {other} link set r{self.links} name {other_name} up")

    @staticmethod
    def address(namespace, link, *addresses):
        for each in addresses:
            ip(f"-n {namespace} address add {each} dev {link}" + (" nodad" if ":" in each else ""))

    def bridge(self, name, net, net_v6):
        """A bridge as CNI or Docker make one; what leaves by AWS's side takes the host's address."""
        ip(f"-n host link add {name} type bridge")
        ip(f"-n host link set {name} up")
        self.address("host", name, f"{net}.1/24", f"{net_v6}::1/64")
        self.masquerade(net)
        ip(f"-n aws -6 route add {net_v6}::/64 via fd00:a::10")

    @staticmethod
    def masquerade(net):
        run(*within("host", "iptables", "-t", "nat", "-A", "POSTROUTING", "-s", f"{net}.0/24", "-o", "eth0",
                    "-j", "MASQUERADE"))

    def allocation(self, name, bridge, net, net_v6):
        """A task's network namespace on a bridge; returns its address."""
        self.allocations += 1
        last = self.allocations + 1
        ip(f"netns add {name}")
        ip(f"-n {name} link set lo up")
        self.pair("host", f"veth{last}", name, "eth0")
        ip(f"-n host link set veth{last} master {bridge}")
        self.address(name, "eth0", f"{net}.{last}/24", f"{net_v6}::{last}/64")
        ip(f"-n {name} route add default via {net}.1")
        ip(f"-n {name} -6 route add default via {net_v6}::1")
        return f"{net}.{last}"

    def lone(self, name, link):
        """A task's network namespace without a bridge, as CNI's ptp makes one."""
        ip(f"netns add {name}")
        ip(f"-n {name} link set lo up")
        self.pair("host", link, name, "eth0")
        self.address("host", link, "10.9.0.1/24")
        self.address(name, "eth0", "10.9.0.2/24")
        ip(f"-n {name} route add default via 10.9.0.1")

    def lan_bridge(self):
        """A bridge of the host that reaches into the local network by a tunnel."""
        for namespace, own, other in (("host", HOST_AT_LAN, LAN), ("lan", LAN, HOST_AT_LAN)):
            ip(f"-n {namespace} link add tunnel type vxlan id 7 local {own} remote {other} dstport 4789")
            ip(f"-n {namespace} link set tunnel up")
        ip("-n host link add br0 type bridge")
        ip("-n host link set br0 up")
        ip("-n host link set tunnel master br0")
        self.address("host", "br0", f"{HOST_AT_LAN_BRIDGE}/24", "fd00:d::1/64")
        self.address("lan", "tunnel", f"{LAN_BRIDGE}/24", "fd00:d::2/64")

    @staticmethod
    def lan_routes(via, via_v6):
        """How the neighbour reaches the host's credential addresses."""
        for address in ("169.254.170.2", ENDPOINT):
            ip(f"-n lan route replace {address} via {via}")
        ip(f"-n lan -6 route replace {ENDPOINT_V6} via {via_v6}")

    @staticmethod
    def count_metadata_packets():
        """Counts what arrives at the metadata service, before anything answers."""
        run(*within("aws", "nft", "-f", "-"), input=f"""
table inet metadata {{
  counter seen {{ }}
  chain arrive {{
    type filter hook prerouting priority filter; policy accept;
    # What says that a packet of the service's own cannot be delivered, to a run before this one, is no question.
    meta l4proto {{ icmp, icmpv6 }} accept
    tcp flags & rst != 0 accept
    ip daddr {METADATA} counter name seen
    ip6 daddr {METADATA_V6} counter name seen
  }}
}}
""")

    @staticmethod
    def metadata_packets():
        said = run(*within("aws", "nft", "list", "counter", "inet", "metadata", "seen")).stdout
        return int(re.search(r"packets (\d+)", said)[1])


class Host:
    """The host with a real systemd, in namespaces of its own, and the units of systemd/ where it looks for them."""

    UNITS = ("taskrole-address.service", "taskrole-guard.service", "taskrole-guard-host.service")

    def __init__(self, directory, home=HOME, etc="", root=""):
        """`home` is /opt/taskrole there and `etc`, if given, /etc/taskrole; with `root` it is a Debian of its own."""
        self.home = home
        self.units = os.path.join(directory, "units")
        self.log = os.path.join(directory, "units.log")
        os.makedirs(os.path.join(self.units, "service.d"))
        self.write("service.d/log.conf", f"[Service]\nStandardOutput=append:{self.log}\nStandardError=append:{self.log}\n")
        for target in ("sysinit", "basic", "sockets", "shutdown", "multi-user", "host"):
            self.write(f"{target}.target", "[Unit]\nDefaultDependencies=no\n")
        # Nomad, as far as the guard sees it.
        self.write("nomad.service", "[Service]\nType=exec\n"
                   "ExecStartPre=/bin/mkdir -p /sys/fs/cgroup/nomad.slice/share.slice\nExecStart=/bin/sleep 3600\n")
        # As Debian's.
        self.write("nftables.service", "[Service]\nType=oneshot\nRemainAfterExit=yes\n"
                   "ExecStart=/usr/sbin/nft flush ruleset\nExecReload=/usr/sbin/nft flush ruleset\n"
                   "ExecStop=/usr/sbin/nft flush ruleset\n")
        for unit in self.UNITS:
            self.enable(unit)
        # Cgroups of the host's own: a part of the machine's, which the host takes for the whole.
        self.cgroups = os.path.join(directory, "cgroup")
        os.mkdir(self.cgroups)
        run("mount", "-t", "cgroup2", "none", self.cgroups)
        self.cgroup = os.path.join(self.cgroups, f"taskrole-lab-{os.getpid()}")
        os.mkdir(self.cgroup)
        self.child = Child(within(
            "host", "sh", "-c",
            f'echo $$ >{self.cgroup}/cgroup.procs && exec unshare --mount --propagation slave --pid --uts --ipc '
            f'--cgroup --fork --kill-child sh "{HERE}/boot" "{home}" "{self.units}" "{etc}" "{root}"'))
        self.pid = self.await_systemd()

    def write(self, name, text):
        with open(os.path.join(self.units, name), "w") as f:
            f.write(text)

    def enable(self, unit):
        """As `systemctl enable` does it: the unit, and a link in the directory of each that wants it."""
        with open(os.path.join(self.home, "systemd", unit)) as f:
            text = f.read()
        self.write(unit, text)
        for other in re.search(r"^WantedBy=(.*)$", text, re.M)[1].split():
            wants = os.path.join(self.units, other + ".wants")
            os.makedirs(wants, exist_ok=True)
            os.symlink(os.path.join("..", unit), os.path.join(wants, unit))

    def await_systemd(self):
        children = f"/proc/{self.child.process.pid}/task/{self.child.process.pid}/children"
        for _ in range(300):
            if self.child.process.poll() is not None:
                break
            with open(children) as f:
                pids = f.read().split()
            if pids:
                self.pid = pids[0]
                if self.systemctl("is-active", "host.target", check=False).stdout.strip() == "active":
                    return pids[0]
            time.sleep(0.1)
        raise RuntimeError("systemd does not start: " + self.child.output())

    def command(self, *command):
        return ["nsenter", "--target", self.pid, "--all", "--root", "--wd", *command]

    def run(self, *command, **options):
        return run(*self.command(*command), **options)

    def systemctl(self, *words, **options):
        return self.run("systemctl", *words, **options)

    def settle(self):
        """Waits for what a command has set going in other units."""
        for _ in range(100):
            if "No jobs" in self.systemctl("list-jobs").stdout:
                return
            time.sleep(0.1)
        raise RuntimeError("systemd does not come to rest")

    def is_active(self, unit):
        return self.systemctl("is-active", unit, check=False).stdout.strip() == "active"

    def in_cgroup(self, path, *command):
        """The command as it runs on the host in a cgroup, which is made."""
        directory = "/sys/fs/cgroup/" + path
        return self.command("sh", "-c", 'mkdir -p "$0" && echo $$ >"$0/cgroup.procs" && exec "$@"', directory, *command)

    def said(self):
        if not os.path.exists(self.log):
            return ""
        with open(self.log) as f:
            return f.read()

    def stop(self):
        # Stopped, units take their temporary directories with them.
        self.systemctl("stop", "taskrole*", check=False)
        # The first process of its namespace takes every other with it.
        os.kill(int(self.pid), signal.SIGKILL)
        self.child.stop()
        for _ in range(50):
            for directory, _, _ in os.walk(self.cgroup, topdown=False):
                try:
                    os.rmdir(directory)
                except OSError:
                    pass
            if not os.path.exists(self.cgroup):
                break
            time.sleep(0.1)
        run("umount", self.cgroups)
