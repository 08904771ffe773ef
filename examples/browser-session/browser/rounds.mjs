// Two tabs and a service worker refresh at once, while the network to the issuer is cut at random: once each time,
// and the user is never signed out.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { ACCESS, endWithin, launch, REFRESH, step, until } from './driver.mjs';

const { ISSUER, CERTIFICATE, KEY } = process.env;
const LAB = 'https://app.shop.test/lab/index.html';

endWithin(8);

/** The cuts that follow: `request` before the issuer gets it, `answer` after it has answered; `hold` delays the answer. */
let cuts = [];
let held = [];
/** The refreshes of a round: what became of each request, and the refresh tokens that the issuer issued. */
let refreshes = [];
let issued = new Set();

const agent = new http.Agent({ keepAlive: true });
const network = https.createServer({ cert: readFileSync(CERTIFICATE), key: readFileSync(KEY) }, (request, response) => {
  const isRefresh = request.method === 'POST' && request.url === '/v1/auth/refresh';
  const cut = isRefresh ? cuts.shift() : undefined;
  if (isRefresh) refreshes.push(cut ?? 'passed');
  if (cut === 'request') return request.socket.destroy();
  const { method, url: path, headers } = request;
  const forwarded = http.request({ agent, ...address(ISSUER), method, path, headers }, (answer) => {
    for (const cookie of answer.headers['set-cookie'] ?? []) {
      if (isRefresh && cookie.startsWith(`${REFRESH}=`)) issued.add(cookie.split(';')[0]);
    }
    if (cut === 'answer') {
      answer.resume();
      return request.socket.destroy();
    }
    const pass = () => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    };
    if (cut === 'hold') held.push(pass);
    else pass();
  });
  forwarded.on('error', () => request.socket.destroy());
  request.pipe(forwarded);
});
await new Promise((done) => network.listen(0, '127.0.0.1', done));

function address(text) {
  const [host, port] = text.split(':');
  return { host, port };
}

const browser = await launch([`MAP auth.shop.test:443 127.0.0.1:${network.address().port}`]);

/** At most two lost requests or answers, one after the other. */
function someCuts() {
  const one = () => (Math.random() < 0.5 ? 'request' : 'answer');
  return Array.from({ length: Math.floor(Math.random() * 3) }, one);
}

/** A browser context with two tabs of a user, and a function that opens more. */
async function twoTabs(query) {
  const context = await browser.newContext();
  context.on('weberror', (error) => assert.fail(error.error()));
  const open = async () => {
    const page = await context.newPage();
    await page.goto(LAB + query);
    await page.waitForFunction('window.burst');
    assert.notEqual((await page.evaluate(() => session.restore())).status, 'unknown');
    return page;
  };
  const first = await open();
  await first.evaluate(() => session.login({ username: 'alice', password: 'correct horse battery staple' }));
  const tabs = [first, await open()];
  for (const tab of tabs) assert.equal(await tab.evaluate(() => session.state.status), 'signed-in');
  return { context, open, tabs };
}

/** No tab was ever signed out after its login. */
async function assertSignedIn(tabs) {
  for (const tab of tabs) {
    const { status, states } = await tab.evaluate(() => ({ status: session.state.status, states }));
    assert.equal(status, 'signed-in');
    assert(!states.slice(states.indexOf('signed-in')).includes('signed-out'), String(states));
  }
}

async function rounds(count, query) {
  const { context, tabs } = await twoTabs(query);
  const totals = { requests: 0, request: 0, answer: 0, rotations: 0 };
  for (let round = 1; round <= count; round += 1) {
    // Imitates an expired access token.
    await context.clearCookies({ name: ACCESS });
    const planned = someCuts();
    [cuts, refreshes, issued] = [[...planned], [], new Set()];
    const what = `round ${round}, cuts [${planned}]`;
    const outcomes = await Promise.all([
      ...tabs.map((tab) => tab.evaluate(() => burst())),
      tabs[0].evaluate(() => inWorker()),
    ]);
    assert.deepEqual(outcomes, Array(3).fill([200, 200, 200]), what);
    assert.deepEqual(refreshes, [...planned, 'passed'], what);
    assert.equal(issued.size, 1, what);
    totals.rotations += issued.size;
    totals.requests += refreshes.length;
    for (const cut of planned) totals[cut] += 1;
  }
  await assertSignedIn(tabs);
  const { requests, request, answer, rotations } = totals;
  console.log(
    `${count} rounds${query}: ${rotations} refreshes with ${requests} requests; ${request} requests and ${answer} answers lost`,
  );
  await context.close();
}

/** A tab is closed while it refreshes: the next tab repeats the refresh at once, and gets the same token. */
async function closedTabs(count) {
  const { context, open, tabs } = await twoTabs('');
  for (let round = 1; round <= count; round += 1) {
    const closed = await open();
    await context.clearCookies({ name: ACCESS });
    [cuts, held, refreshes, issued] = [['hold'], [], [], new Set()];
    await closed.evaluate(() => void burst());
    await until('its refresh', () => held.length === 1);
    await closed.close();
    const outcomes = await Promise.all(tabs.map((tab) => tab.evaluate(() => burst())));
    assert.deepEqual(outcomes, Array(2).fill([200, 200, 200]), `round ${round}`);
    assert.deepEqual(refreshes, ['hold', 'passed'], `round ${round}`);
    assert.equal(issued.size, 1, `round ${round}`);
    for (const pass of held) pass();
  }
  await assertSignedIn(tabs);
  await context.close();
}

await step('with Web Locks, each of 100 rounds has one refresh', () => rounds(100, ''));
await step('with leases in IndexedDB, each of 50 rounds has one refresh', () => rounds(50, '?leases'));

await step('tab that is closed in the middle of a refresh blocks no other tab', () => closedTabs(10));

await browser.close();
network.close();
network.closeAllConnections();
