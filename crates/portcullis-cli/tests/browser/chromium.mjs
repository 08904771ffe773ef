// Controls Chromium by the DevTools protocol over two pipes. This needs no library, and opens no
// port that other users could reach.

import { spawn } from 'node:child_process';

export async function launch(executable, profile) {
  const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--hide-scrollbars', '--no-first-run'];
  const process = spawn(
    executable,
    [...flags, `--user-data-dir=${profile}`, '--remote-debugging-pipe', 'about:blank'],
    { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] },
  );
  const [input, output] = [process.stdio[3], process.stdio[4]];
  const waiting = new Map();
  const listeners = [];
  let [count, rest] = [0, ''];
  output.setEncoding('utf8');
  output.on('data', (text) => {
    const parts = (rest + text).split('\0');
    rest = parts.pop();
    for (const message of parts.map((part) => JSON.parse(part))) {
      if (message.id === undefined) listeners.forEach((listener) => listener(message));
      else waiting.get(message.id)(message);
    }
  });
  const send = (method, params = {}, sessionId = undefined) =>
    new Promise((resolve, reject) => {
      count += 1;
      waiting.set(count, ({ result, error }) =>
        error ? reject(new Error(`${method}: ${error.message}`)) : resolve(result),
      );
      input.write(`${JSON.stringify({ id: count, method, params, sessionId })}\0`);
    });
  return {
    /** A page of this size, what went wrong in it, and its commands of the DevTools protocol. */
    async page(width, height, scheme) {
      const { targetId } = await send('Target.createTarget', { url: 'about:blank' });
      const { sessionId } = await send('Target.attachToTarget', { targetId, flatten: true });
      const call = (method, params) => send(method, params, sessionId);
      const wrong = [];
      let loaded = () => {};
      listeners.push((message) => {
        if (message.sessionId !== sessionId) return;
        if (message.method === 'Page.loadEventFired') loaded();
        if (message.method === 'Runtime.exceptionThrown') {
          wrong.push(message.params.exceptionDetails.exception?.description);
        }
        if (message.method === 'Log.entryAdded') wrong.push(message.params.entry.text);
      });
      for (const domain of ['Page', 'Runtime', 'Log']) await call(`${domain}.enable`);
      const size = { width, height, deviceScaleFactor: 1, mobile: false };
      await call('Emulation.setDeviceMetricsOverride', size);
      const features = [{ name: 'prefers-color-scheme', value: scheme }];
      await call('Emulation.setEmulatedMedia', { features });
      return {
        wrong,
        call,
        async open(url) {
          // A change of the fragment alone would not reload the page.
          for (const next of ['about:blank', url]) {
            const done = new Promise((resolve) => { loaded = resolve; });
            await call('Page.navigate', { url: next });
            await done;
          }
        },
        async evaluate(program) {
          const expression = `(async () => { ${program} })()`;
          const options = { expression, awaitPromise: true, returnByValue: true };
          const { result, exceptionDetails } = await call('Runtime.evaluate', options);
          if (exceptionDetails) throw new Error(exceptionDetails.exception.description);
          return result.value;
        },
        async press(key) {
          for (const type of ['keyDown', 'keyUp']) {
            const code = { ArrowRight: 39, ArrowLeft: 37, End: 35, Home: 36 }[key];
            await call('Input.dispatchKeyEvent', { type, key, code: key, windowsVirtualKeyCode: code });
          }
        },
        async point(x, y) {
          await call('Input.dispatchMouseEvent', { type: 'mouseMoved', x, y });
        },
        async picture() {
          const options = { captureBeyondViewport: true };
          const { data } = await call('Page.captureScreenshot', options);
          return Buffer.from(data, 'base64');
        },
        close: () => send('Target.closeTarget', { targetId }),
      };
    },
    close: () => send('Browser.close'),
  };
}
