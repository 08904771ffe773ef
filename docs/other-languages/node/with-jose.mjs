// Validates access tokens with jose, one per line of the input.
import { createInterface } from "node:readline";
import { createRemoteJWKSet, errors, jwtVerify } from "jose";

const issuer = process.env.ISSUER;
const audience = process.env.AUDIENCE;

// One per process: it caches the keys, and fetches again for an unknown `kid`.
const keys = createRemoteJWKSet(new URL(`${issuer}/.well-known/jwks.json`), {
  cacheMaxAge: 300_000,
  cooldownDuration: 30_000,
  timeoutDuration: 5_000,
});

/** Returns the claims of an access token for this API; throws a JOSEError for any other token. */
async function verify(token) {
  const { payload } = await jwtVerify(token, keys, {
    issuer,
    audience,
    // RFC 9068: rejects an ID token of the same issuer, which passes all other checks.
    typ: "at+jwt",
    // Only asymmetric algorithms that your issuer uses. Never take them from the token.
    algorithms: ["ES256", "EdDSA", "RS256"],
    // Required claims. Without this list, a token without exp would never expire.
    requiredClaims: ["sub", "exp", "iat", "jti", "client_id"],
    clockTolerance: "10s",
  });
  return payload;
}

for await (const line of createInterface({ input: process.stdin })) {
  try {
    console.log("accepted", (await verify(line.trim())).sub);
  } catch (error) {
    if (!(error instanceof errors.JOSEError)) throw error;
    // For your log only. Answer the client with "invalid_token" and nothing more.
    console.log("refused", error.code, error.message);
  }
}
