import io.taskrole.demo.Issuer;
import io.taskrole.time.TimeSource;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.time.Duration;

/**
 * The embedded issuer as a process, told what to do line by line: {@code token NAMESPACE JOB GROUP
 * TASK ALLOCATION SECONDS [ADDRESS]} prints a signed token of a task, whose allocation has that
 * address of its own; {@code rotate} signs with a new key from now on. Ends with its standard
 * input.
 */
class IssuerDriver {
  public static void main(String[] args) throws Exception {
    try (Issuer issuer = Issuer.start(TimeSource.system(), Integer.parseInt(args[0]));
        BufferedReader in =
            new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
      System.out.println("ready " + issuer.issuer());
      for (String line = in.readLine(); line != null; line = in.readLine()) {
        String[] words = line.split(" ");
        if (words[0].equals("rotate")) {
          issuer.rotate();
          System.out.println("rotated");
        } else {
          System.out.println(
              issuer
                  .token(words[1], words[2], words[3], words[4])
                  .allocation(words[5])
                  .running(run -> run.address(words.length > 7 ? words[7] : ""))
                  .life(Duration.ofSeconds(Long.parseLong(words[6])))
                  .sign());
        }
      }
    }
  }
}
