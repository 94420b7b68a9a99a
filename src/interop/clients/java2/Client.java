import java.net.URI;
import software.amazon.awssdk.auth.credentials.DefaultCredentialsProvider;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.services.s3.S3Client;

/** A task as it would be written with the AWS SDK for Java v2 and its default credential chain. */
class Client {
  static void put(String bucket, String key) {
    try (DefaultCredentialsProvider chain = DefaultCredentialsProvider.builder().build();
        S3Client s3 =
            S3Client.builder()
                .credentialsProvider(chain)
                .endpointOverride(URI.create(System.getenv("AWS_ENDPOINT_URL_S3")))
                .forcePathStyle(true)
                .build()) {
      s3.putObject(request -> request.bucket(bucket).key(key), RequestBody.fromString("content"));
    }
  }

  public static void main(String[] args) throws Exception {
    try {
      put(args[1], args[2]);
      if (args[0].equals("put-twice")) {
        System.out.println("FIRST");
        System.in.read();
        put(args[1], args[2]);
      }
      System.out.println("OK");
    } catch (RuntimeException e) {
      System.out.println("ERR " + e.getMessage());
      System.exit(1);
    }
  }
}
