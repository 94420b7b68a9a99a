package io.taskrole.yaml;

/**
 * What is wrong with a file, and how to mend it. Prints as {@code file:line:column: problem; mend}.
 *
 * @param place where it is wrong
 * @param what what is wrong
 * @param mend what the operator should write or do
 */
public record Problem(Place place, String what, String mend) {
  @Override
  public String toString() {
    return place + ": " + what + "; " + mend;
  }
}
