// A cache hit in fast-jwt. Prints a line like the other benchmarks.
import { generateKeyPairSync } from 'node:crypto'
import { createSigner, createVerifier } from 'fast-jwt'

const [issuer, audience] = ['https://issuer.example', 'https://api.example']
const { publicKey, privateKey } = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  publicKeyEncoding: { type: 'spki', format: 'pem' },
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' }
})
const now = Math.floor(Date.now() / 1000)
const sign = createSigner({
  key: privateKey, algorithm: 'RS256', header: { typ: 'at+jwt', kid: '2026-10-a' }
})
const token = sign({
  iss: issuer, sub: '8f3a1f6e-6c1b-4f0e-9d0a-0e5c2b7d9a11', aud: [issuer, audience],
  exp: now + 86400, iat: now, nbf: now, jti: '0'.repeat(32),
  client_id: 'identsphere-first-party', scope: 'orders:read orders:write profile',
  sid: 'b1946ac92492d2347c6235b4d2611184', roles: ['customer', 'clerk', 'auditor']
})
const verify = createVerifier({
  key: publicKey, algorithms: ['RS256'], allowedIss: issuer, allowedAud: audience, cache: 1000
})

const run = runs => {
  const begun = process.hrtime.bigint()
  for (let at = 0; at < runs; at++) verify(token)
  return Number(process.hrtime.bigint() - begun) / runs
}
run(20000)
const rounds = Array.from({ length: Number(process.argv[2]) }, () => run(4000).toFixed(1))
console.log(`beside node RS256\tfast-jwt, cache hit (node ${process.version})\t\t${rounds.join(' ')}`)
