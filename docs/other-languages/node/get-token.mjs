// A token by the client credentials grant with openid-client, which finds the issuer's endpoints.
import { readFile } from "node:fs/promises";
import * as client from "openid-client";

const { ISSUER, CLIENT_ID, CLIENT_SECRET, CLIENT_KEY_FILE, RESOURCE, SCOPE } = process.env;

/** A secret, or a private key: then nothing is sent that somebody could use again. */
async function authentication() {
  if (CLIENT_SECRET) return client.ClientSecretBasic(CLIENT_SECRET);
  const jwk = JSON.parse(await readFile(CLIENT_KEY_FILE, "utf8"));
  const algorithm = { name: "ECDSA", namedCurve: "P-256" };
  const key = await crypto.subtle.importKey("jwk", jwk, algorithm, false, ["sign"]);
  return client.PrivateKeyJwt({ key, kid: jwk.kid });
}

const url = new URL(ISSUER);
const config = await client.discovery(url, CLIENT_ID, {}, await authentication(), {
  // Plain http only on this machine.
  execute: url.hostname === "127.0.0.1" ? [client.allowInsecureRequests] : [],
});

const parameters = {};
if (RESOURCE) parameters.resource = RESOURCE; // for one API of several (RFC 8707)
if (SCOPE) parameters.scope = SCOPE;
const token = await client.clientCredentialsGrant(config, parameters);

console.log(JSON.stringify(token));
