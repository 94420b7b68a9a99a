package io.taskrole.testing;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import org.opentest4j.TestAbortedException;

/**
 * A node's network and cgroups as Nomad makes them, on this very machine and gone afterwards: a
 * bridge with network namespaces named after allocations, a neighbour beyond the host, cgroups
 * named after tasks. Needs root, iproute2 and bash.
 */
public final class Lab implements AutoCloseable {
  private static final String MISSING =
      "NOT PROVEN HERE: the kernel's word on callers needs root, ip and bash: ";

  private final Deque<String> undo = new ArrayDeque<>();
  private final String tag;
  private final int net;
  private final List<Path> cgroups = new ArrayList<>();

  private Lab() {
    int random = ThreadLocalRandom.current().nextInt(1, 200);
    tag = "tr" + random;
    net = random;
  }

  /** Makes a lab; aborts the test, and says so loudly, where that cannot be done. */
  public static Lab open() {
    String user = System.getProperty("user.name");
    String missing =
        !user.equals("root")
            ? "this is " + user
            : !has("ip") ? "ip is missing" : !has("bash") ? "bash is missing" : "";
    if (!missing.isEmpty()) {
      System.err.println(MISSING + missing);
      throw new TestAbortedException(MISSING + missing);
    }
    return new Lab();
  }

  private static boolean has(String command) {
    return List.of("/usr/sbin/", "/sbin/", "/usr/bin/", "/bin/").stream()
        .anyMatch(path -> Files.isExecutable(Path.of(path + command)));
  }

  /** The address of the bridge: the host, as an allocation sees it. */
  public String gateway() {
    return "10.77." + net + ".1";
  }

  /** An address of the host's own for the endpoint, link-local as Nomad tasks are to use it. */
  public String endpoint() {
    String address = "169.254.77." + net;
    run("ip addr add " + address + "/32 dev lo");
    undo.push("ip addr del " + address + "/32 dev lo");
    return address;
  }

  /** An address of the bridge's network. */
  public String address(int last) {
    return "10.77." + net + "." + last;
  }

  /** A bridge, as Nomad's CNI configuration makes one. */
  public void bridge() {
    String bridge = tag + "br";
    run("ip link add " + bridge + " type bridge");
    undo.push("ip link del " + bridge);
    run("ip addr add " + gateway() + "/24 dev " + bridge);
    run("ip link set " + bridge + " up");
  }

  /** A network namespace on the bridge, named as Nomad names an allocation's. */
  public void namespace(String name, int last) {
    String link = tag + "v" + last;
    run("ip netns add " + name);
    undo.push("ip netns del " + name);
    run("ip link add " + link + " type veth peer name eth0 netns " + name);
    run("ip link set " + link + " master " + tag + "br up");
    run("ip -n " + name + " addr add " + address(last) + "/24 dev eth0");
    run("ip -n " + name + " link set eth0 up");
    run("ip -n " + name + " link set lo up");
    run("ip -n " + name + " route add default via " + gateway());
  }

  /** A host beside this one, on a network of its own that leads here. */
  public void neighbour(String name) {
    String link = tag + "lan";
    run("ip netns add " + name);
    undo.push("ip netns del " + name);
    run("ip link add " + link + " type veth peer name eth0 netns " + name);
    undo.push("ip link del " + link);
    run("ip addr add 10.78." + net + ".1/24 dev " + link);
    run("ip link set " + link + " up");
    run("ip -n " + name + " addr add 10.78." + net + ".2/24 dev eth0");
    run("ip -n " + name + " link set eth0 up");
    run("ip -n " + name + " route add default via 10.78." + net + ".1");
  }

  /** Where cgroup v2 is mounted, mounting it where only version 1 is. */
  public Path cgroup2() {
    try {
      for (String line : Files.readAllLines(Path.of("/proc/self/mountinfo"))) {
        if (line.contains(" - cgroup2 ")) {
          return Path.of(line.split(" ", -1)[4]);
        }
      }
      Path mount = Files.createTempDirectory("cgroup2-");
      run("mount -t cgroup2 none " + mount);
      undo.push("rmdir " + mount);
      undo.push("umount " + mount);
      return mount;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** A task's cgroup as Nomad makes it; returns the file that takes processes. */
  public Path scope(String allocation, String task) {
    Path scope =
        cgroup2().resolve("nomad.slice/share.slice").resolve(allocation + "." + task + ".scope");
    try {
      Files.createDirectories(scope);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    cgroups.add(scope);
    return scope.resolve("cgroup.procs");
  }

  /** Asks the endpoint from a namespace by bash alone; the answer as it came. */
  public static Reply askFrom(String namespace, String host, int port, String token) {
    return reply(
        List.of("ip", "netns", "exec", namespace, "bash", "-c", script(host, port, token)));
  }

  /** Asks the endpoint from a process in a cgroup. */
  public static Reply askIn(Path cgroupProcs, String host, int port, String token) {
    return reply(
        List.of("bash", "-c", "echo $$ > " + cgroupProcs + "; " + script(host, port, token)));
  }

  private static String script(String host, int port, String token) {
    return String.format(
        Locale.ROOT,
        "exec 3<>/dev/tcp/%s/%d && printf 'GET /v1/credentials HTTP/1.1\\r\\nHost: %s:%d\\r\\n"
            + "Authorization: %s\\r\\nConnection: close\\r\\n\\r\\n' >&3 && exec timeout 5 cat <&3",
        host,
        port,
        host,
        port,
        token);
  }

  private static Reply reply(List<String> command) {
    return Reply.parse(output(command));
  }

  /** Runs a command of the lab; fails the test with what it said when it fails. */
  public static void run(String command) {
    String said = output(List.of("bash", "-c", command + " || echo FAILED"));
    if (said.contains("FAILED")) {
      throw new AssertionError(command + ": " + said);
    }
  }

  private static String output(List<String> command) {
    try {
      Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
      process.getOutputStream().close();
      String said =
          new String(process.getInputStream().readAllBytes(), StandardCharsets.ISO_8859_1);
      if (!process.waitFor(10, TimeUnit.SECONDS)) {
        process.destroyForcibly();
      }
      return said;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(e);
    }
  }

  @Override
  public void close() {
    for (Path scope : cgroups) {
      removeTree(scope);
    }
    cgroups.stream()
        .findFirst()
        .ifPresent(scope -> {
          // Only what is empty by now: a real Nomad's cgroups stay.
          removeIfEmpty(scope.getParent());
          removeIfEmpty(scope.getParent().getParent());
        });
    while (!undo.isEmpty()) {
      output(List.of("bash", "-c", undo.pop()));
    }
  }

  private static void removeTree(Path cgroup) {
    try (DirectoryStream<Path> below = Files.newDirectoryStream(cgroup, Files::isDirectory)) {
      below.forEach(Lab::removeTree);
    } catch (IOException e) {
      return;
    }
    removeIfEmpty(cgroup);
  }

  private static void removeIfEmpty(Path directory) {
    output(List.of("rmdir", directory.toString()));
  }
}
