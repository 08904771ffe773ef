// Opens a WebSocket and an EventSource in Chromium, refreshes the session three times, and ends it.

import assert from 'node:assert/strict';
import { launch } from '../../../portcullis-cli/tests/browser/chromium.mjs';

const { CHROMIUM, PROFILE, ADDRESS } = process.env;

// Ends a run that hangs.
setTimeout(() => {
  console.error('not finished within 2 minutes');
  process.exit(1);
}, 120_000).unref();

const browser = await launch(CHROMIUM, PROFILE);
const page = await browser.page(800, 600, 'light');
await page.open(`http://${ADDRESS}/`);

await page.evaluate(`
  window.post = async (path) => (await fetch(path, { method: 'POST' })).text();
  window.until = async (condition) => {
    for (const began = performance.now(); !condition(); ) {
      if (performance.now() - began > 15_000) throw new Error('timed out: ' + condition);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  window.seen = { ids: [], opened: 0, ends: [], answers: [], closed: null };
  await post('/refresh');
  window.socket = new WebSocket('ws://' + location.host + '/socket');
  socket.onmessage = (message) => seen.answers.push(message.data);
  socket.onclose = ({ code, reason }) => { seen.closed = { code, reason, at: performance.now() }; };
  window.source = new EventSource('/events');
  source.onopen = () => { seen.opened += 1; };
  source.onmessage = (message) => seen.ids.push(Number(message.data));
  source.addEventListener('session-ended', (message) =>
    seen.ends.push({ reason: message.data, id: message.lastEventId, at: performance.now() }));
  await until(() => socket.readyState === WebSocket.OPEN && seen.ids.length > 3);
  await post('/later');`);

for (let round = 1; round <= 3; round += 1) {
  // The current token lives for another 5 minutes. The EventSource still has it.
  const state = await page.evaluate(`
    const token = await post('/refresh');
    socket.send('token ' + token);
    await until(() => seen.answers.length === ${round});
    await post('/later');
    // The old token has expired.
    await until(() => seen.opened === ${round + 1});
    const before = seen.ids.length;
    await until(() => seen.ids.length > before + 3);
    return { ...seen, socket: socket.readyState };`);
  assert.equal(state.answers.at(-1), 'renewed');
  assert.deepEqual([state.socket, state.closed], [1, null], 'the WebSocket stays open');
  assert.deepEqual(state.ends.map((end) => end.reason), Array(round).fill('expired'));
  console.log(`ok: refresh ${round}`);
}

const last = await page.evaluate(`
  const status = await post('/logout');
  const acknowledged = performance.now();
  await until(() => seen.closed && seen.ends.length === 4);
  await until(() => source.readyState === EventSource.CLOSED);
  return { ...seen, status, acknowledged };`);
assert.equal(last.status, '200');
assert.deepEqual([last.closed.code, last.closed.reason], [4401, 'session_revoked']);
assert.equal(last.ends.at(-1).reason, 'session_revoked');
for (const [name, at] of [['WebSocket', last.closed.at], ['EventSource', last.ends.at(-1).at]]) {
  const took = at - last.acknowledged;
  assert.ok(took < 1000, `${name} closed ${took} ms after the acknowledgement`);
  console.log(`${name} closed ${took.toFixed(1)} ms after the acknowledgement`);
}
console.log('ok: both close at the logout, and the browser gives up');

// Nothing is lost and nothing is repeated, over four connections.
assert.equal(last.opened, 4);
assert.deepEqual(last.ids, last.ids.map((_, at) => at + 1));
console.log(`ok: ${last.ids.length} events`);
await browser.close();
