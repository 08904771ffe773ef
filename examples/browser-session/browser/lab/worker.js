import { burst } from './session.js';

addEventListener('message', (event) => {
  const [port] = event.ports;
  event.waitUntil(burst().then((outcomes) => port.postMessage(outcomes)));
});
