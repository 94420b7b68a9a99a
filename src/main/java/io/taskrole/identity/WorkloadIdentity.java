package io.taskrole.identity;

import java.time.Instant;
import java.util.Optional;

/**
 * A task's identity as a verified token states it: an instance is the proof that signature, times,
 * audience and claims held when it was made, {@code exp} alone excepted. Only {@link TokenVerifier}
 * makes one.
 *
 * @param workload the task's coordinates
 * @param allocation {@code nomad_allocation_id}
 * @param region the Nomad region, the first part of {@code sub}
 * @param identityName the name of the {@code identity} block, the last part of {@code sub}
 * @param issuer {@code iss}, empty when the cluster sets no {@code oidc_issuer}
 * @param subject {@code sub}, whole
 * @param tokenId {@code jti}, empty when the token has none
 * @param issuedAt {@code iat}
 * @param expiresAt {@code exp}
 * @param keyId {@code kid} of the key that signed
 */
public record WorkloadIdentity(
    Workload workload,
    AllocationId allocation,
    String region,
    String identityName,
    Optional<String> issuer,
    String subject,
    Optional<String> tokenId,
    Instant issuedAt,
    Instant expiresAt,
    String keyId) {}
