package io.taskrole.yaml;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.snakeyaml.engine.v2.api.LoadSettings;
import org.snakeyaml.engine.v2.api.lowlevel.Compose;
import org.snakeyaml.engine.v2.api.lowlevel.Parse;
import org.snakeyaml.engine.v2.events.AliasEvent;
import org.snakeyaml.engine.v2.events.Event;
import org.snakeyaml.engine.v2.exceptions.Mark;
import org.snakeyaml.engine.v2.exceptions.MarkedYamlEngineException;
import org.snakeyaml.engine.v2.exceptions.YamlEngineException;
import org.snakeyaml.engine.v2.nodes.MappingNode;
import org.snakeyaml.engine.v2.nodes.Node;
import org.snakeyaml.engine.v2.nodes.NodeTuple;
import org.snakeyaml.engine.v2.nodes.ScalarNode;
import org.snakeyaml.engine.v2.nodes.SequenceNode;
import org.snakeyaml.engine.v2.nodes.Tag;

/**
 * Reads one YAML 1.2 document whose top is a mapping, strictly: UTF-8, at most 1 MiB, one document,
 * no key twice, no aliases, no tags of its own.
 */
public final class YamlDocument {
  private static final int MAXIMUM_BYTES = 1024 * 1024;
  private static final Pattern ENVIRONMENT = Pattern.compile("\\$\\{env:([A-Za-z_][A-Za-z0-9_]*)}");

  private final String file;
  private final Problems problems;
  private final Function<String, Optional<String>> environment;

  private YamlDocument(
      String file, Problems problems, Function<String, Optional<String>> environment) {
    this.file = file;
    this.problems = problems;
    this.environment = environment;
  }

  /**
   * The file's bytes, cut off one byte after what {@link #parse} takes: whatever its size, it costs
   * no more memory.
   */
  public static byte[] read(Path file) throws IOException {
    try (InputStream in = Files.newInputStream(file)) {
      return in.readNBytes(MAXIMUM_BYTES + 1);
    }
  }

  /**
   * Reads a document; empty when it could not be read at all.
   *
   * @param file the file's name for messages
   * @param problems takes everything that is wrong
   */
  public static Optional<YamlNode.Mapping> parse(String file, byte[] bytes, Problems problems) {
    return parse(file, bytes, problems, null);
  }

  /**
   * As {@link #parse(String, byte[], Problems)}, and a value that is {@code ${env:NAME}} as a whole
   * is replaced by what the environment holds.
   */
  public static Optional<YamlNode.Mapping> parse(
      String file,
      byte[] bytes,
      Problems problems,
      @Nullable Function<String, Optional<String>> environment) {
    var document =
        new YamlDocument(
            file, problems, environment == null ? name -> Optional.empty() : environment);
    Optional<Node> root = document.compose(bytes);
    if (root.isEmpty()) {
      return Optional.empty();
    }
    if (document.node(root.get(), environment != null) instanceof YamlNode.Mapping mapping) {
      return Optional.of(mapping);
    }
    problems.add(Place.beginningOf(file), "the file is not a mapping", "begin with a key");
    return Optional.empty();
  }

  private Optional<Node> compose(byte[] bytes) {
    if (bytes.length > MAXIMUM_BYTES) {
      problems.add(Place.beginningOf(file), "the file is larger than 1 MiB", "shorten it");
      return Optional.empty();
    }
    try {
      String text = StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
      LoadSettings settings =
          LoadSettings.builder()
              .setLabel(file)
              .setCodePointLimit(MAXIMUM_BYTES)
              .setAllowDuplicateKeys(true) // found, and reported all at once, by mapping()
              .build();
      if (hasAliases(settings, text)) {
        return Optional.empty();
      }
      Iterator<Node> documents = new Compose(settings).composeAllFromString(text).iterator();
      if (!documents.hasNext()) {
        problems.add(Place.beginningOf(file), "the file is empty", "write its keys");
        return Optional.empty();
      }
      Node root = documents.next();
      if (documents.hasNext()) {
        Node second = documents.next();
        problems.add(place(second.getStartMark()), "a second document", "keep one document a file");
      }
      return Optional.of(root);
    } catch (CharacterCodingException e) {
      problems.add(Place.beginningOf(file), "the file is not UTF-8", "save it as UTF-8");
    } catch (MarkedYamlEngineException e) {
      problems.add(
          place(e.getProblemMark()),
          "not YAML: " + e.getProblem(),
          "mend the line, mind indentation and quotes");
    } catch (YamlEngineException e) {
      problems.add(Place.beginningOf(file), "not YAML", "remove control characters");
    }
    return Optional.empty();
  }

  private boolean hasAliases(LoadSettings settings, String text) {
    boolean found = false;
    for (Event event : new Parse(settings).parseString(text)) {
      if (event instanceof AliasEvent) {
        problems.add(place(event.getStartMark()), "an alias", "write the value out");
        found = true;
      }
    }
    return found;
  }

  private YamlNode node(Node node, boolean replaces) {
    return switch (node) {
      case MappingNode mapping -> mapping(mapping, replaces);
      case SequenceNode sequence ->
          new YamlNode.Sequence(
              place(node.getStartMark()),
              sequence.getValue().stream().map(value -> node(value, replaces)).toList());
      default -> scalar((ScalarNode) node, replaces);
    };
  }

  private YamlNode mapping(MappingNode mapping, boolean replaces) {
    List<YamlNode.Entry> entries = new ArrayList<>();
    Map<String, Place> seen = new HashMap<>();
    for (NodeTuple tuple : mapping.getValue()) {
      Place place = place(tuple.getKeyNode().getStartMark());
      if (!(tuple.getKeyNode() instanceof ScalarNode keyNode)) {
        problems.add(place, "a key that is not text", "write a plain key");
        continue;
      }
      var key = new YamlNode.Scalar(place, keyNode.getValue(), YamlNode.Scalar.Type.TEXT);
      Place first = seen.putIfAbsent(key.text(), place);
      if (first == null) {
        entries.add(new YamlNode.Entry(key, node(tuple.getValueNode(), replaces)));
      } else {
        problems.add(
            place,
            "the key " + key.text() + " stands here a second time",
            "keep one; the first is in line " + first.line());
      }
    }
    return new YamlNode.Mapping(place(mapping.getStartMark()), entries);
  }

  private YamlNode scalar(ScalarNode node, boolean replaces) {
    Place place = place(node.getStartMark());
    Matcher reference = ENVIRONMENT.matcher(node.getValue());
    if (replaces && reference.matches()) {
      Optional<String> value = environment.apply(reference.group(1));
      if (value.isEmpty()) {
        problems.add(
            place,
            "the environment variable " + reference.group(1) + " is not set",
            "set it for the daemon, or write the value here");
      }
      return new YamlNode.Scalar(place, value.orElse(""), YamlNode.Scalar.Type.TEXT);
    }
    return new YamlNode.Scalar(place, node.getValue(), type(node, place));
  }

  private YamlNode.Scalar.Type type(ScalarNode node, Place place) {
    Tag tag = node.getTag();
    if (tag.equals(Tag.STR)) {
      return YamlNode.Scalar.Type.TEXT;
    } else if (tag.equals(Tag.INT) || tag.equals(Tag.FLOAT)) {
      return YamlNode.Scalar.Type.NUMBER;
    } else if (tag.equals(Tag.BOOL)) {
      return YamlNode.Scalar.Type.BOOLEAN;
    } else if (tag.equals(Tag.NULL)) {
      return YamlNode.Scalar.Type.NOTHING;
    } else if (!tag.equals(Tag.ENV_TAG)) {
      problems.add(place, "a tag (" + tag + ")", "write the value without it");
    }
    return YamlNode.Scalar.Type.TEXT;
  }

  private Place place(Optional<Mark> mark) {
    return new Place(
        file, mark.map(Mark::getLine).orElse(0) + 1, mark.map(Mark::getColumn).orElse(0) + 1);
  }
}
