package io.taskrole.demo;

import java.util.regex.Matcher;
import java.util.regex.Pattern;
import software.amazon.awssdk.auth.credentials.AwsCredentials;
import software.amazon.awssdk.auth.credentials.DefaultCredentialsProvider;
import software.amazon.awssdk.core.exception.SdkException;
import software.amazon.awssdk.services.sts.StsClient;

/**
 * An application as it would run in a task: the AWS SDK for Java with nothing but its default
 * provider chain. Prints the access key id and, with {@code use}, whom AWS takes it for.
 */
public final class DemoClient {
  private static final Pattern CONTAINER =
      Pattern.compile("ContainerCredentialsProvider\\(\\): [^,\\]]+");

  private DemoClient() {}

  /** Runs the application; exit code 0 when it got credentials, 1 when not. */
  public static void main(String[] args) {
    try (DefaultCredentialsProvider chain = DefaultCredentialsProvider.builder().build()) {
      AwsCredentials credentials = chain.resolveCredentials();
      System.out.println("key " + credentials.accessKeyId());
      if (args.length > 0 && args[0].equals("use")) {
        try (StsClient sts = StsClient.builder().credentialsProvider(chain).build()) {
          System.out.println("arn " + sts.getCallerIdentity().arn());
        }
      }
    } catch (SdkException e) {
      System.out.println("refused " + ofOurs(String.valueOf(e.getMessage())));
      System.exit(1);
    }
  }

  /** What the SDK's container provider says, from the long list of what every provider says. */
  private static String ofOurs(String message) {
    Matcher ours = CONTAINER.matcher(message);
    return ours.find() ? ours.group() : message.lines().findFirst().orElse("");
  }
}
