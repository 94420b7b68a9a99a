package io.taskrole.http;

import static org.assertj.core.api.Assertions.assertThat;

import io.taskrole.testing.RawHttp;
import io.taskrole.testing.Reply;
import io.taskrole.testing.TestDaemon;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What the AWS SDKs demand of the endpoint, and what nobody may ask of it, byte by byte. */
class EndpointContractTest {
  @TempDir static Path directory;
  private static TestDaemon test;
  private static String token;
  private static int port;

  @BeforeAll
  static void start() {
    test = TestDaemon.start(directory);
    token = test.billing().sign();
    port = test.address().getPort();
    assertThat(test.get(token).status()).isEqualTo(200);
  }

  @AfterAll
  static void stop() {
    test.close();
  }

  private static Reply send(String request) {
    return RawHttp.once(
        test.address(), request.replace("PORT", Integer.toString(port)).replace("TOKEN", token));
  }

  private static Reply with(String path, String headers) {
    return send("GET " + path + " HTTP/1.1\r\n" + headers + "\r\n\r\n");
  }

  private static final String GOOD = "Host: 127.0.0.1:PORT\r\nAuthorization: TOKEN";

  @ParameterizedTest
  @ValueSource(
      strings = {"/v1/credentials", "/v1/credentials/", "//v1/credentials", "/v1//credentials//"})
  void slashes_doNoHarm(String path) {
    assertThat(with(path, GOOD).status()).isEqualTo(200);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "Host: 127.0.0.1:PORT\r\nAuthorization: TOKEN\r\nAccept: text/html, image/gif, */*; q=0.2",
        "Host: 127.0.0.1:PORT\r\nAuthorization: TOKEN\r\nAccept-Encoding: gzip, br",
        "Host: 127.0.0.1:PORT\r\nAuthorization: TOKEN\r\nUser-Agent: x\r\nContent-Length: 0",
        "Host: 127.0.0.1\r\nAuthorization: TOKEN",
        "host: 127.0.0.1:PORT\r\nauthorization:TOKEN",
        "Host: 127.0.0.1:PORT\r\nAuthorization: Bearer TOKEN",
        "Host: 127.0.0.1:PORT\r\nAuthorization:   TOKEN  "
      })
  void whateverAnSdkSends_isAnswered(String headers) {
    Reply reply = with("/v1/credentials", headers);
    assertThat(reply.status()).isEqualTo(200);
    assertThat(reply.header("content-type")).isEqualTo("application/json");
    assertThat(reply.header("content-encoding")).isEmpty();
  }

  @Test
  void connection_isKept_andClosedOnRequest() {
    try (RawHttp http = RawHttp.connect(test.address())) {
      String request = RawHttp.request(test.address(), token);
      for (int i = 0; i < 3; i++) {
        assertThat(http.send(request).reply().status()).isEqualTo(200);
      }
      // Pipelined: answered in order.
      http.send(request + request);
      assertThat(http.reply().status()).isEqualTo(200);
      assertThat(http.reply().status()).isEqualTo(200);
      http.send(request.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n"));
      assertThat(http.reply().status()).isEqualTo(200);
      assertThat(http.endsWithin(2_000)).isTrue();
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "Host: 127.0.0.1:PORT",
        "Host: 127.0.0.1:PORT\\nAuthorization:",
        "Host: 127.0.0.1:PORT\\nAuthorization: Bearer ",
        "Host: 127.0.0.1:PORT\\nAuthorization: TOKEN\\nAuthorization: TOKEN"
      })
  void noEmptyOrDoubledAuthorization_isTokenMissing(String headers) {
    Reply reply = with("/v1/credentials", headers.replace("\\n", "\r\n"));
    assertThat(reply.status()).isEqualTo(401);
    assertThat(reply.code()).isEqualTo("TokenMissing");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "Host: localhost:PORT",
        "Host: evil.example",
        "Host: 127.0.0.2:PORT",
        "Host: 127.0.0.1:1",
        "Host: 0177.0.0.1:PORT",
        "Host: 2130706433",
        "Host: [::1]:PORT",
        "Host: 127.0.0.1:PORT@evil.example",
        "Host: 127.0.0.1:PORT\r\nHost: 127.0.0.1:PORT",
        "X: y",
        "Host: 127.0.0.1:PORT\r\nX-Forwarded-For: 10.0.0.1",
        "Host: 127.0.0.1:PORT\r\nX-Forwarded-Host: a",
        "Host: 127.0.0.1:PORT\r\nForwarded: for=a",
        "Host: 127.0.0.1:PORT\r\nVia: 1.1 proxy",
        "Host: 127.0.0.1:PORT\r\nOrigin: http://127.0.0.1",
        "Host: 127.0.0.1:PORT\r\nReferer: http://a/",
        "Host: 127.0.0.1:PORT\r\nSec-Fetch-Mode: cors",
        "Host: 127.0.0.1:PORT\r\nSEC-CH-UA: x"
      })
  void nameAddressOrHeaderThatNoSdkSends_isRequestRefused_andEndsTheConnection(String headers) {
    try (RawHttp http = RawHttp.connect(test.address())) {
      http.send(
          "GET /v1/credentials HTTP/1.1\r\n"
              + headers.replace("PORT", Integer.toString(port))
              + "\r\nAuthorization: "
              + token
              + "\r\n\r\n");
      Reply reply = http.reply();
      assertThat(reply.status()).isEqualTo(403);
      assertThat(reply.code()).isEqualTo("RequestRefused");
      assertThat(reply.headers()).doesNotContainKey("access-control-allow-origin");
      assertThat(http.endsWithin(2_000)).isTrue();
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "/",
        "/v1/credentials?x=1",
        "/v1/credentials?",
        "/v1/Credentials",
        "/v1/credential%73",
        "/v1/./credentials",
        "/x/../v1/credentials",
        "/v1/credentials;a",
        "/v1/credentials/x",
        "/metrics",
        "/readyz",
        "http://127.0.0.1/v1/credentials",
        "*",
        "v1/credentials"
      })
  void otherPath_isBadRequest_never404(String path) {
    Reply reply = with(path, GOOD);
    assertThat(reply.status()).isEqualTo(400);
    assertThat(reply.code()).isEqualTo("BadRequest");
  }

  @ParameterizedTest
  @ValueSource(strings = {"POST", "PUT", "OPTIONS", "DELETE", "TRACE", "PATCH", "FOO"})
  void otherMethod_isTold_whatIsAllowed(String method) {
    String request = method + " /v1/credentials HTTP/1.1\r\n" + GOOD + "\r\n\r\n";
    Reply reply = send(request);
    assertThat(reply.status()).isEqualTo(405);
    assertThat(reply.header("allow")).isEqualTo("GET");
    assertThat(reply.code()).isEqualTo("MethodNotAllowed");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "GET /v1/credentials HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nAuthorization: TOKEN\r\nContent-Length: 3\r\n\r\nabc",
        "GET /v1/credentials HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nAuthorization: TOKEN\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "GET /v1/credentials HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "GET /v1/credentials HTTP/1.1\r\nHost : 127.0.0.1:PORT\r\n\r\n",
        "GET /v1/credentials HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nA\0b: c\r\n\r\n",
        "GET /v1/credentials NONSENSE\r\n\r\n"
      })
  void bodyAndMalformedHttp_areBadRequest_andEndTheConnection(String request) {
    try (RawHttp http = RawHttp.connect(test.address())) {
      http.send(request.replace("PORT", Integer.toString(port)).replace("TOKEN", token));
      Reply reply = http.reply();
      assertThat(reply.status()).isEqualTo(400);
      assertThat(reply.code()).isEqualTo("BadRequest");
      assertThat(http.endsWithin(2_000)).isTrue();
    }
  }

  @Test
  void http2Preface_isNotTakenUp() {
    // Vert.x itself answers versions that it does not speak, before any handler of ours.
    assertThat(send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").status()).isEqualTo(501);
  }

  @Test
  void tooLongLineOrHeader_isHeaderTooLarge() {
    for (String request :
        List.of(
            "GET /" + "a".repeat(2_000) + " HTTP/1.1\r\n" + GOOD + "\r\n\r\n",
            "GET /v1/credentials HTTP/1.1\r\n"
                + GOOD
                + "\r\nX: "
                + "a".repeat(9_000)
                + "\r\n\r\n")) {
      Reply reply = send(request);
      assertThat(reply.status()).isEqualTo(431);
      assertThat(reply.code()).isEqualTo("HeaderTooLarge");
    }
  }

  @Test
  void error_isReadableByEverySdk() {
    Reply reply = with("/v1/credentials", "Host: 127.0.0.1:PORT\r\nAuthorization: a.b.c");
    assertThat(reply.status()).isEqualTo(503);
    assertThat(reply.reasonPhrase()).isEqualTo("TokenMalformed");
    assertThat(reply.header("content-type")).isEqualTo("application/json");
    assertThat(reply.text("Code")).isEqualTo(reply.code()).isEqualTo("TokenMalformed");
    assertThat(reply.text("Message")).isEqualTo(reply.message()).isNotEmpty();
    assertThat(reply.text("requestId")).matches("[0-9a-f]{16}");
    assertThat(reply.headers()).doesNotContainKey("retry-after");
  }

  @Test
  void connectionWithoutAWholeRequest_isClosedAfterFiveSeconds() {
    try (RawHttp http = RawHttp.connect(test.address())) {
      http.send("GET /v1/credentials HTTP/1.1\r\nHost: 127");
      assertThat(http.endsWithin(3_000)).isFalse();
      assertThat(http.endsWithin(4_000)).isTrue();
    }
  }

  @Test
  void adminEndpoint_hasNoCredentials_andTheCredentialEndpointNoMetrics() {
    assertThat(test.admin("/v1/credentials").status()).isEqualTo(404);
    assertThat(test.admin("/healthz").body()).isEqualTo("{\"status\":\"ok\",\"problems\":[]}");
    assertThat(test.admin("/readyz").status()).isEqualTo(200);
    assertThat(test.admin("/metrics").body())
        .contains("taskrole_requests_total{outcome=\"issued\"");
    assertThat(test.admin("/metrics").header("content-type"))
        .isEqualTo("text/plain; version=0.0.4; charset=utf-8");
  }
}
