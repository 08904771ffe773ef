// Each line of the input is a token. For each token, prints its status from the list that the token
// references. Before that, jose verifies the list's signature with the keys that the issuer
// publishes.
import { createInterface } from "node:readline";
import { getListFromStatusListJWT, getStatusListFromJWT } from "@sd-jwt/jwt-status-list";
import { createRemoteJWKSet, jwtVerify } from "jose";

const issuer = process.env.ISSUER;
const keys = createRemoteJWKSet(new URL(`${issuer}/.well-known/jwks.json`));

for await (const line of createInterface({ input: process.stdin })) {
  const { idx, uri } = getStatusListFromJWT(line);
  const answer = await fetch(uri, { headers: { accept: "application/statuslist+jwt" } });
  const kind = answer.headers.get("content-type");
  if (!answer.ok || kind !== "application/statuslist+jwt") throw new Error(`${answer.status} ${kind}`);
  const list = await answer.text();
  await jwtVerify(list, keys, {
    typ: "statuslist+jwt",
    subject: uri,
    requiredClaims: ["iat", "exp", "ttl"],
  });
  console.log(getListFromStatusListJWT(list).getStatus(idx));
}
