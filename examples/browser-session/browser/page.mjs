// Tests the page in a browser: cookies, CORS, cross-site protection, the second factor, and what a person sees.

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import {
  ACCESS,
  endWithin,
  enter,
  hasEnded,
  inspect,
  launch,
  PASSWORD,
  picture,
  REFRESH,
  show,
  step,
  until,
} from './driver.mjs';

const [APP, API, AUTH] = ['app', 'api', 'auth'].map((host) => `https://${host}.shop.test`);

endWithin(8);

const browser = await launch();

/** A browser context, and a log of its requests. */
async function device(options) {
  const context = await browser.newContext(options);
  const answers = [];
  context.on('response', (response) => {
    const request = response.request();
    answers.push(`${request.method()} ${request.url()} ${response.status()}`);
  });
  context.on('weberror', (error) => assert.fail(error.error()));
  return { context, answers };
}

async function logIn({ context }, app = APP) {
  const page = await context.newPage();
  await page.goto(app);
  await enter(page);
  await page.waitForSelector('#orders li');
  return page;
}

const count = (answers, line) => answers.filter((answer) => answer === line).length;
const cookie = async (context, name) => (await context.cookies()).find((one) => one.name === name);

/** The code that an authenticator app shows (RFC 6238). */
function totp(secret) {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
  const bits = [...secret].map((letter) => alphabet.indexOf(letter).toString(2).padStart(5, '0')).join('');
  const key = Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
  const step = Buffer.alloc(8);
  step.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000)));
  const mac = createHmac('sha1', key).update(step).digest();
  const number = mac.readUInt32BE(mac.at(-1) & 15) & 0x7fffffff;
  return String(number % 1_000_000).padStart(6, '0');
}

const laptop = await device({ viewport: { width: 1100, height: 760 } });
const phone = await device({
  viewport: { width: 390, height: 844 },
  userAgent: 'Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/131.0.0.0 Mobile Safari/537.36',
});
let page;

await step('without a session the login is shown, and a wrong password is reported', async () => {
  page = await laptop.context.newPage();
  await page.goto(APP);
  await page.waitForSelector('#login');
  await picture(page, 'login');
  await page.fill('[name=username]', 'alice');
  await page.fill('[name=password]', 'wrong horse');
  await page.keyboard.press('Enter');
  await page.waitForSelector('#login [role=alert]:not(:empty)');
  await inspect(page, 'a refused login');
  assert.equal(await cookie(laptop.context, ACCESS), undefined);
  await page.close();
});

await step('issuer that cannot be reached is reported, and the page tries again', async () => {
  page = await laptop.context.newPage();
  await laptop.context.route(`${AUTH}/**`, (route) => route.abort());
  await page.goto(APP);
  await page.getByText('The server cannot be reached.').waitFor();
  await picture(page, 'unreachable');
  await laptop.context.unroute(`${AUTH}/**`);
  await page.getByRole('button', { name: 'Try again' }).click();
  await page.waitForSelector('#login');
  await page.close();
});

await step('login sets cookies that go to the API and that scripts cannot read', async () => {
  const asked = laptop.context.waitForEvent('request', (request) => request.url() === `${API}/orders`);
  page = await logIn(laptop);
  const access = await cookie(laptop.context, ACCESS);
  const kept = ({ domain, path, httpOnly, secure, sameSite }) => ({ domain, path, httpOnly, secure, sameSite });
  assert.deepEqual(kept(access), { domain: '.shop.test', path: '/', httpOnly: true, secure: true, sameSite: 'Lax' });
  const refresh = await cookie(laptop.context, REFRESH);
  assert.deepEqual(kept(refresh), { domain: 'auth.shop.test', path: '/v1/auth', httpOnly: true, secure: true, sameSite: 'Strict' });
  assert.equal(await page.evaluate(() => document.cookie), '');
  const { cookie: sent } = await (await asked).allHeaders();
  assert.equal(sent, `${ACCESS}=${access.value}`);
  assert.equal(count(laptop.answers, `GET ${API}/orders 200`), 1);
});

await step('visible page refreshes the access token before it expires', async () => {
  const brief = await device();
  const page = await logIn(brief, 'https://app.brief.test');
  brief.answers.length = 0;
  const refresh = 'POST https://auth.brief.test/v1/auth/refresh 200';
  await until('two refreshes', () => count(brief.answers, refresh) >= 2);
  await page.click('#reload');
  await until('the orders are there', () => count(brief.answers, 'GET https://api.brief.test/orders 200') === 1);
  assert(brief.answers.every((answer) => answer.endsWith(' 200')), String(brief.answers));
  await brief.context.close();
});

await step('missing access token is refreshed silently', async () => {
  // Imitates an expired access token.
  await laptop.context.clearCookies({ name: ACCESS });
  laptop.answers.length = 0;
  await page.click('#reload');
  await until('the orders are there', () => count(laptop.answers, `GET ${API}/orders 200`) === 1);
  assert.deepEqual(
    laptop.answers.filter((answer) => !answer.startsWith('OPTIONS')),
    [`GET ${API}/orders 401`, `POST ${AUTH}/v1/auth/refresh 200`, `GET ${API}/orders 200`],
  );
});

await step('two tabs with five requests each cause one refresh', async () => {
  const other = await laptop.context.newPage();
  await other.goto(APP);
  await other.waitForSelector('#orders li');
  // Imitates an expired access token.
  await laptop.context.clearCookies({ name: ACCESS });
  laptop.answers.length = 0;
  const clicks = () => {
    for (let click = 0; click < 5; click += 1) document.getElementById('reload').click();
  };
  await Promise.all([page.evaluate(clicks), other.evaluate(clicks)]);
  await until('ten answers', () => count(laptop.answers, `GET ${API}/orders 200`) === 10);
  assert(count(laptop.answers, `GET ${API}/orders 401`) > 1, String(laptop.answers));
  assert.equal(count(laptop.answers, `POST ${AUTH}/v1/auth/refresh 200`), 1);
  await other.close();
});

await step('sessions are listed, and the current one is marked', async () => {
  const mobile = await logIn(phone);
  await page.click('#order');
  await until('another order', async () => (await page.locator('#orders li').count()) === 3);
  await mobile.click('#reload');
  await until('the order on the phone', async () => (await mobile.locator('#orders li').count()) === 3);
  await picture(page, 'orders');
  for (const one of [page, mobile]) {
    await show(one, 'Sessions');
    await until('two sessions', async () => (await one.locator('#sessions li').count()) === 2);
    assert.equal(await one.locator('#sessions em').count(), 1);
  }
  await picture(mobile, 'sessions');
});

const status = (page, url) => page.evaluate(async (url) => (await fetch(url, { credentials: 'include' })).status, url);

await step('ended session is rejected by the issuer at once, and by the API when its token expires', async () => {
  const mobile = phone.context.pages()[0];
  assert.equal(await status(mobile, `${AUTH}/v1/users/me`), 200);
  await page.click('#sessions button');
  await until('one session', async () => (await page.locator('#sessions li').count()) === 1);
  assert.equal(await status(mobile, `${AUTH}/v1/users/me`), 401);
  assert.equal(await status(mobile, `${API}/orders`), 200);
  await phone.context.clearCookies({ name: ACCESS });
  await mobile.getByRole('link', { name: 'Orders' }).click();
  await hasEnded(mobile);
  assert(count(phone.answers, `POST ${AUTH}/v1/auth/refresh 401`) === 1, String(phone.answers));
  await picture(mobile, 'login-again');
});

let codes;

await step('payment needs a second factor, which is set up and then asked for', async () => {
  await show(page, 'Orders');
  await page.getByRole('button', { name: 'Pay' }).first().click();
  await page.fill('#step-up [name=code]', '000000');
  await page.keyboard.press('Enter');
  await page.getByText('Add a passkey or an authenticator app').waitFor();
  await page.keyboard.press('Escape');
  await page.waitForSelector('#step-up', { state: 'detached' });
  assert.equal(await page.getByText('paid', { exact: true }).count(), 0);

  await show(page, 'Security');
  await picture(page, 'security');
  await page.fill('#enrol [name=password]', PASSWORD);
  await page.keyboard.press('Enter');
  const secret = await page.locator('#secret').textContent();
  codes = await page.locator('.codes code').allTextContents();
  assert.equal(codes.length, 10);
  await picture(page, 'secret');
  // A recovery code does not confirm that the app has the secret.
  const stepUps = () => laptop.answers.filter((answer) => answer.startsWith(`POST ${AUTH}/v1/auth/step-up`)).length;
  const before = stepUps();
  const code = page.locator('#confirm [name=code]');
  await code.fill(codes[0]);
  await page.keyboard.press('Enter');
  assert(await code.evaluate((input) => input.validity.patternMismatch), 'a recovery code is no code of the app');
  await code.fill(totp(secret));
  await page.keyboard.press('Enter');
  await page.getByText('The authenticator app is in use.').waitFor();
  assert.equal(stepUps(), before + 1);
  // The codes stay until the user has kept them.
  assert.deepEqual(await page.locator('.codes code').allTextContents(), codes);
  await page.getByRole('button', { name: 'I have kept them' }).click();
  assert.equal(await page.locator('.codes').count(), 0);

  // The enrolment was a step-up. The next login is one as well, so this one has no second factor.
  await show(page, 'Orders');
  await page.getByRole('button', { name: 'Pay order 17' }).click();
  await until('the first payment', async () => (await page.getByText('paid', { exact: true }).count()) === 1);
  assert.equal(count(laptop.answers, `POST ${API}/orders/17/pay 204`), 1);
});

await step('login asks for the second factor, and a payment does not ask again', async () => {
  const mobile = phone.context.pages()[0];
  await enter(mobile);
  const code = mobile.locator('#login [name=code]');
  await code.waitFor();
  await until('the code has the focus', () => code.evaluate((input) => input === document.activeElement));
  await picture(mobile, 'code');
  await code.fill('000000');
  await mobile.keyboard.press('Enter');
  await mobile.waitForSelector('#login [role=alert]:not(:empty)');
  await code.fill(codes[0]);
  await mobile.keyboard.press('Enter');
  await mobile.getByRole('button', { name: 'Pay order 18' }).click();
  await until('the payment', async () => (await mobile.getByText('paid', { exact: true }).count()) === 2);
});

await step('API that requires a step-up has the page ask, and the request is repeated', async () => {
  // Removing the authenticator app and setting it up again leaves other sessions without a second factor.
  const mobile = phone.context.pages()[0];
  await show(mobile, 'Security');
  await mobile.click('#remove');
  await mobile.waitForSelector('#confirm-remove');
  await inspect(mobile, 'the question before a removal');
  await mobile.keyboard.press('Escape');
  await mobile.waitForSelector('#confirm-remove', { state: 'detached' });
  assert(!phone.answers.some((answer) => answer.startsWith('DELETE')), String(phone.answers));
  await mobile.click('#remove');
  await mobile.click('#confirm-remove');
  await mobile.getByText('The authenticator app is removed.').waitFor();
  await mobile.fill('#enrol [name=password]', PASSWORD);
  await mobile.keyboard.press('Enter');
  const secret = await mobile.locator('#secret').textContent();
  codes = await mobile.locator('.codes code').allTextContents();
  await mobile.fill('#confirm [name=code]', totp(secret));
  await mobile.keyboard.press('Enter');
  await mobile.getByText('The authenticator app is in use.').waitFor();
  await mobile.click('#codes');
  await mobile.click('#confirm-codes');
  const shown = () => mobile.locator('.codes code').allTextContents();
  await until('new codes replace the former ones', async () => !(await shown()).includes(codes[0]));
  codes = await shown();
  assert.equal(codes.length, 10);

  // The laptop's token was issued before, so a new one has no second factor.
  await laptop.context.clearCookies({ name: ACCESS });
  await page.bringToFront();
  laptop.answers.length = 0;
  await page.getByRole('button', { name: 'Pay order 19' }).click();
  await page.waitForSelector('#step-up');
  await picture(page, 'step-up');
  await page.keyboard.type('000000');
  await page.keyboard.press('Enter');
  await page.waitForSelector('#step-up [role=alert]:not(:empty)');
  await page.fill('#step-up [name=code]', codes[0]);
  await page.keyboard.press('Enter');
  await until('the payment', async () => (await page.getByText('paid', { exact: true }).count()) === 3);
  const paid = laptop.answers.filter((answer) => answer.includes('/pay') && answer.startsWith('POST'));
  assert.deepEqual(paid, [401, 401, 204].map((status) => `POST ${API}/orders/19/pay ${status}`));
  await phone.context.close();
});

const orders = () => page.locator('#orders li').count();

for (const stranger of ['https://blog.shop.test', 'https://evil.test']) {
  await step(`${stranger} can neither read responses nor change state`, async () => {
    const hostile = await laptop.context.newPage();
    await hostile.goto(stranger);
    laptop.answers.length = 0;
    const outcomes = await hostile.evaluate(async ([api, auth]) => {
      const json = { 'Content-Type': 'application/json' };
      const body = JSON.stringify({ username: 'alice', password: 'correct horse battery staple' });
      const asked = [
        [`${api}/orders`],
        [`${auth}/v1/users/me`],
        [`${auth}/v1/auth/sessions`],
        [`${auth}/v1/auth/refresh`, { method: 'POST' }],
        [`${auth}/v1/auth/login`, { method: 'POST', headers: json, body }],
        [`${auth}/v1/auth/sessions/1`, { method: 'DELETE' }],
      ];
      const read = [];
      for (const [url, options] of asked) {
        const answer = fetch(url, { ...options, credentials: 'include' });
        read.push(await answer.then((answer) => `read ${answer.status}`, (error) => error.name));
      }
      // These requests need no preflight and do not read the response: only their side effects
      // count.
      for (const path of ['refresh', 'logout', 'logout-everywhere']) {
        const blind = { method: 'POST', mode: 'no-cors', credentials: 'include' };
        await fetch(`${auth}/v1/auth/${path}`, blind).catch(() => {});
      }
      await fetch(`${auth}/v1/auth/login`, { method: 'POST', mode: 'no-cors', credentials: 'include', body });
      await fetch(`${api}/orders`, { method: 'POST', mode: 'no-cors', credentials: 'include' });
      return read;
    }, [API, AUTH]);
    assert.deepEqual(outcomes, Array(6).fill('TypeError'));
    // The page also posts a form, which navigates the window.
    for (const target of [`${API}/orders`, `${AUTH}/v1/auth/logout`, `${AUTH}/v1/auth/refresh`]) {
      const window = await laptop.context.newPage();
      await window.goto(stranger);
      const answered = window.waitForResponse((response) => response.url() === target);
      await window.evaluate((target) => {
        const form = Object.assign(document.createElement('form'), { method: 'POST', action: target });
        document.body.append(form);
        // The form is submitted after `evaluate` has returned, because the navigation destroys its
        // context.
        setTimeout(() => form.submit());
      }, target);
      await answered;
      // The window stays open, because Chromium does not always close a window that shows an error.
    }
    const acted = laptop.answers.filter((answer) => /^(POST|DELETE) /.test(answer));
    assert(acted.length >= 8, String(acted));
    for (const answer of acted) assert.match(answer, / (400|401|403|415)$/);
    if (stranger.endsWith('.shop.test')) {
      // The browser sent the cookies, and the servers rejected them.
      for (const path of ['refresh', 'logout', 'logout-everywhere']) {
        assert(count(acted, `POST ${AUTH}/v1/auth/${path} 403`) >= 1, String(acted));
      }
      assert.equal(count(acted, `POST ${API}/orders 403`), 2, String(acted));
    }
    assert(!acted.some((answer) => answer.startsWith('DELETE')), 'the preflight is refused');
    await hostile.close();

    await laptop.context.clearCookies({ name: ACCESS });
    await page.reload();
    await until('the session is unchanged', async () => (await orders()) === 3);
  });
}

await step('failed logout is reported, and can be repeated', async () => {
  await laptop.context.route(`${AUTH}/v1/auth/logout`, (route) => route.abort());
  await page.click('#logout');
  await page.getByText('You are still logged in').waitFor();
  await picture(page, 'logout-failed');
  await laptop.context.unroute(`${AUTH}/v1/auth/logout`);
});

await step('logout ends the session in the browser, in its other tabs and at the issuer', async () => {
  const other = await laptop.context.newPage();
  await other.goto(APP);
  await other.waitForSelector('#orders li');
  const saved = await laptop.context.cookies();
  await page.getByRole('button', { name: 'Try again' }).click();
  await page.waitForSelector('#login');
  await other.waitForSelector('#login');
  await other.close();
  assert.deepEqual(await laptop.context.cookies(), []);
  // Saved cookies are rejected, too. An access cookie without the issuer's own is taken for planted.
  await laptop.context.addCookies(saved);
  assert.equal(await status(page, `${AUTH}/v1/users/me`), 401);
  await laptop.context.clearCookies();
  await laptop.context.addCookies(saved.filter((one) => one.name === ACCESS));
  assert.equal(await status(page, `${AUTH}/v1/users/me`), 400);
  await laptop.context.clearCookies();
  await page.reload();
  await page.waitForSelector('#login');
});

await browser.close();
