package io.taskrole.sts;

import static org.assertj.core.api.Assertions.assertThat;

import io.taskrole.testing.ScriptedHttp;
import io.taskrole.testing.StsAnswers;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Nothing of the daemon's own AWS surroundings may reach the exchange. */
class HostileEnvironmentTest {
  @TempDir Path directory;

  @Test
  void daemonsOwnProfileKeysProxyAndEndpoints_changeNothing() throws Exception {
    Path config =
        Files.writeString(
            directory.resolve("config"),
            """
            [default]
            region = ap-south-1
            role_arn = arn:aws:iam::999999999999:role/node
            source_profile = default
            endpoint_url = http://127.0.0.1:1
            retry_mode = adaptive
            use_fips_endpoint = true
            [profile hostile]
            aws_access_key_id = AKIAHOSTILE
            aws_secret_access_key = hostile
            services = hostile
            [services hostile]
            sts =
              endpoint_url = http://127.0.0.1:1
            """);
    try (ScriptedHttp sts = ScriptedHttp.start();
        ScriptedHttp proxy = ScriptedHttp.start()) {
      sts.always(socket -> ScriptedHttp.write(socket, StsAnswers.error(400, "Throttling", "x")));
      String output =
          run(
              Map.ofEntries(
                  Map.entry("AWS_CONFIG_FILE", config.toString()),
                  Map.entry("AWS_SHARED_CREDENTIALS_FILE", config.toString()),
                  Map.entry("AWS_PROFILE", "hostile"),
                  Map.entry("AWS_ACCESS_KEY_ID", "AKIAHOSTILE"),
                  Map.entry("AWS_SECRET_ACCESS_KEY", "hostile"),
                  Map.entry("AWS_SESSION_TOKEN", "hostile"),
                  Map.entry("AWS_ROLE_ARN", "arn:aws:iam::999999999999:role/node"),
                  Map.entry("AWS_WEB_IDENTITY_TOKEN_FILE", config.toString()),
                  Map.entry("AWS_REGION", "ap-south-1"),
                  Map.entry("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
                  Map.entry("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:1"),
                  Map.entry("AWS_RETRY_MODE", "adaptive"),
                  Map.entry("AWS_MAX_ATTEMPTS", "9"),
                  Map.entry("AWS_NEW_RETRIES_2026", "true"),
                  Map.entry("AWS_USE_FIPS_ENDPOINT", "true"),
                  Map.entry("AWS_USE_DUALSTACK_ENDPOINT", "true"),
                  Map.entry("HTTP_PROXY", proxy.uri("").toString()),
                  Map.entry("http_proxy", proxy.uri("").toString()),
                  Map.entry("HTTPS_PROXY", proxy.uri("").toString())),
              sts.uri("").toString());
      assertThat(output).contains("StsUnavailable");
      assertThat(sts.requests()).hasSize(1);
      assertThat(proxy.requests()).isEmpty();
      assertThat(sts.requests().getFirst())
          .contains("RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fbilling")
          .doesNotContainIgnoringCase("authorization:")
          .doesNotContainIgnoringCase("x-amz-security-token")
          .doesNotContain("999999999999")
          .doesNotContain("hostile")
          .doesNotContain("AKIAHOSTILE");
    }
  }

  private static String run(Map<String, String> environment, String endpoint)
      throws IOException, InterruptedException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(
        List.of(
            "-cp", System.getProperty("java.class.path"), ExchangeOnce.class.getName(), endpoint));
    ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
    builder.environment().putAll(environment);
    Process process = builder.start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor(30, TimeUnit.SECONDS)).isTrue();
    return output;
  }
}
