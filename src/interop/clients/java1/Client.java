import com.amazonaws.auth.DefaultAWSCredentialsProviderChain;
import com.amazonaws.client.builder.AwsClientBuilder.EndpointConfiguration;
import com.amazonaws.services.s3.AmazonS3;
import com.amazonaws.services.s3.AmazonS3ClientBuilder;

/** A task as it would be written with the AWS SDK for Java v1 and its default credential chain. */
class Client {
  static void put(String bucket, String key) {
    AmazonS3 s3 =
        AmazonS3ClientBuilder.standard()
            .withCredentials(new DefaultAWSCredentialsProviderChain())
            .withEndpointConfiguration(
                new EndpointConfiguration(
                    System.getenv("AWS_ENDPOINT_URL_S3"), System.getenv("AWS_REGION")))
            .withPathStyleAccessEnabled(true)
            .build();
    s3.putObject(bucket, key, "content");
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
