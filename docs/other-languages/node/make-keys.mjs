// Generates a key pair for a client. The client keeps key.json; pass jwks.json to
// `portcullis-issuer clients add ID --jwks jwks.json`.
import { writeFile } from "node:fs/promises";
import { calculateJwkThumbprint, exportJWK, generateKeyPair } from "jose";

const { publicKey, privateKey } = await generateKeyPair("ES256", { extractable: true });
const shown = await exportJWK(publicKey);
const kid = await calculateJwkThumbprint(shown);

const key = { ...(await exportJWK(privateKey)), kid };
await writeFile("key.json", JSON.stringify(key), { mode: 0o600, flag: "wx" });
await writeFile("jwks.json", JSON.stringify({ keys: [{ ...shown, kid, alg: "ES256", use: "sig" }] }));
