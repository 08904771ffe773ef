// A browser that finds the hosts of the test, and what the tests share.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { chromium } from 'playwright-core';

const { PORT, AUTHORITY, CHROMIUM, PICTURES } = process.env;
const AXE = readFileSync(new URL('node_modules/axe-core/axe.min.js', import.meta.url), 'utf8');
const SIZES = { '': { width: 1100, height: 760 }, '-phone': { width: 390, height: 844 } };
export const PASSWORD = 'correct horse battery staple';
export const ACCESS = '__Secure-portcullis-access';
export const REFRESH = '__Secure-portcullis-refresh';

/** Starts a browser; `rules` map hosts to addresses. */
export function launch(rules = []) {
  const all = [...rules, `MAP *.test:443 127.0.0.1:${PORT}`];
  return chromium.launch({
    executablePath: CHROMIUM,
    args: [`--host-resolver-rules=${all.join(', ')}`, `--ignore-certificate-errors-spki-list=${AUTHORITY}`],
  });
}

/** Ends a run that hangs. */
export function endWithin(minutes) {
  setTimeout(() => {
    console.error(`not finished within ${minutes} minutes`);
    process.exit(1);
  }, minutes * 60_000).unref();
}

/** Waits up to 30 s for a condition. */
export async function until(what, isTrue) {
  for (let tries = 0; tries < 600; tries += 1) {
    if (await isTrue()) return;
    await new Promise((done) => setTimeout(done, 50));
  }
  assert.fail(`timed out: ${what}`);
}

/** Logs in with name and password. */
export async function enter(page) {
  await page.fill('[name=username]', 'alice');
  await page.fill('[name=password]', PASSWORD);
  await page.click('#login button[type=submit]');
}

/** The login says that the issuer has ended the session. */
export async function hasEnded(page) {
  const reason = await page.locator('#login [role=status]').textContent();
  assert.equal(reason, 'Your session has ended. Log in again.');
}

/** Shows another page of the app. */
export async function show(page, title) {
  await page.getByRole('link', { name: title, exact: true }).click();
  await page.getByRole('link', { name: title, exact: true }).and(page.locator('[aria-current=page]')).waitFor();
}

/** The page fits the window, and axe finds nothing. */
export async function inspect(page, what) {
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert(overflow <= 0, `${what} is ${overflow} px too wide`);
  if (!(await page.evaluate(() => 'axe' in window))) await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => axe.run());
  assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html)}`), [], what);
}

/** Inspects the page and takes its picture in both sizes and both colour schemes. */
export async function picture(page, name) {
  const size = page.viewportSize();
  // The backdrop of a dialog covers the window only.
  const fullPage = (await page.locator('dialog[open]').count()) === 0;
  for (const [suffix, viewport] of Object.entries(SIZES)) {
    await page.setViewportSize(viewport);
    for (const colorScheme of ['light', 'dark']) {
      await page.emulateMedia({ colorScheme });
      const file = `${name}${suffix}${colorScheme === 'dark' ? '-dark' : ''}`;
      await inspect(page, file);
      await page.screenshot({ path: `${PICTURES}/browser-session-${file}.png`, fullPage });
    }
  }
  await page.emulateMedia({ colorScheme: 'light' });
  await page.setViewportSize(size);
}

export async function step(name, action) {
  const began = Date.now();
  await action();
  console.log(`ok: ${name} (${Date.now() - began} ms)`);
}
