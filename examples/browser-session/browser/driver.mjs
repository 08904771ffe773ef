// A browser that finds the hosts of the test, and what the tests share.

import assert from 'node:assert/strict';
import { chromium } from 'playwright-core';

const { PORT, AUTHORITY, CHROMIUM } = process.env;
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

export async function step(name, action) {
  await action();
  console.log(`ok: ${name}`);
}
