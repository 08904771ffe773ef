// A certified OpenID provider (the npm package `oidc-provider`), which is the issuer of the tests
// in `tests/interop/third_party_issuer` and `tests/real_issuers`. It listens on the loopback port
// in `PORT`, or on a port that the system chooses.
//
// It prints one line of JSON once it serves, `{"issuer":"http://127.0.0.1:PORT"}`, and ends when
// its standard input closes, so that it never outlives the test that started it.
//
// - `POST /token`, client_credentials: an access token (RFC 9068) for the requested `resource`.
//   The clients below determine its signature algorithm and its lifetime.
// - `GET /test/id-token`: logs a user in, as a browser would, and responds with the ID token.
// - `GET /test/login`: the same, and the response has `access_token`, for the API's audience, too.
// - `POST /test/logout`: ends the session of the ID token in the body. The issuer then sends a logout token
//   (OpenID Connect Back-Channel Logout 1.0) to the URL in `BACKCHANNEL_LOGOUT_URI`.
// - `POST /test/rotate`: new keys sign from now on; the previous ones stay published.

import { createServer } from 'node:http';
import { generateKeyPairSync } from 'node:crypto';
import { text } from 'node:stream/consumers';

import { Provider } from 'oidc-provider';

import { logIn, logOut } from './login.mjs';

const API = 'https://api.example';
const SECRET = 'only-for-tests';
const SCOPES = 'orders:read orders:write';

/** client_id -> how its access tokens are made */
const MACHINES = {
  rs256: { alg: 'RS256', ttl: 300 },
  ps256: { alg: 'PS256', ttl: 300 },
  es256: { alg: 'ES256', ttl: 300 },
  eddsa: { alg: 'EdDSA', ttl: 300 },
  // Times in a token are whole seconds: a token of two seconds is valid for one to two seconds.
  brief: { alg: 'ES256', ttl: 2 },
};

/** A client whose id is the API's audience: its ID tokens have the `aud` of an access token. */
const WEB_APP = {
  client_id: API,
  client_secret: SECRET,
  redirect_uris: ['https://app.example/callback'],
  response_types: ['code'],
  grant_types: ['authorization_code'],
  ...(process.env.BACKCHANNEL_LOGOUT_URI && {
    backchannel_logout_uri: process.env.BACKCHANNEL_LOGOUT_URI,
    backchannel_logout_session_required: true,
  }),
};

let generation = 0;

/** The cookies of each session, by its ID token. */
const sessions = new Map();

function newKeys() {
  generation += 1;
  const privateKey = (alg, type, options) => {
    const { privateKey } = generateKeyPairSync(type, options);
    const kid = `key-${alg.toLowerCase()}-${generation}`;
    return { ...privateKey.export({ format: 'jwk' }), alg, use: 'sig', kid };
  };
  return [
    privateKey('RS256', 'rsa', { modulusLength: 2048 }),
    privateKey('PS256', 'rsa', { modulusLength: 2048 }),
    privateKey('ES256', 'ec', { namedCurve: 'P-256' }),
    privateKey('EdDSA', 'ed25519'),
  ];
}

function configuration(keys) {
  const machines = Object.keys(MACHINES).map((client_id) => ({
    client_id,
    client_secret: SECRET,
    grant_types: ['client_credentials'],
    redirect_uris: [],
    response_types: [],
    scope: SCOPES,
  }));

  return {
    clients: [...machines, WEB_APP],
    jwks: { keys },
    scopes: ['openid', ...SCOPES.split(' ')],
    claims: { openid: ['sub'] },
    cookies: { keys: [SECRET] },
    // By default, the provider sends no requests to loopback addresses.
    fetch(url, options) {
      delete options.dispatcher;
      return globalThis.fetch(url, options);
    },
    findAccount: (_ctx, accountId) => ({ accountId, claims: () => ({ sub: accountId }) }),
    features: {
      backchannelLogout: { enabled: true },
      clientCredentials: { enabled: true },
      devInteractions: { enabled: true },
      // RFC 8707: a token is requested for one resource, and is a JWT with that audience.
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo(_ctx, resource, client) {
          const { alg, ttl } = MACHINES[client.clientId] ?? MACHINES.rs256;
          return {
            audience: resource,
            scope: SCOPES,
            accessTokenFormat: 'jwt',
            accessTokenTTL: ttl,
            jwt: { sign: { alg } },
          };
        },
      },
    },
  };
}

const server = createServer();
server.listen(Number(process.env.PORT ?? 0), '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  let keys = newKeys();
  let serve = new Provider(issuer, configuration(keys)).callback();

  server.on('request', async (request, response) => {
    if (request.url === '/test/rotate') {
      // The first matching key signs.
      keys = [...newKeys(), ...keys];
      serve = new Provider(issuer, configuration(keys)).callback();
      response.end();
      return;
    }
    try {
      if (['/test/id-token', '/test/login'].includes(request.url)) {
        const cookies = new Map();
        const tokens = await logIn(issuer, WEB_APP, { resource: API, scope: SCOPES, cookies });
        sessions.set(tokens.id_token, cookies);
        response.setHeader('content-type', 'application/json').end(JSON.stringify(tokens));
      } else if (request.url === '/test/logout') {
        const idToken = await text(request);
        await logOut(issuer, idToken, sessions.get(idToken));
        response.end();
      } else {
        serve(request, response);
      }
    } catch (error) {
      response.writeHead(500).end(String(error?.stack ?? error));
    }
  });
  console.log(JSON.stringify({ issuer }));
});

process.stdin.resume().on('end', () => process.exit(0));
