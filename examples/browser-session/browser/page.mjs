// Tests cookies, CORS and cross-site protection in a browser, with separate host names.

import assert from 'node:assert/strict';
import { ACCESS, endWithin, launch, REFRESH, step, until } from './driver.mjs';

const { PICTURES } = process.env;
const [APP, API, AUTH] = ['app', 'api', 'auth'].map((host) => `https://${host}.shop.test`);

endWithin(2);

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
  await page.fill('[name=username]', 'alice');
  await page.fill('[name=password]', 'correct horse battery staple');
  await page.click('#login button');
  await page.waitForSelector('#orders li');
  return page;
}

const count = (answers, line) => answers.filter((answer) => answer === line).length;
const cookie = async (context, name) => (await context.cookies()).find((one) => one.name === name);

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
  await page.fill('[name=username]', 'alice');
  await page.fill('[name=password]', 'wrong horse');
  await page.click('#login button');
  await page.waitForSelector('#refused:not(:empty)');
  assert.equal(await cookie(laptop.context, ACCESS), undefined);
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

await step('expired access token is refreshed silently', async () => {
  const brief = await device();
  const page = await logIn(brief, 'https://app.brief.test');
  await until('the access cookie expires', async () => !(await cookie(brief.context, ACCESS)));
  brief.answers.length = 0;
  await page.click('#reload');
  await until('the orders are there', () => count(brief.answers, 'GET https://api.brief.test/orders 200') === 1);
  assert.deepEqual(
    brief.answers.filter((answer) => !answer.startsWith('OPTIONS')),
    ['GET https://api.brief.test/orders 401', 'POST https://auth.brief.test/v1/auth/refresh 200', 'GET https://api.brief.test/orders 200'],
  );
  assert(await page.isVisible('#shop'));
  await brief.context.close();
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

const orders = () => page.locator('#orders li').count();

await step('sessions are listed, and the current one is marked', async () => {
  const mobile = await logIn(phone);
  await page.reload();
  await until('two sessions', async () => (await page.locator('#sessions li').count()) === 2);
  assert.equal(await page.locator('#sessions em').count(), 1);
  await page.click('#order');
  await until('another order', async () => (await orders()) === 3);
  await mobile.click('#reload');
  await until('the order on the phone', async () => (await mobile.locator('#orders li').count()) === 3);
  await page.screenshot({ path: `${PICTURES}/browser-session.png` });
  await mobile.screenshot({ path: `${PICTURES}/browser-session-phone.png`, fullPage: true });
  for (const one of [page, mobile]) {
    const overflow = await one.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert(overflow <= 0, `the page is ${overflow} px too wide`);
  }
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
  await mobile.click('#reload');
  await mobile.waitForSelector('#login');
  assert(count(phone.answers, `POST ${AUTH}/v1/auth/refresh 401`) === 1, String(phone.answers));
});

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
    await until('the session is unchanged', async () => (await page.locator('#sessions li').count()) === 1);
    assert.equal(await orders(), 3);
  });
}

await step('logout ends the session in the browser and at the issuer', async () => {
  const saved = await laptop.context.cookies();
  await page.click('#logout');
  await page.waitForSelector('#login');
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
