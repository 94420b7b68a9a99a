package io.taskrole.identity;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import io.taskrole.identity.Verification.Expired;
import io.taskrole.identity.Verification.Rejected;
import io.taskrole.identity.Verification.Verified;
import io.taskrole.refusal.Reason;
import io.taskrole.refusal.Refusal;
import io.taskrole.time.TimeSource;
import java.time.Instant;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Judges Nomad workload identity tokens (RFC 7519) as RFC 8725 asks, in a fixed order: form,
 * algorithm, header, key, signature, kind, audience, issuer, times, subject. Each check has its own
 * reason.
 *
 * <p>A token that was verified is remembered by its SHA-256 until it expires or its key leaves the
 * set. Refusals are never remembered. Safe for concurrent use.
 */
public final class TokenVerifier implements Verifier {
  private static final Set<String> ALLOWED_HEADER = Set.of("alg", "kid", "typ");
  private static final Set<String> ALGORITHMS = Set.of("RS256", "ES256");

  /** The audience of the identities that are meant for Nomad itself. */
  private static final String NOMAD_AUDIENCE = "nomadproject.io";

  private static final int REMEMBERED = 10_000;
  private static final int LONGEST_NAME = 512;

  /** 9999-12-31T23:59:59Z: no honest claim is later. */
  private static final long LATEST_SECOND = 253_402_300_799L;

  private record Remembered(Verified verified, String keyId, VerificationKey key) {}

  /** Ends the checks; never leaves this class, carries no stack trace. */
  private static final class Refused extends Exception {
    private static final long serialVersionUID = 1;
    private final transient Refusal refusal;

    Refused(Reason reason, String message) {
      super(null, null, false, false);
      this.refusal = reason.refusal(message);
    }
  }

  private final IdentityConfig config;
  private final Keys keys;
  private final TimeSource time;
  private final Cache<BearerToken.Digest, Remembered> remembered =
      Caffeine.newBuilder().maximumSize(REMEMBERED).executor(Runnable::run).build();

  public TokenVerifier(IdentityConfig config, Keys keys, TimeSource time) {
    this.config = config;
    this.keys = keys;
    this.time = time;
  }

  @Override
  public @Nullable Verified recall(BearerToken token) {
    Remembered known = remembered.getIfPresent(token.digest());
    if (known == null) {
      return null;
    }
    KeySet current = keys.current();
    boolean holds =
        current != null
            && known.key().equals(current.key(known.keyId()))
            && time.instant().isBefore(known.verified().identity().expiresAt());
    if (!holds) {
      remembered.invalidate(token.digest());
      return null;
    }
    return known.verified();
  }

  /**
   * Forgets what has expired, which nobody will ask for again; to be called now and then. Without
   * it old tokens would fill the memory to its bound.
   */
  public void tend() {
    Instant now = time.instant();
    remembered
        .asMap()
        .values()
        .removeIf(known -> !now.isBefore(known.verified().identity().expiresAt()));
  }

  /** How many tokens are remembered. */
  int remembered() {
    return remembered.asMap().size();
  }

  /** Has every token verified anew, its times above all, as after the clock was set. */
  public void forget() {
    remembered.invalidateAll();
  }

  @Override
  public Verification verify(BearerToken token) {
    Verified known = recall(token);
    if (known != null) {
      return known;
    }
    try {
      SignedToken signed = form(token);
      algorithm(signed.header());
      String keyId = header(signed.header());
      VerificationKey.Usable key = key(keyId);
      signature(signed, key);
      WorkloadIdentity identity = identity(signed, keyId);
      if (!time.instant().isBefore(identity.expiresAt())) {
        return new Expired(identity, expired(identity.expiresAt()));
      }
      Verified verified = new Verified(identity);
      remembered.put(token.digest(), new Remembered(verified, keyId, key));
      return verified;
    } catch (Refused e) {
      return new Rejected(e.refusal);
    }
  }

  private static SignedToken form(BearerToken token) throws Refused {
    Optional<SignedToken> signed = SignedToken.parse(token.content().revealText());
    return signed.orElseThrow(() ->
        new Refused(
            Reason.TOKEN_MALFORMED,
            "Ask again: the token is cut or not a JWT; Nomad may just be rewriting the token"
                + " file. If it stays, job author: send the file as it is."));
  }

  private static void algorithm(Map<String, Object> header) throws Refused {
    Object algorithm = header.get("alg");
    if ("EdDSA".equals(algorithm)) {
      throw new Refused(
          Reason.TOKEN_ALGORITHM_REFUSED,
          "Operator: rotate the Nomad keyring (nomad operator root keyring rotate); this token is"
              + " signed with EdDSA, which AWS STS refuses.");
    }
    if (!(algorithm instanceof String name) || !ALGORITHMS.contains(name)) {
      throw new Refused(
          Reason.TOKEN_ALGORITHM_REFUSED,
          "Job author: send the token that Nomad signed; only RS256 and ES256 are accepted.");
    }
  }

  private static String header(Map<String, Object> header) throws Refused {
    if (!ALLOWED_HEADER.containsAll(header.keySet())
        || (header.containsKey("typ") && !"JWT".equals(header.get("typ")))) {
      throw new Refused(
          Reason.TOKEN_HEADER_REFUSED,
          "Job author: send the token that Nomad signed; its header holds more than alg, kid, typ.");
    }
    if (!(header.get("kid") instanceof String keyId) || !KeySet.KEY_ID.matcher(keyId).matches()) {
      throw new Refused(
          Reason.TOKEN_HEADER_REFUSED,
          "Job author: send the token that Nomad signed; its header names no Nomad root key as kid.");
    }
    return keyId;
  }

  private VerificationKey.Usable key(String keyId) throws Refused {
    KeySet set = keys.current();
    VerificationKey key = set == null ? null : set.key(keyId);
    if (key == null) {
      set = keys.reloaded();
      key = set == null ? null : set.key(keyId);
    }
    if (set == null) {
      throw new Refused(
          Reason.KEY_SET_UNAVAILABLE,
          "Operator: the key set was never loaded; check identity.key-set and the Nomad agent."
              + " Ask again.");
    }
    return switch (key) {
      case VerificationKey.Usable usable -> usable;
      case VerificationKey.Unusable unusable ->
          throw new Refused(
              Reason.TOKEN_ALGORITHM_REFUSED,
              "Operator: rotate the Nomad keyring; the key of this token is of the kind "
                  + unusable.algorithm()
                  + ", which AWS STS refuses.");
      case null ->
          throw new Refused(
              Reason.TOKEN_KEY_UNKNOWN,
              "Operator: the signing key "
                  + keyId
                  + " is not in the key set; a token of another cluster or region, or a"
                  + " key that was removed.");
    };
  }

  private static void signature(SignedToken token, VerificationKey.Usable key) throws Refused {
    if (!key.algorithm().equals(token.header().get("alg"))) {
      throw new Refused(
          Reason.TOKEN_ALGORITHM_REFUSED,
          "Job author: send the token that Nomad signed; its alg is not the one of its key.");
    }
    if (!key.verifies(token.input(), token.signature())) {
      throw new Refused(
          Reason.TOKEN_SIGNATURE_INVALID,
          "Job author: send the token file as Nomad wrote it; the signature is not the issuer's.");
    }
  }

  private WorkloadIdentity identity(SignedToken token, String keyId) throws Refused {
    kind(token);
    audience(token);
    issuer(token);
    Instant issuedAt = second(token, "iat");
    Instant notBefore = second(token, "nbf");
    if (!token.has("exp")) {
      throw new Refused(
          Reason.TOKEN_CLAIMS_INVALID,
          "Job author: set ttl in the identity block; the token has no exp, and STS refuses such"
              + " tokens.");
    }
    Instant expiresAt = second(token, "exp");
    times(issuedAt, notBefore, expiresAt);
    String namespace = name(token, "nomad_namespace");
    String job = name(token, "nomad_job_id");
    String task = name(token, "nomad_task");
    AllocationId allocation =
        AllocationId.parse(name(token, "nomad_allocation_id"))
            .orElseThrow(() -> invalid("nomad_allocation_id is not an allocation id"));
    String subject = name(token, "sub");
    Subject parts =
        Subject.parse(subject, namespace, job, task)
            .orElseThrow(() -> invalid("sub disagrees with the other claims"));
    // Thousands of tokens share these names; they are held once. Only verified tokens come so far.
    return new WorkloadIdentity(
        new Workload(namespace.intern(), job.intern(), parts.group().intern(), task.intern()),
        allocation,
        parts.region().intern(),
        parts.identityName().intern(),
        Optional.ofNullable(token.text("iss")).map(String::intern),
        subject.intern(),
        Optional.ofNullable(token.text("jti")),
        issuedAt,
        expiresAt,
        keyId.intern());
  }

  /** Node, introduction, service and default identities are signed by the same keys. */
  private static void kind(SignedToken token) throws Refused {
    if (!token.has("nomad_allocation_id")
        || !token.has("nomad_task")
        || token.has("nomad_service")
        || NOMAD_AUDIENCE.equals(token.claims().get("aud"))) {
      throw new Refused(
          Reason.TOKEN_NOT_A_TASK,
          "Job author: add an identity block with its own name, aud and ttl to the task; this token"
              + " is Nomad's own or a service's.");
    }
  }

  private void audience(SignedToken token) throws Refused {
    if (!config.audience().equals(token.claims().get("aud"))) {
      throw new Refused(
          Reason.TOKEN_AUDIENCE_REFUSED,
          "Job author: set aud = [\""
              + config.audience()
              + "\"] in the identity block, exactly this one and no other.");
    }
  }

  private void issuer(SignedToken token) throws Refused {
    Object issuer = token.claims().get("iss");
    if (issuer != null && !(issuer instanceof String)) {
      throw invalid("iss is not a string");
    }
    if (config.issuer().isPresent() && !config.issuer().get().equals(issuer)) {
      throw new Refused(
          Reason.TOKEN_ISSUER_REFUSED,
          "Operator: identity.issuer differs from the token's iss; set it to the oidc_issuer of the"
              + " Nomad servers, or the token is of another cluster.");
    }
  }

  private void times(Instant issuedAt, Instant notBefore, Instant expiresAt) throws Refused {
    Instant now = time.instant();
    if (!expiresAt.isAfter(issuedAt)) {
      throw invalid("exp is not after iat");
    }
    Instant latest = now.plus(config.clockSkew());
    if (notBefore.isAfter(latest) || issuedAt.isAfter(latest)) {
      throw new Refused(
          Reason.TOKEN_NOT_YET_VALID,
          "Operator: set the clocks of this node and the Nomad servers; the token begins at "
              + notBefore
              + ".");
    }
  }

  private static Refusal expired(Instant at) {
    return Reason.TOKEN_EXPIRED.refusal(
        "Job author: let the SDK read the token file again; this token expired at "
            + at
            + ". If the file itself is old, operator: see why Nomad does not renew it.");
  }

  private static Instant second(SignedToken token, String claim) throws Refused {
    if (token.claims().get(claim) instanceof Long second && second > 0 && second <= LATEST_SECOND) {
      return Instant.ofEpochSecond(second);
    }
    throw invalid(claim + " is missing or not a whole number of seconds");
  }

  private static String name(SignedToken token, String claim) throws Refused {
    String text = token.text(claim);
    if (text == null || text.isEmpty()) {
      throw invalid(claim + " is missing or not a string");
    }
    if (text.length() > (claim.equals("sub") ? 4 * LONGEST_NAME : LONGEST_NAME)
        || text.codePoints().anyMatch(TokenVerifier::isDeceptive)) {
      throw invalid(claim + " holds control or direction characters, or is too long");
    }
    return text;
  }

  /** Control and bidirectional-formatting characters make two names look alike in a log. */
  private static boolean isDeceptive(int codePoint) {
    int type = Character.getType(codePoint);
    return type == Character.CONTROL
        || type == Character.FORMAT
        || type == Character.LINE_SEPARATOR
        || type == Character.PARAGRAPH_SEPARATOR;
  }

  private static Refused invalid(String what) {
    return new Refused(
        Reason.TOKEN_CLAIMS_INVALID,
        "Operator: this is not a token as Nomad 1.8.4 or later signs them for a task: "
            + what
            + ".");
  }
}
