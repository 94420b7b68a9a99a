import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Properties;
import java.util.TreeSet;
import java.util.UUID;
import java.util.stream.Stream;

/**
 * Prints the list of what a distribution holds, in CycloneDX's JSON: {@code Components MAVEN DISTRIBUTION JDK TIME}.
 * MAVEN is the list as Maven's plug-in makes it, of what was asked for; here it is held against the jars that are
 * there, each gets the sum of its file as shipped, since code that nothing reaches was left out of it, and the Java
 * runtime is added, after the {@code release} file of its JDK. A jar without a component, or a component without a
 * jar, is an error. The list's number is made from its content.
 */
class Components {
  private static final ObjectMapper JSON = new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT);

  public static void main(String[] args) throws Exception {
    ObjectNode list = (ObjectNode) JSON.readTree(Path.of(args[0]).toFile());
    Path distribution = Path.of(args[1]);
    Path libraries = distribution.resolve("app/lib");
    var missing = jars(libraries);
    for (var each : list.withArray("components")) {
      ObjectNode component = (ObjectNode) each;
      String jar = component.get("name").asText() + "-" + component.get("version").asText() + ".jar";
      if (!missing.remove(jar)) {
        throw new IllegalStateException(jar + " is listed, and not shipped");
      }
      component.remove("scope");
      sum(component, libraries.resolve(jar));
    }
    if (!missing.isEmpty()) {
      throw new IllegalStateException("shipped, and not listed: " + missing);
    }
    ObjectNode metadata = (ObjectNode) list.get("metadata");
    metadata.put("timestamp", args[3]);
    ObjectNode taskrole = (ObjectNode) metadata.get("component");
    taskrole.put("type", "application");
    sum(taskrole, distribution.resolve("app/taskrole.jar"));
    ObjectNode runtime = runtime(distribution.resolve("runtime"), Path.of(args[2]));
    list.withArray("components").add(runtime);
    for (var each : list.withArray("dependencies")) {
      if (each.get("ref").equals(taskrole.get("bom-ref"))) {
        ((ArrayNode) each.get("dependsOn")).add(runtime.get("bom-ref"));
      }
    }
    list.remove("serialNumber");
    byte[] content = JSON.writeValueAsBytes(list);
    list.put("serialNumber", "urn:uuid:" + UUID.nameUUIDFromBytes(content));
    System.out.println(JSON.writeValueAsString(list));
  }

  private static TreeSet<String> jars(Path directory) throws IOException {
    try (Stream<Path> files = Files.list(directory)) {
      return new TreeSet<>(files.map(file -> file.getFileName().toString()).toList());
    }
  }

  private static void sum(ObjectNode component, Path file) throws IOException, NoSuchAlgorithmException {
    ArrayNode hashes = component.putArray("hashes");
    hashes
        .addObject()
        .put("alg", "SHA-256")
        .put("content", HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(Files.readAllBytes(file))));
  }

  private static ObjectNode runtime(Path runtime, Path jdk) throws IOException {
    Properties release = new Properties();
    for (Path file : new Path[] {jdk, runtime.resolve("release")}) {
      release.load(Files.newBufferedReader(file, StandardCharsets.UTF_8));
    }
    String version = release.getProperty("JAVA_RUNTIME_VERSION").replace("\"", "");
    String number = release.getProperty("JAVA_VERSION").replace("\"", "");
    ObjectNode component = JSON.createObjectNode();
    component
        .put("type", "platform")
        .put("bom-ref", "java-runtime")
        .put("publisher", release.getProperty("IMPLEMENTOR").replace("\"", ""))
        .put("name", "openjdk")
        .put("version", version)
        .put("description", "Java runtime, of the modules " + release.getProperty("MODULES").replace("\"", ""))
        .put("cpe", "cpe:2.3:a:oracle:openjdk:" + number + ":*:*:*:*:*:*:*")
        .put("purl", "pkg:generic/openjdk@" + version.replace("+", "%2B"));
    component
        .putArray("licenses")
        .addObject()
        .put("expression", "GPL-2.0-only WITH Classpath-exception-2.0");
    return component;
  }
}
