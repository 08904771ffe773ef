import { burst, session } from './session.js';

const states = [];
session.subscribe(({ status }) => states.push(status));

/** Has the service worker do the same as a page. */
async function inWorker() {
  const { active } = await navigator.serviceWorker.ready;
  const { port1, port2 } = new MessageChannel();
  const answer = new Promise((done) => (port1.onmessage = ({ data }) => done(data)));
  active.postMessage('burst', [port2]);
  return answer;
}

await navigator.serviceWorker.register(`worker.js${location.search}`, { type: 'module' });
await navigator.serviceWorker.ready;
Object.assign(window, { burst, inWorker, session, states });
