package io.taskrole.yaml;

/**
 * Where something stands in a file.
 *
 * @param file the file's name as the operator knows it
 * @param line counted from 1
 * @param column counted from 1
 */
public record Place(String file, int line, int column) implements Comparable<Place> {
  /** The beginning of a file. */
  public static Place beginningOf(String file) {
    return new Place(file, 1, 1);
  }

  @Override
  public int compareTo(Place other) {
    int byFile = file.compareTo(other.file);
    int byLine = Integer.compare(line, other.line);
    return byFile != 0 ? byFile : byLine != 0 ? byLine : Integer.compare(column, other.column);
  }

  @Override
  public String toString() {
    return file + ":" + line + ":" + column;
  }
}
