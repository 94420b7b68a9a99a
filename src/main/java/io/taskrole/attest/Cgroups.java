package io.taskrole.attest;

import io.taskrole.identity.AllocationId;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * The cgroups that Nomad makes for the tasks of the exec, java and raw_exec drivers on a cgroup v2
 * hierarchy: {@code <parent>/{share,reserve}.slice/<allocation>.<task>.scope}. A cgroup's id is the
 * inode number of its directory.
 */
final class Cgroups {
  private static final Path MOUNTS = Path.of("/proc/self/mountinfo");
  private static final List<String> SLICES = List.of("share.slice", "reserve.slice");
  private static final String SCOPE = ".scope";
  private static final int ALLOCATION = 36;

  /** A task may divide its own cgroup; deeper than this nobody does. */
  private static final int DEPTH = 6;

  private final Path nomad;

  private Cgroups(Path nomad) {
    this.nomad = nomad;
  }

  /**
   * Finds the hierarchy, which may be mounted beside version 1.
   *
   * @param parent Nomad's {@code client.cgroup_parent}
   * @return empty on a host without cgroup v2
   */
  static Optional<Cgroups> find(String parent) throws IOException {
    for (String line : Files.readAllLines(MOUNTS, StandardCharsets.ISO_8859_1)) {
      // proc(5): ... mount point (5th) ... "-" type source options
      String[] fields = line.split(" ", -1);
      int dash = List.of(fields).indexOf("-");
      if (dash > 5 && dash + 1 < fields.length && fields[dash + 1].equals("cgroup2")) {
        return Optional.of(new Cgroups(Path.of(fields[4]).resolve(parent)));
      }
    }
    return Optional.empty();
  }

  /**
   * Whose task's cgroup this is, or lies below.
   *
   * @param likely looked at first
   * @return empty when it is not one of Nomad's, or is gone
   */
  Optional<AllocationId> owner(long id, AllocationId likely) throws IOException {
    List<Path> others = new ArrayList<>();
    for (Path scope : scopes()) {
      if (!scope.getFileName().toString().startsWith(likely.value())) {
        others.add(scope);
      } else if (holds(scope, id)) {
        return Optional.of(likely);
      }
    }
    for (Path scope : others) {
      if (holds(scope, id)) {
        return AllocationId.parse(scope.getFileName().toString().substring(0, ALLOCATION));
      }
    }
    return Optional.empty();
  }

  private List<Path> scopes() throws IOException {
    List<Path> scopes = new ArrayList<>();
    for (String slice : SLICES) {
      Path directory = nomad.resolve(slice);
      if (Files.isDirectory(directory)) {
        try (DirectoryStream<Path> entries = Files.newDirectoryStream(directory, "*" + SCOPE)) {
          for (Path entry : entries) {
            if (isTasks(entry.getFileName().toString())) {
              scopes.add(entry);
            }
          }
        }
      }
    }
    return scopes;
  }

  /** A task's name may hold dots: what counts is the allocation id before the first. */
  private static boolean isTasks(String name) {
    return name.length() > ALLOCATION + 1
        && name.charAt(ALLOCATION) == '.'
        && AllocationId.parse(name.substring(0, ALLOCATION)).isPresent();
  }

  private static boolean holds(Path scope, long id) throws IOException {
    try (Stream<Path> tree = Files.walk(scope, DEPTH)) {
      return tree.filter(Files::isDirectory).anyMatch(directory -> inode(directory) == id);
    } catch (UncheckedIOException e) {
      // A task that ends takes its cgroup with it while we look.
      return false;
    }
  }

  private static long inode(Path directory) {
    try {
      return (Long) Files.getAttribute(directory, "unix:ino", LinkOption.NOFOLLOW_LINKS);
    } catch (IOException e) {
      return -1;
    }
  }
}
