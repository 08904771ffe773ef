// An issuer of tokens whose statuses are in lists of 1, 2, 4 and 8 bits. Prints one line: its URL, and
// each token with its status.
import { createServer } from "node:http";
import { StatusList, createHeaderAndPayload } from "@sd-jwt/jwt-status-list";
import { SignJWT, exportJWK, generateKeyPair } from "jose";

const alg = "ES256";
const { privateKey, publicKey } = await generateKeyPair(alg);
const key = { ...(await exportJWK(publicKey)), kid: "k", alg, use: "sig" };
const now = Math.floor(Date.now() / 1000);
const sign = ({ header, payload }) =>
  new SignJWT(payload).setProtectedHeader(header).sign(privateKey);

const pages = new Map();
const server = createServer((request, response) => {
  const [type, body] = pages.get(request.url) ?? [];
  response.writeHead(body ? 200 : 404, { "content-type": type ?? "text/plain" });
  response.end(body ?? "nothing here");
});
await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
const issuer = `http://127.0.0.1:${server.address().port}`;
pages.set("/keys", ["application/jwk-set+json", JSON.stringify({ keys: [key] })]);

const tokens = [];
for (const bits of [1, 2, 4, 8]) {
  const uri = `${issuer}/lists/${bits}`;
  // The list has every possible status at least twice, across byte boundaries, and is padded to
  // whole bytes.
  const statuses = Array.from({ length: 2 * 2 ** bits + 8 }, (_, place) => (place * 3) % 2 ** bits);
  const list = new StatusList(statuses, bits);
  const claims = { sub: uri, iat: now, exp: now + 3600, ttl: 60 };
  const signed = await sign(createHeaderAndPayload(list, claims, { alg, typ: "statuslist+jwt", kid: "k" }));
  pages.set(`/lists/${bits}`, ["application/statuslist+jwt", signed]);
  for (const [idx, status] of statuses.entries()) {
    const payload = {
      iss: issuer, aud: "https://api.example", sub: "a", client_id: "c", iat: now, exp: now + 3600,
      jti: `${bits}.${idx}`, status: { status_list: { idx, uri } },
    };
    tokens.push({ status, token: await sign({ header: { alg, typ: "at+jwt", kid: "k" }, payload }) });
  }
}
console.log(JSON.stringify({ issuer, tokens }));
// Exits with the process that started it.
process.stdin.on("end", () => process.exit()).resume();
