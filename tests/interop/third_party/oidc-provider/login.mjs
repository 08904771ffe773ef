// The part of a browser that a login and a logout need: it follows redirects, keeps cookies, and posts
// the provider's forms (login, consent, logout). The flow of a login is the authorization code flow with
// PKCE (RFC 7636).

import { createHash, randomBytes } from 'node:crypto';

/**
 * Logs a user in, and keeps the cookies of the session. Returns the token endpoint's response: `id_token`
 * and `access_token`, which is for `resource`.
 */
export async function logIn(issuer, client, { resource, scope, cookies = new Map() }) {
  const [redirectUri] = client.redirect_uris;
  const verifier = randomBytes(32).toString('base64url');
  const state = randomBytes(16).toString('base64url');

  const start = new URL('/auth', issuer);
  start.search = new URLSearchParams({
    client_id: client.client_id,
    redirect_uri: redirectUri,
    response_type: 'code',
    scope: `openid ${scope}`,
    resource,
    state,
    nonce: randomBytes(16).toString('base64url'),
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
  });

  const callback = await browse(start, redirectUri, cookies);
  if (callback.searchParams.get('state') !== state || !callback.searchParams.has('code')) {
    throw new Error(`the log-in ended at ${callback}`);
  }

  const answer = await fetch(new URL('/token', issuer), {
    method: 'POST',
    headers: { authorization: basic(client) },
    body: new URLSearchParams({
      grant_type: 'authorization_code',
      code: callback.searchParams.get('code'),
      redirect_uri: redirectUri,
      code_verifier: verifier,
      resource,
    }),
  });
  if (!answer.ok) throw new Error(`the token endpoint said ${answer.status}: ${await answer.text()}`);
  return answer.json();
}

/** Ends the session of the cookies (OpenID Connect RP-Initiated Logout 1.0). */
export async function logOut(issuer, idToken, cookies) {
  const start = new URL('/session/end', issuer);
  start.search = new URLSearchParams({ id_token_hint: idToken });
  const end = await browse(start, new URL('/session/end/success', issuer).href, cookies);
  const answer = await fetch(end);
  if (!answer.ok) throw new Error(`the logout ended with ${answer.status} at ${end}`);
}

/** Follows redirects and fills in forms until the provider redirects the browser to `end`. */
async function browse(start, end, cookies) {
  let next = { url: start };

  for (let step = 0; step < 20; step += 1) {
    const { url, form } = next;
    const answer = await fetch(url, {
      method: form ? 'POST' : 'GET',
      body: form,
      redirect: 'manual',
      headers: { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; ') },
    });
    for (const cookie of answer.headers.getSetCookie()) keep(cookies, cookie);

    const location = answer.headers.get('location');
    if (location) {
      const target = new URL(location, url);
      if (target.href.startsWith(end)) return target;
      next = { url: target };
    } else {
      next = fillIn(await answer.text(), url);
    }
  }
  throw new Error(`too many redirects from ${start}`);
}

function keep(cookies, header) {
  const [pair] = header.split(';');
  const [name, ...value] = pair.split('=');
  if (value.join('=') === '') cookies.delete(name);
  else cookies.set(name, value.join('='));
}

function fillIn(page, url) {
  const action = page.match(/<form[^>]* action="([^"]+)"/)?.[1];
  const xsrf = page.match(/name="xsrf" value="([^"]+)"/)?.[1];
  if (action && xsrf) {
    return { url: new URL(action, url), form: new URLSearchParams({ xsrf, logout: 'yes' }) };
  }
  const prompt = page.match(/name="prompt" value="(login|consent)"/)?.[1];
  if (!action || !prompt) throw new Error(`no form at ${url}: ${page.slice(0, 500)}`);

  const form = new URLSearchParams({ prompt });
  if (prompt === 'login') {
    form.set('login', 'alice');
    form.set('password', 'any');
  }
  return { url: new URL(action, url), form };
}

/** RFC 6749 section 2.3.1: both halves are form-encoded before they are joined. */
function basic({ client_id, client_secret }) {
  const [id, secret] = [client_id, client_secret].map(encodeURIComponent);
  return `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`;
}
