// Gets a token by the client credentials grant with openid-client, which discovers the issuer's endpoints.
import { readFile } from "node:fs/promises";
import * as client from "openid-client";

const { ISSUER, CLIENT_ID, CLIENT_SECRET, CLIENT_KEY_FILE, RESOURCE, SCOPE } = process.env;

/** A secret, or a private key, whose assertions cannot be replayed. */
async function authentication() {
  if (CLIENT_SECRET) return client.ClientSecretBasic(CLIENT_SECRET);
  const jwk = JSON.parse(await readFile(CLIENT_KEY_FILE, "utf8"));
  const algorithm = { name: "ECDSA", namedCurve: "P-256" };
  const key = await crypto.subtle.importKey("jwk", jwk, algorithm, false, ["sign"]);
  return client.PrivateKeyJwt({ key, kid: jwk.kid });
}

const url = new URL(ISSUER);
const config = await client.discovery(url, CLIENT_ID, {}, await authentication(), {
  // Plain http is allowed on this machine only.
  execute: url.hostname === "127.0.0.1" ? [client.allowInsecureRequests] : [],
});

const parameters = {};
if (RESOURCE) parameters.resource = RESOURCE; // selects one of several APIs (RFC 8707)
if (SCOPE) parameters.scope = SCOPE;
const token = await client.clientCredentialsGrant(config, parameters);

console.log(JSON.stringify(token));
