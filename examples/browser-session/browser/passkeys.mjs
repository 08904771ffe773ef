// Tests passkeys in a browser on three hosts, with virtual authenticators: what the user sees, and what is refused.

import assert from 'node:assert/strict';
import { ACCESS, endWithin, enter, hasEnded, launch, PASSWORD, picture, show, step, until } from './driver.mjs';

const { ISSUER } = process.env;
const [APP, API] = ['app', 'api'].map((host) => `https://${host}.shop.test`);
const REFUSED = 'The passkey is not accepted.';

endWithin(5);

const browser = await launch();

/**
 * A device: a browser with a page and an authenticator. `asked` has the page's requests. The user confirms all of
 * them but suggestions, and these while `chooses` is true.
 */
async function device(options) {
  const context = await browser.newContext(options);
  context.on('weberror', (error) => assert.fail(error.error()));
  const page = await context.newPage();
  const cdp = await context.newCDPSession(page);
  await cdp.send('WebAuthn.enable');
  const { authenticatorId } = await cdp.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2',
      ctap2Version: 'ctap2_1',
      transport: 'internal',
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
    },
  });
  const call = (method, parameters) => cdp.send(`WebAuthn.${method}`, { authenticatorId, ...parameters });
  const self = {
    context,
    page,
    asked: [],
    chooses: false,
    /** Whether the authenticator recognizes its user. */
    verifies: (isUserVerified) => call('setUserVerified', { isUserVerified }),
    credentials: async () => (await call('getCredentials')).credentials,
    /** Puts a copy of a credential into the authenticator, instead of the one that is there. */
    async copy(credential) {
      await call('clearCredentials');
      await call('addCredential', { credential });
    },
  };
  // A virtual authenticator answers at once, or not at all.
  await page.exposeFunction('beforeRequest', async (kind) => {
    self.asked.push(kind);
    await call('setAutomaticPresenceSimulation', { enabled: kind !== 'suggestion' || self.chooses });
  });
  await page.addInitScript(() => {
    const { credentials } = navigator;
    const [create, get] = [credentials.create, credentials.get].map((one) => one.bind(credentials));
    credentials.create = (options) => beforeRequest('registration').then(() => create(options));
    credentials.get = (options) =>
      beforeRequest(options.mediation === 'conditional' ? 'suggestion' : 'request').then(() => get(options));
  });
  return self;
}

const laptop = await device({ viewport: { width: 1100, height: 760 } });
const phone = await device({
  viewport: { width: 390, height: 844 },
  userAgent: 'Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/131.0.0.0 Mobile Safari/537.36',
});

const names = (page) => page.locator('#passkeys li strong').allTextContents();
const paid = (page) => page.getByText('paid', { exact: true }).count();
const isLoggedIn = (page) => page.waitForSelector('#logout');

async function logOut({ page, asked }) {
  asked.length = 0;
  await page.click('#logout');
  await until('the suggestions', () => asked.includes('suggestion'));
}

/** Logs in with the button of the form. */
const useButton = ({ page }) => page.getByRole('button', { name: 'Use a passkey' }).click();

/** The passkey of the device is refused, and the form is shown again. */
async function isRefused(device) {
  await useButton(device);
  await device.page.locator('#login [role=alert]', { hasText: REFUSED }).waitFor();
  assert.equal(await status(device.page), 401);
}

/** The API's answer to the page's cookies. */
const status = (page) =>
  page.evaluate(async (api) => (await fetch(`${api}/orders`, { credentials: 'include' })).status, API);

/** What the issuer answers if the login or the step-up is more than 5 minutes ago. */
const tooOld = (kind, acr = '') => ({
  status: 401,
  contentType: 'application/problem+json',
  headers: {
    'Access-Control-Allow-Origin': APP,
    'Access-Control-Allow-Credentials': 'true',
    'Access-Control-Expose-Headers': 'WWW-Authenticate',
    'WWW-Authenticate': `Bearer error="insufficient_user_authentication"${acr}, max_age="300"`,
  },
  body: JSON.stringify({ type: `urn:portcullis:problem:${kind}` }),
});

let codes;

await step('registration that fails says why, and an old login needs the password', async () => {
  const { page } = laptop;
  await page.goto(APP);
  await enter(page);
  await isLoggedIn(page);
  await show(page, 'Security');
  await page.getByText('You have no passkey yet.').waitFor();
  await picture(page, 'security');
  await laptop.verifies(false);
  await page.click('#add-passkey');
  await page.getByText('No passkey was used. Try again.').waitFor();
  await laptop.verifies(true);
  // The user has no second factor.
  const path = '**/v1/auth/passkeys/registration';
  await laptop.context.route(path, (route) => route.fulfill(tooOld('login-too-old')), { times: 1 });
  await page.click('#add-passkey');
  await page.waitForSelector('#passkey-password');
  await picture(page, 'passkey-password');
  await page.keyboard.type('wrong horse');
  await page.keyboard.press('Enter');
  await page.getByText('The password is wrong.').waitFor();
  assert.deepEqual(await names(page), []);
});

await step('page adds a passkey, and shows recovery codes once', async () => {
  const { page } = laptop;
  await page.fill('#passkey-password [name=password]', PASSWORD);
  await page.keyboard.press('Enter');
  await page.getByText('“Chrome on Linux” is added').waitFor();
  codes = await page.locator('.codes code').allTextContents();
  assert.equal(codes.length, 10);
  const [{ rpId, isResidentCredential }] = await laptop.credentials();
  assert.deepEqual([rpId, isResidentCredential], ['shop.test', true]);
  await picture(page, 'security-codes');
  await show(page, 'Orders');
  assert.equal(await page.locator('.codes code').count(), 10, 'they stay until the user has kept them');
  await show(page, 'Security');
  await page.getByRole('button', { name: 'I have kept them' }).click();
  assert.equal(await page.locator('.codes').count(), 0);
});

await step('passkey is renamed with the keyboard', async () => {
  const { page } = laptop;
  const rename = page.getByRole('button', { name: 'Rename Chrome on Linux' });
  await rename.press('Enter');
  await page.waitForSelector('#rename-passkey');
  await picture(page, 'passkey-rename');
  await page.keyboard.press('Escape');
  await page.waitForSelector('#rename-passkey', { state: 'detached' });
  assert(await rename.evaluate((button) => button === document.activeElement), 'the focus is back');
  await rename.press('Enter');
  await page.keyboard.press('ControlOrMeta+A');
  await page.keyboard.type('Laptop');
  await page.keyboard.press('Enter');
  await until('the name', async () => String(await names(page)) === 'Laptop');
});

await step('step-up before a payment accepts the passkey', async () => {
  const { page } = laptop;
  await show(page, 'Orders');
  await page.getByRole('button', { name: 'Pay order 17' }).click();
  await page.waitForSelector('#step-up');
  await page.getByRole('button', { name: 'Use a passkey' }).click();
  await until('the payment', async () => (await paid(page)) === 1);
});

await step('suggestion of the name input logs in without a name, and a payment needs no step-up', async () => {
  const { page, asked } = laptop;
  await logOut(laptop);
  assert.equal(await page.getAttribute('[name=username]', 'autocomplete'), 'username webauthn');
  asked.length = 0;
  laptop.chooses = true;
  await page.reload();
  await isLoggedIn(page);
  laptop.chooses = false;
  assert.deepEqual(asked, ['suggestion']);
  await page.getByRole('button', { name: 'Pay order 18' }).click();
  await until('the payment', async () => (await paid(page)) === 2);
  assert.equal(await page.locator('#step-up').count(), 0);
});

await step('button logs in without a name, and a passkey replaces the code', async () => {
  const { page, asked } = laptop;
  await logOut(laptop);
  await useButton(laptop);
  await isLoggedIn(page);
  assert.deepEqual(asked, ['suggestion', 'request']);
  await logOut(laptop);
  await enter(page);
  await page.waitForSelector('#login [name=code]');
  await useButton(laptop);
  await isLoggedIn(page);
  await show(page, 'Security');
  await page.click('#add-passkey');
  await page.getByText('This device already has a passkey').waitFor();
  await show(page, 'Orders');
});

await step('second device logs in with a recovery code, and then with a passkey of its own', async () => {
  const { page } = phone;
  await page.goto(APP);
  await enter(page);
  await page.fill('#login [name=code]', codes[0]);
  await page.keyboard.press('Enter');
  await isLoggedIn(page);
  await show(page, 'Security');
  await page.click('#add-passkey');
  await page.getByText('“Chrome on Android” is added').waitFor();
  assert.equal(await page.locator('.codes').count(), 0);
  await logOut(phone);
  await useButton(phone);
  await isLoggedIn(page);
});

await step('removal asks for a step-up, and the removed passkey is refused, and its session ends', async () => {
  const { page } = laptop;
  await show(page, 'Security');
  await until('both passkeys', async () => String(await names(page)) === 'Laptop,Chrome on Android');
  await picture(page, 'passkeys');
  await page.getByRole('button', { name: 'Remove Chrome on Android' }).click();
  await page.waitForSelector('#remove-passkey');
  await picture(page, 'passkey-remove');
  const stepUpTooOld = tooOld('step-up-too-old', ', acr_values="aal2"');
  await laptop.context.route('**/v1/auth/passkeys/*', (route) => route.fulfill(stepUpTooOld), { times: 1 });
  await page.click('#remove-passkey');
  await page.waitForSelector('#step-up');
  assert.equal((await names(page)).length, 2, 'nothing is removed before the step-up');
  await page.getByRole('button', { name: 'Use a passkey' }).click();
  await page.getByText('“Chrome on Android” is removed').waitFor();
  await until('one passkey', async () => String(await names(page)) === 'Laptop');
  await phone.context.clearCookies({ name: ACCESS });
  await phone.page.getByRole('link', { name: 'Sessions' }).click();
  await hasEnded(phone.page);
  await isRefused(phone);
});

await step('copy of a passkey with a lower counter is refused', async () => {
  const [credential] = await laptop.credentials();
  assert(credential.signCount > 2, String(credential.signCount));
  await phone.copy({ ...credential, signCount: 1 });
  await isRefused(phone);
  // With a higher counter, the copy is accepted, and the device that has the passkey is refused.
  await phone.copy({ ...credential, signCount: credential.signCount + 10 });
  await useButton(phone);
  await isLoggedIn(phone.page);
  await logOut(laptop);
  await isRefused(laptop);
});

await step('answer that another origin of the site has got is refused, and another site gets none', async () => {
  const [credential] = await laptop.credentials();
  const hostile = await device();
  await hostile.copy({ ...credential, signCount: credential.signCount + 100 });
  /** Passes the issuer's challenge to the page, and its answer to the issuer: no CORS rule prevents that. */
  const relay = async (origin) => {
    const post = async (path, body) => {
      const headers = { 'Content-Type': 'application/json' };
      const answer = await fetch(`http://${ISSUER}/v1/auth/passkeys/${path}`, { method: 'POST', headers, body });
      return { status: answer.status, ...(await answer.json()) };
    };
    await hostile.page.goto(origin);
    const { ceremony, options } = await post('challenge');
    const answered = await hostile.page.evaluate(async (options) => {
      const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options);
      return navigator.credentials.get({ publicKey }).then((found) => found.toJSON(), (error) => error.name);
    }, options);
    if (typeof answered === 'string') return answered;
    const { status, type } = await post('login', JSON.stringify({ ceremony, credential: answered }));
    return `${status} ${type?.split(':').at(-1)}`;
  };
  assert.equal(await relay('https://blog.shop.test'), '403 wrong-passkey');
  assert.equal(await relay('https://evil.test'), 'SecurityError');
  assert.equal(await relay(APP), '200 undefined', 'the origin of the page is accepted');
});

await browser.close();
