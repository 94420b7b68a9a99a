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
    int pairs = tokens.size() / 2;
    long[] cold = new long[pairs];
    long[] bare = new long[pairs];
    for (int i = 0; i < pairs; i++) {
      cold[i] = time(daemon, tokens.get(2 * i), true);
      bare[i] = time(sts, tokens.get(2 * i + 1), false);
    }
    int early = 100;
    int late = pairs * 2 / 3;
    System.out.printf(
        Locale.ROOT,
        "result earlyCold=%d earlyBare=%d cold=%d bare=%d%n",
        median(cold, 0, early),
        median(bare, 0, early),
        median(cold, late, pairs),
        median(bare, late, pairs));
  }

  private static long median(long[] nanos, int from, int to) {
    long[] part = Arrays.copyOfRange(nanos, from, to);
    Arrays.sort(part);
    return part[part.length / 2] / 1000;
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
