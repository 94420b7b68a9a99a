import java.net.HttpURLConnection;
import java.net.Proxy;
import java.net.URI;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/**
 * In turns: the first GET of a task that taskrole has never seen, and the same exchange made
 * directly with the STS. Prints the median of each in microseconds.
 */
class ColdCompare {
  public static void main(String[] args) throws Exception {
    URI daemon = URI.create(args[0]);
    URI sts = URI.create(args[1]);
    List<String> tokens = Files.readAllLines(Path.of(args[2]));
    int warm = tokens.size() / 4;
    int rounds = (tokens.size() - warm) / 2;
    for (int i = 0; i < warm; i++) {
      time(i % 2 == 0 ? daemon : sts, tokens.get(i), i % 2 == 0);
    }
    long[] cold = new long[rounds];
    long[] bare = new long[rounds];
    for (int i = 0; i < rounds; i++) {
      cold[i] = time(daemon, tokens.get(warm + 2 * i), true);
      bare[i] = time(sts, tokens.get(warm + 2 * i + 1), false);
    }
    Arrays.sort(cold);
    Arrays.sort(bare);
    System.out.printf(
        Locale.ROOT, "result cold=%d bare=%d%n", cold[rounds / 2] / 1000, bare[rounds / 2] / 1000);
  }

  private static long time(URI uri, String token, boolean get) throws Exception {
    long begun = System.nanoTime();
    HttpURLConnection connection = (HttpURLConnection) uri.toURL().openConnection(Proxy.NO_PROXY);
    if (get) {
      connection.setRequestProperty("Authorization", token);
    } else {
      byte[] form =
          ("Action=AssumeRoleWithWebIdentity&Version=2011-06-15&DurationSeconds=3600"
                  + "&RoleSessionName=bench&RoleArn="
                  + URLEncoder.encode(
                      "arn:aws:iam::123456789012:role/bench", StandardCharsets.UTF_8)
                  + "&WebIdentityToken="
                  + token)
              .getBytes(StandardCharsets.US_ASCII);
      connection.setDoOutput(true);
      connection.setFixedLengthStreamingMode(form.length);
      connection.getOutputStream().write(form);
    }
    if (connection.getResponseCode() != 200) {
      throw new IllegalStateException("status " + connection.getResponseCode());
    }
    connection.getInputStream().readAllBytes();
    return System.nanoTime() - begun;
  }
}
