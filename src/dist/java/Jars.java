import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDateTime;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.util.Enumeration;
import java.util.List;
import java.util.jar.JarFile;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import java.util.zip.ZipOutputStream;

/**
 * Writes jars anew, {@code java Jars.java TIME DIRECTORY...}: every entry gets that time in place of the shrinker's,
 * and manifests lose what they say of single entries. In a signed jar that is a digest of every class: a megabyte
 * that the daemon would carry, for signatures that fit no more.
 */
class Jars {
  public static void main(String[] args) throws IOException {
    LocalDateTime time = OffsetDateTime.parse(args[0]).atZoneSameInstant(ZoneOffset.UTC).toLocalDateTime();
    for (String directory : List.of(args).subList(1, args.length)) {
      try (Stream<Path> files = Files.list(Path.of(directory))) {
        files.filter(file -> file.toString().endsWith(".jar")).forEach(jar -> rewrite(jar, time));
      }
    }
  }

  private static void rewrite(Path jar, LocalDateTime time) {
    ByteArrayOutputStream written = new ByteArrayOutputStream();
    try {
      try (ZipFile from = new ZipFile(jar.toFile());
          ZipOutputStream to = new ZipOutputStream(written)) {
        for (Enumeration<? extends ZipEntry> all = from.entries(); all.hasMoreElements(); ) {
          ZipEntry old = all.nextElement();
          ZipEntry entry = new ZipEntry(old.getName());
          entry.setTimeLocal(time);
          to.putNextEntry(entry);
          byte[] content = from.getInputStream(old).readAllBytes();
          to.write(old.getName().equals(JarFile.MANIFEST_NAME) ? mainSection(content) : content);
          to.closeEntry();
        }
      }
      Files.write(jar, written.toByteArray());
    } catch (IOException e) {
      throw new UncheckedIOException(jar.toString(), e);
    }
  }

  /** What comes before the first empty line, and that line. */
  private static byte[] mainSection(byte[] manifest) {
    String text = new String(manifest, StandardCharsets.UTF_8).replace("\r\n", "\n");
    int end = text.indexOf("\n\n");
    return (end < 0 ? text : text.substring(0, end + 2)).replace("\n", "\r\n").getBytes(StandardCharsets.UTF_8);
  }
}
