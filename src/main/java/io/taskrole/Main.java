package io.taskrole;

import io.taskrole.cli.TaskroleCommand;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;

/** The entry point: arguments in, exit code out. */
public final class Main {
  /**
   * A virtual thread that waits until another thread has initialised a class keeps its carrier (JDK
   * 25). With as many of them as carriers, a third that holds a jar file's lock never runs again,
   * and the initialising thread waits for it: nothing ends. So there are more carriers than virtual
   * threads that load classes at the same time; they are made when they are needed.
   */
  private static final String CARRIERS = "8";

  private Main() {}

  /** Runs the command that the arguments name. */
  public static void main(String[] args) {
    prepareVirtualThreads();
    PrintWriter out = new PrintWriter(System.out, true, StandardCharsets.UTF_8);
    PrintWriter err = new PrintWriter(System.err, true, StandardCharsets.UTF_8);
    System.exit(TaskroleCommand.run(args, out, err));
  }

  /** Must come before the first virtual thread. */
  static void prepareVirtualThreads() {
    String property = "jdk.virtualThreadScheduler.parallelism";
    if (System.getProperty(property) == null) {
      System.setProperty(property, CARRIERS);
    }
  }
}
