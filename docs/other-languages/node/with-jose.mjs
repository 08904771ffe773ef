// Access tokens with jose: each line of the input is a token to be judged.
import { createInterface } from "node:readline";
import { createRemoteJWKSet, errors, jwtVerify } from "jose";

const issuer = process.env.ISSUER;
const audience = process.env.AUDIENCE;

// Once for the whole process: it caches the keys, and asks again when it meets an unknown one.
const keys = createRemoteJWKSet(new URL(`${issuer}/.well-known/jwks.json`), {
  cacheMaxAge: 300_000,
  cooldownDuration: 30_000,
  timeoutDuration: 5_000,
});

/** The claims of an access token for this API; throws a JOSEError for anything else. */
async function verify(token) {
  const { payload } = await jwtVerify(token, keys, {
    issuer,
    audience,
    // RFC 9068: an ID token of the same issuer is not an access token, though all else holds.
    typ: "at+jwt",
    // Asymmetric ones only, and those that your issuer uses. Never what the token says.
    algorithms: ["ES256", "EdDSA", "RS256"],
    // What must be there. Without this, a token without exp would be good for ever.
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
    // For your log. A client is told "invalid_token", and nothing more.
    console.log("refused", error.code, error.message);
  }
}
