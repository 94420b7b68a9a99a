package io.taskrole.sts;

import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import software.amazon.awssdk.http.AbortableInputStream;
import software.amazon.awssdk.http.ExecutableHttpRequest;
import software.amazon.awssdk.http.HttpExecuteRequest;
import software.amazon.awssdk.http.HttpExecuteResponse;
import software.amazon.awssdk.http.SdkHttpClient;

/** Reads no more of an answer than an STS answer can need; the rest of it is an error. */
final class BoundedHttpClient implements SdkHttpClient {
  /** An STS answer takes about 2 KiB. */
  private static final int MAXIMUM_BYTES = 64 * 1024;

  private final SdkHttpClient client;

  BoundedHttpClient(SdkHttpClient client) {
    this.client = client;
  }

  @Override
  public ExecutableHttpRequest prepareRequest(HttpExecuteRequest request) {
    ExecutableHttpRequest prepared = client.prepareRequest(request);
    return new ExecutableHttpRequest() {
      @Override
      public HttpExecuteResponse call() throws IOException {
        HttpExecuteResponse response = prepared.call();
        return HttpExecuteResponse.builder()
            .response(response.httpResponse())
            .responseBody(response.responseBody().map(BoundedHttpClient::bounded).orElse(null))
            .build();
      }

      @Override
      public void abort() {
        prepared.abort();
      }
    };
  }

  @Override
  public String clientName() {
    return client.clientName();
  }

  @Override
  public void close() {
    client.close();
  }

  private static AbortableInputStream bounded(AbortableInputStream body) {
    return AbortableInputStream.create(new Bounded(body), body);
  }

  /** Throws once more than the maximum has been read. */
  private static final class Bounded extends FilterInputStream {
    private int left = MAXIMUM_BYTES;

    Bounded(InputStream in) {
      super(in);
    }

    @Override
    public int read() throws IOException {
      int value = super.read();
      count(value < 0 ? 0 : 1);
      return value;
    }

    @Override
    public int read(byte[] bytes, int offset, int length) throws IOException {
      int read = super.read(bytes, offset, length);
      count(Math.max(read, 0));
      return read;
    }

    private void count(int read) throws IOException {
      left -= read;
      if (left < 0) {
        throw new IOException("the answer is larger than " + MAXIMUM_BYTES + " bytes");
      }
    }
  }
}
