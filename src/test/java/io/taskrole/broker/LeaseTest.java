package io.taskrole.broker;

import static org.assertj.core.api.Assertions.assertThat;

import io.taskrole.identity.AllocationId;
import io.taskrole.policy.Grant;
import io.taskrole.policy.RoleArn;
import io.taskrole.policy.SessionName;
import io.taskrole.secret.Secret;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;
import org.junit.jupiter.api.Test;

class LeaseTest {
  private final Secret key = Secret.of("secret key");
  private final Lease lease = lease(key);

  private static Lease lease(Secret key) {
    AllocationId allocation = new AllocationId("b3f1c0de-7a4e-4b61-9c2d-5f0a8e6d1b42");
    Grant grant =
        new Grant(
            RoleArn.parse("arn:aws:iam::123456789012:role/a").orElseThrow(),
            Duration.ofHours(1),
            Optional.empty(),
            List.of(),
            Optional.empty());
    SessionCredentials credentials =
        new SessionCredentials(
            "ASIAEXAMPLE",
            key,
            Secret.of("token"),
            Instant.EPOCH,
            "123456789012",
            Optional.empty());
    return new Lease(
        new Lease.Key(allocation, "server", grant),
        SessionName.of(allocation, "server"),
        credentials,
        Instant.EPOCH);
  }

  @Test
  void document_isEncodedOnce_andIsTheOnlyCopyOfTheSecretsThen() {
    AtomicInteger encodings = new AtomicInteger();
    Function<Lease, Secret> encoder =
        held -> {
          encodings.incrementAndGet();
          return Secret.of(held.credentials().secretAccessKey().revealText());
        };

    assertThat(lease.document(encoder).revealText()).isEqualTo("secret key");
    assertThat(lease.document(encoder).revealText()).isEqualTo("secret key");

    assertThat(encodings).hasValue(1);
    assertThat(key.revealText()).isEqualTo("\0".repeat(10));
    assertThat(lease.credentials().secretAccessKey().length()).isZero();
    assertThat(lease.credentials().sessionToken().length()).isZero();
    assertThat(lease.credentials().accessKeyId()).isEqualTo("ASIAEXAMPLE");
  }

  @Test
  void erase_takesTheDocumentToo() {
    Secret document = lease.document(held -> Secret.of("doc"));
    lease.erase();
    assertThat(document.revealText()).isEqualTo("\0\0\0");
  }

  @Test
  void erase_beforeTheFirstDocument_takesTheCredentials() {
    lease.erase();
    assertThat(key.revealText()).isEqualTo("\0".repeat(10));
  }
}
