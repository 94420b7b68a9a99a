package io.taskrole.attest;

import static org.assertj.core.api.Assertions.assertThat;

import io.taskrole.demo.Issuer;
import io.taskrole.testing.Lab;
import io.taskrole.testing.Reply;
import io.taskrole.testing.TestDaemon;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Callers in real network namespaces and cgroups, on this very kernel. Needs root; where it cannot
 * run it says so on standard error.
 */
class CallerLabTest {
  private static final String RULES =
      """
      roles:
        - match: {namespace: payments, job: billing}
          role: arn:aws:iam::123456789012:role/payments-billing
          attest: %s
      """;

  @TempDir Path directory;

  private Lab lab;

  @BeforeEach
  void open() {
    lab = Lab.open();
  }

  @AfterEach
  void close() {
    if (lab != null) {
      lab.close();
    }
  }

  private TestDaemon daemon(String attest) {
    return TestDaemon.startOn(directory, lab.endpoint(), String.format(RULES, attest));
  }

  private static Reply from(TestDaemon test, String namespace, String token) {
    return Lab.askFrom(namespace, host(test), test.address().getPort(), token);
  }

  private static Reply in(TestDaemon test, Path cgroup, String token) {
    return Lab.askIn(cgroup, host(test), test.address().getPort(), token);
  }

  private static String host(TestDaemon test) {
    return test.address().getAddress().getHostAddress();
  }

  /** A task in the bridge's network. */
  private String bridged(Issuer.Token task, int last) {
    lab.namespace(task.allocation(), last);
    return task.running(run -> run.address(lab.address(last))).sign();
  }

  private static void refused(Reply reply) {
    assertThat(reply.code()).as(reply.toString()).isEqualTo("CallerNotAllocation");
    assertThat(reply.status()).isEqualTo(403);
    assertThat(reply.message()).matches("(Job author|Operator): .*");
  }

  private static void served(Reply reply) {
    assertThat(reply.status()).as(reply.toString()).isEqualTo(200);
  }

  @Test
  void bridge_ownNamespaceIsProvenByTheKernel_everyOtherIsRefused() {
    lab.bridge();
    try (TestDaemon test = daemon("kernel")) {
      Issuer.Token victim = test.billing();
      Issuer.Token thief = test.billing();
      String victims = bridged(victim, 2);
      bridged(thief, 3);

      served(from(test, victim.allocation(), victims));
      assertThat(test.audit(1).getFirst()).contains("\"attested\":\"kernel\"");
      refused(from(test, thief.allocation(), victims));
      // A process on the host, a shell for instance.
      refused(test.get(victims));
    }
  }

  @Test
  void bridge_stolenTokenIsRefusedAlsoWhereNothingNeedsToBeProven() {
    lab.bridge();
    try (TestDaemon test = daemon("bearer")) {
      Issuer.Token victim = test.billing();
      Issuer.Token thief = test.billing();
      String victims = bridged(victim, 2);
      bridged(thief, 3);
      String hostMode = test.billing().sign();

      served(from(test, victim.allocation(), victims));
      assertThat(test.audit(1).getFirst()).contains("\"attested\":\"address\"");
      refused(from(test, thief.allocation(), victims));
      refused(test.get(victims));
      // A host-mode task's token, from an address that Nomad gave to another allocation.
      refused(from(test, thief.allocation(), hostMode));
      served(test.get(hostMode));
    }
  }

  @Test
  void bridge_spoofedAddressPassesForTheAddress_butNotForTheKernel() {
    lab.bridge();
    try (TestDaemon test = daemon("address")) {
      Issuer.Token victim = test.billing();
      Issuer.Token thief = test.billing();
      String victims = bridged(victim, 2);
      bridged(thief, 3);
      served(from(test, victim.allocation(), victims));

      // With NET_RAW or NET_ADMIN in its namespace the thief answers for the victim's address.
      Lab.run("ip -n " + thief.allocation() + " addr flush dev eth0");
      Lab.run("ip -n " + thief.allocation() + " addr add " + lab.address(2) + "/24 dev eth0");
      Lab.run("ip -n " + thief.allocation() + " route add default via " + lab.gateway());
      Lab.run("ip -n " + victim.allocation() + " link set eth0 down");
      served(from(test, thief.allocation(), victims));

      test.writeRoles(String.format(RULES, "kernel"));
      test.daemon().reload();
      refused(from(test, thief.allocation(), victims));
    }
  }

  @Test
  void pendingAllocation_isProvenByTheKernelBeforeNomadTellsItsAddress() {
    lab.bridge();
    try (TestDaemon test = daemon("address")) {
      Issuer.Token task = test.billing();
      lab.namespace(task.allocation(), 4);
      String token = task.running(run -> run.status("pending")).sign();
      served(from(test, task.allocation(), token));
      assertThat(test.audit(1).getFirst()).contains("\"attested\":\"kernel\"");
    }
  }

  @Test
  void neighbourOnTheNetwork_isRefusedWhateverItsToken() {
    lab.bridge();
    lab.neighbour("taskrole-lan");
    try (TestDaemon test = daemon("bearer")) {
      String bridged = bridged(test.billing(), 2);
      String hostMode = test.billing().sign();
      served(test.get(hostMode));
      refused(from(test, "taskrole-lan", bridged));
      refused(from(test, "taskrole-lan", hostMode));
    }
  }

  @Test
  void host_ownCgroupIsProvenByTheKernel_everyOtherIsRefused() throws Exception {
    try (TestDaemon test = daemon("kernel")) {
      Issuer.Token one = test.billing();
      Issuer.Token other = test.billing();
      String token = one.sign();
      other.sign();
      Path own = lab.scope(one.allocation(), "server");
      Path strangers = lab.scope(other.allocation(), "e.f:g");

      served(in(test, own, token));
      assertThat(test.audit(1).getFirst()).contains("\"attested\":\"kernel\"");
      refused(in(test, strangers, token));
      // A task that divides its own cgroup.
      Path below = Files.createDirectory(own.resolveSibling("worker"));
      served(in(test, below.resolve("cgroup.procs"), token));
      // This process is in no task's cgroup: nothing is contradicted, and not enough is proven.
      Reply unproven = test.get(token);
      refused(unproven);
      assertThat(unproven.message())
          .startsWith("Operator: lower attest: kernel")
          .contains("proves only bearer");
    }
  }

  @Test
  void hostPeersCgroup_isThatOfTheClient_neverOurOwn() throws Exception {
    try (TestDaemon test = TestDaemon.start(directory)) {
      lab.cgroup2();
      InetSocketAddress from;
      InetSocketAddress to;
      try (Socket client = new Socket(test.address().getAddress(), test.address().getPort())) {
        from = (InetSocketAddress) client.getLocalSocketAddress();
        to = (InetSocketAddress) client.getRemoteSocketAddress();
        assertThat(PeerCgroup.of(from, to)).isPresent();
        assertThat(PeerCgroup.of(from, new InetSocketAddress(to.getAddress(), 1))).isEmpty();
      }
      assertThat(PeerCgroup.of(from, to)).as("a socket that was closed").isEmpty();
    }
  }
}
