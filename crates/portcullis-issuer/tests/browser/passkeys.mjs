// Registers passkeys of two virtual authenticators in Chromium, and logs in with them.

import assert from 'node:assert/strict';
import { launch } from '../../../portcullis-cli/tests/browser/chromium.mjs';

const { CHROMIUM, PROFILE, HERE, THERE, PASSWORD } = process.env;

// Ends a run that hangs.
setTimeout(() => {
  console.error('not finished within 2 minutes');
  process.exit(1);
}, 120_000).unref();

const browser = await launch(CHROMIUM, PROFILE);
const page = await browser.page(800, 600, 'light');
await page.call('WebAuthn.enable');

const authenticator = async (transport) => {
  const options = {
    protocol: 'ctap2',
    ctap2Version: 'ctap2_1',
    transport,
    hasResidentKey: true,
    hasUserVerification: true,
    isUserVerified: true,
  };
  const { authenticatorId } = await page.call('WebAuthn.addVirtualAuthenticator', { options });
  return authenticatorId;
};
const credentials = async (authenticatorId) =>
  (await page.call('WebAuthn.getCredentials', { authenticatorId })).credentials;

const open = async (origin) => {
  await page.open(`${origin}/`);
  await page.evaluate(`
    window.request = async (method, path, body) => {
      const response = await fetch('${HERE}/v1/auth' + path, {
        method,
        credentials: 'include',
        headers: body ? { 'content-type': 'application/json' } : {},
        body: body && JSON.stringify(body),
      });
      const text = await response.text();
      return { status: response.status, body: text && JSON.parse(text) };
    };
    window.answer = async () => {
      const { body } = await request('POST', '/passkeys/challenge');
      const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(body.options);
      const credential = await navigator.credentials.get({ publicKey });
      return { ceremony: body.ceremony, credential: credential.toJSON() };
    };
    window.register = async (name) => {
      const { status, body } = await request('POST', '/passkeys/registration', {});
      if (status !== 201) return { status, body };
      const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(body.options);
      const credential = await navigator.credentials.create({ publicKey });
      return request('POST', '/passkeys',
        { ceremony: body.ceremony, credential: credential.toJSON(), name });
    };
    window.claims = (login) => JSON.parse(atob(login.body.access_token.split('.')[1]
      .replaceAll('-', '+').replaceAll('_', '/')));`);
};

await open(HERE);
const laptop = await authenticator('internal');

const registered = await page.evaluate(`
  const login = await request('POST', '/login', { username: 'alice', password: '${PASSWORD}' });
  if (login.status !== 200) return login;
  return register('laptop');`);
assert.equal(registered.status, 201, JSON.stringify(registered));
assert.equal(registered.body.recovery_codes.length, 10);
const [stored] = await credentials(laptop);
assert.equal(stored.isResidentCredential, true);
assert.equal(stored.rpId, 'localhost');
assert.equal(Buffer.from(stored.userHandle, 'base64').length, 16);
console.log('ok: registered');

const login = await page.evaluate(`
  await request('POST', '/logout');
  const login = await request('POST', '/passkeys/login', await answer());
  const listed = await request('GET', '/passkeys');
  return { status: login.status, claims: claims(login), listed, keys: Object.keys(login.body) };`);
assert.equal(login.status, 200);
assert.deepEqual(login.claims.amr, ['hwk', 'user', 'mfa']);
assert.equal(login.claims.acr, 'aal2');
assert.ok(!login.keys.includes('refresh_token'), 'the page gets no refresh token');
assert.deepEqual(login.listed.body.passkeys.map(({ name }) => name), ['laptop']);
console.log('ok: logged in without a name');

const second = await page.evaluate(`
  const body = { username: 'alice', password: '${PASSWORD}' };
  const needed = await request('POST', '/login', body);
  const login = await request('POST', '/login', { ...body, passkey: await answer() });
  const stepUp = await request('POST', '/step-up', { passkey: await answer() });
  return { needed, status: login.status, claims: claims(login), stepUp: stepUp.status };`);
assert.equal(second.needed.body.type, 'urn:portcullis:problem:second-factor-needed');
assert.deepEqual([second.status, second.stepUp], [200, 200]);
assert.deepEqual(second.claims.amr, ['pwd', 'hwk', 'user', 'mfa']);
console.log('ok: second factor and step-up');

// A second device. The browser offers the first one no second passkey of the same user.
const again = await page.evaluate(`return register('again').catch((error) => error.name);`);
assert.equal(again, 'InvalidStateError');
await page.call('WebAuthn.setAutomaticPresenceSimulation', { authenticatorId: laptop, enabled: false });
const key = await authenticator('usb');
const device = await page.evaluate(`
  const registered = await register('key');
  await request('POST', '/logout');
  const login = await request('POST', '/passkeys/login', await answer());
  return { registered, login: login.status };`);
assert.equal(device.registered.status, 201, JSON.stringify(device));
assert.equal(device.registered.body.recovery_codes, undefined);
assert.equal(device.login, 200);
console.log('ok: second device');

// A copy of the key has the counter that the device had before its last signature.
const [copied] = await credentials(key);
const used = await page.evaluate(`return (await request('POST', '/passkeys/login', await answer())).status;`);
assert.equal(used, 200);
await page.call('WebAuthn.removeCredential', { authenticatorId: key, credentialId: copied.credentialId });
await page.call('WebAuthn.addCredential',
  { authenticatorId: key, credential: { ...copied, signCount: copied.signCount - 1 } });
const clone = await page.evaluate(`return request('POST', '/passkeys/login', await answer());`);
assert.equal(clone.status, 403);
assert.equal(clone.body.type, 'urn:portcullis:problem:wrong-passkey');
console.log('ok: cloned counter refused');
await page.call('WebAuthn.removeVirtualAuthenticator', { authenticatorId: key });
await page.call('WebAuthn.setAutomaticPresenceSimulation', { authenticatorId: laptop, enabled: true });

await open(THERE);
const elsewhere = await page.evaluate(`return request('POST', '/passkeys/login', await answer());`);
assert.equal(elsewhere.status, 403, JSON.stringify(elsewhere));
assert.equal(elsewhere.body.type, 'urn:portcullis:problem:wrong-passkey');
console.log('ok: wrong origin refused');

await open(HERE);
const removed = await page.evaluate(`
  const login = await request('POST', '/passkeys/login', await answer());
  const { body } = await request('GET', '/passkeys');
  const laptop = body.passkeys.find(({ name }) => name === 'laptop');
  const removed = await request('DELETE', '/passkeys/' + laptop.id);
  await request('POST', '/logout');
  const refused = await request('POST', '/passkeys/login', await answer());
  return { login: login.status, removed: removed.status, refused };`);
assert.deepEqual([removed.login, removed.removed, removed.refused.status], [200, 204, 403]);
assert.deepEqual(removed.refused.body, clone.body, 'all refusals are alike');
console.log('ok: removed passkey refused');

await browser.close();
process.exit(0);
