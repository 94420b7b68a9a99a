import io.taskrole.demo.Issuer;
import io.taskrole.demo.VerifyingSts;
import io.taskrole.time.TimeSource;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Issuer and STS as a process: {@code tokens COUNT FILE} writes that many tokens of one task in as
 * many allocations, one a line. Ends with its standard input.
 */
class Upstream {
  public static void main(String[] args) throws Exception {
    TimeSource time = TimeSource.system();
    try (Issuer issuer = Issuer.start(time);
        VerifyingSts sts = VerifyingSts.start(issuer, time);
        BufferedReader in =
            new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
      sts.trust(
          "arn:aws:iam::123456789012:role/bench",
          issuer.token("default", "bench", "group", "task").subject());
      System.out.println("ready " + issuer.issuer() + " " + sts.endpoint());
      for (String line = in.readLine(); line != null; line = in.readLine()) {
        String[] words = line.split(" ");
        List<String> tokens = new ArrayList<>();
        for (int i = 0; i < Integer.parseInt(words[1]); i++) {
          tokens.add(issuer.token("default", "bench", "group", "task").sign());
        }
        Files.write(Path.of(words[2]), tokens);
        System.out.println("written");
      }
    }
  }
}
