import { createSession } from './portcullis/index.js';

// `?leases`: as in a browser without Web Locks.
if (location.search === '?leases') Object.defineProperty(navigator, 'locks', { value: undefined });

const at = (name) => location.origin.replace('//app.', `//${name}.`);
export const session = createSession({ issuer: at('auth'), apis: [at('api')] });

/** Sends three requests to the API at once, and returns what became of each. */
export async function burst() {
  const one = () => session.fetch(`${at('api')}/orders`).then(({ status }) => status, (error) => `${error.code}: ${error.message}`);
  return Promise.all([one(), one(), one()]);
}
