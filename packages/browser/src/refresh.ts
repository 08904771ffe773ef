// A refresh whose request or response is lost must be repeated at once: within its grace period the issuer answers
// a repeated refresh token with the same successor.

import type { Environment } from './environment.js';
import type { Answer } from './http.js';

/** The number of requests of a refresh. */
const ATTEMPTS = 3;

/** The time after which another request is sent. The issuer's log has repeats after more than 2 s. */
const HEDGE_MS = 1_500;

/** The time after which a failed request is repeated. */
const REPEAT_MS = 100;

/**
 * Sends a request, and sends it again if it fails or takes long. A slow request is not cancelled: the first response
 * counts.
 */
export function persistently(
  env: Environment,
  request: (signal: AbortSignal) => Promise<Answer>,
): Promise<Answer> {
  const done = new AbortController();
  let begun = 0;
  let failed = 0;
  let cancel = (): void => {};
  return new Promise<Answer>((resolve, reject) => {
    const begin = (): void => {
      cancel();
      if (begun === ATTEMPTS || done.signal.aborted) return;
      begun += 1;
      cancel = env.after(HEDGE_MS, begin);
      const fail = (error: unknown): void => {
        failed += 1;
        if (failed === ATTEMPTS || (failed === begun && env.isOffline())) return reject(error);
        if (failed === begun) {
          cancel();
          cancel = env.after(REPEAT_MS, begin);
        }
      };
      request(done.signal).then((answer) => {
        // The response to a proxy was lost.
        const isLost = [502, 504].includes(answer.response.status) && begun < ATTEMPTS;
        if (isLost) fail(undefined);
        else resolve(answer);
      }, fail);
    };
    begin();
  }).finally(() => {
    cancel();
    done.abort();
  });
}
