import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.zip.CRC32;

/**
 * Takes out of a start-up cache what would be another in the next build: {@code java Settle.java CACHE TWIN}.
 *
 * <p>Two caches made from the same files and the same list of classes differ in one thing. Objects are stored in
 * them, soft references among those, and each of these holds the time of its last use, in milliseconds since the
 * machine was started. Every word of the stored objects in which the two differ, and which is such a time in both, is
 * set to zero in the first, as if the reference had last been used when the node was started; the sums over what was
 * changed are made anew. Any other difference is an error, since then the build cannot be repeated.
 */
class Settle {
  /** Layout of the file, cds/filemap.hpp and cds.h of JDK 25. Sums and sizes are checked, so that another is noticed. */
  private static final int MAGIC = 0xf00baba2;

  private static final int HEADER_SUM = 0x04;
  private static final int HEADER_SIZE = 0x0c;
  private static final int SUMMED_FROM = 0x10;
  private static final int REGIONS = 0x18;
  private static final int REGION = 0x60;
  private static final int REGION_OFFSET = 0x18;
  private static final int REGION_USED = 0x28;
  private static final int STORED_OBJECTS = 3;

  public static void main(String[] args) throws IOException {
    ByteBuffer cache = read(args[0]);
    ByteBuffer twin = read(args[1]);
    check(cache.capacity() == twin.capacity(), "the two differ in length");
    check(headerSum(cache) == cache.getInt(HEADER_SUM), "the header's sum is not where JDK 25 has it");
    for (int i = 0; i <= STORED_OBJECTS; i++) {
      check(
          regionSum(cache, i) == cache.getInt(REGIONS + i * REGION),
          "the sum of a region is not where JDK 25 has it");
    }
    long now = System.nanoTime() / 1_000_000;
    int begin = offset(cache, STORED_OBJECTS);
    int end = begin + used(cache, STORED_OBJECTS);
    int settled = 0;
    for (int at = begin; at < end; at += Long.BYTES) {
      long mine = cache.getLong(at);
      long other = twin.getLong(at);
      if (mine != other) {
        check(isTime(mine, now) && isTime(other, now), "the two differ in more than times, first at " + at);
        cache.putLong(at, 0);
        twin.putLong(at, 0);
        settled++;
      }
    }
    for (ByteBuffer one : new ByteBuffer[] {cache, twin}) {
      one.putInt(REGIONS + STORED_OBJECTS * REGION, regionSum(one, STORED_OBJECTS));
      one.putInt(HEADER_SUM, headerSum(one));
    }
    check(cache.equals(twin), "the two differ outside of the stored objects, first at " + cache.mismatch(twin));
    Files.write(Path.of(args[0]), cache.array());
    System.out.println(settled + " times taken out");
  }

  private static ByteBuffer read(String file) throws IOException {
    ByteBuffer cache = ByteBuffer.wrap(Files.readAllBytes(Path.of(file))).order(ByteOrder.LITTLE_ENDIAN);
    check(cache.getInt(0) == MAGIC, file + " is not a start-up cache");
    return cache;
  }

  private static boolean isTime(long millis, long now) {
    return 0 < millis && millis <= now;
  }

  private static int offset(ByteBuffer cache, int region) {
    return Math.toIntExact(cache.getLong(REGIONS + region * REGION + REGION_OFFSET));
  }

  private static int used(ByteBuffer cache, int region) {
    return Math.toIntExact(cache.getLong(REGIONS + region * REGION + REGION_USED));
  }

  private static int regionSum(ByteBuffer cache, int region) {
    return sum(cache, offset(cache, region), used(cache, region));
  }

  private static int headerSum(ByteBuffer cache) {
    return sum(cache, SUMMED_FROM, cache.getInt(HEADER_SIZE) - SUMMED_FROM);
  }

  private static int sum(ByteBuffer cache, int from, int length) {
    CRC32 sum = new CRC32();
    sum.update(cache.array(), from, length);
    return (int) sum.getValue();
  }

  private static void check(boolean holds, String otherwise) {
    if (!holds) {
      System.err.println("settle: " + otherwise);
      System.exit(1);
    }
  }
}
