package io.taskrole.sts;

import io.taskrole.broker.CredentialSource.Exchange;
import io.taskrole.identity.AllocationId;
import io.taskrole.identity.BearerToken;
import io.taskrole.policy.Grant;
import io.taskrole.policy.Region;
import io.taskrole.policy.RoleArn;
import io.taskrole.policy.SessionName;
import io.taskrole.time.TimeSource;
import java.net.URI;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/** One exchange in a process of its own; prints the reason of its failure. */
final class ExchangeOnce {
  private ExchangeOnce() {}

  public static void main(String[] args) {
    var config =
        new StsConfig(
            new Region("eu-west-1"),
            Optional.of(URI.create(args[0])),
            Optional.empty(),
            Duration.ofSeconds(5),
            1,
            1);
    var grant =
        new Grant(
            RoleArn.parse("arn:aws:iam::123456789012:role/billing").orElseThrow(),
            Duration.ofHours(1),
            Optional.empty(),
            List.of(),
            Optional.empty());
    var session =
        SessionName.of(new AllocationId("b3f1c0de-7a4e-4b61-9c2d-5f0a8e6d1b42"), "server");
    try (StsSource source = new StsSource(config, TimeSource.system())) {
      if (source.exchange(grant, session, BearerToken.of("a.b.c"))
          instanceof Exchange.Failed(var refusal)) {
        System.out.println(refusal.reason().code());
      }
    }
  }
}
