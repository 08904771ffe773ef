// At most one page or worker of an origin changes the session's cookies at a time: otherwise the response to an
// earlier request could overwrite the cookies of a later one.

import type { Environment } from './environment.js';
import { TimeoutError } from './errors.js';
import type { Shared } from './shared.js';

const POLL_MS = 50;

/** Runs `action` while no other page or worker of the origin runs one. `action` ends within `leaseMs`. */
export type Exclusive = <T>(action: () => Promise<T>) => Promise<T>;

export function exclusive(env: Environment, issuer: string, store: Shared, leaseMs: number): Exclusive {
  const name = `portcullis:${issuer}`;
  const owner = `${Math.random()}`;
  let last: Promise<unknown> = Promise.resolve();

  async function byLock<T>(locks: LockManager, action: () => Promise<T>): Promise<T> {
    const late = new AbortController();
    const stop = env.after(2 * leaseMs, () => late.abort());
    let isGranted = false;
    try {
      return await locks.request(name, { signal: late.signal }, () => {
        stop();
        isGranted = true;
        return action();
      });
    } catch (error) {
      if (isGranted) throw error;
      if (late.signal.aborted) throw new TimeoutError(`lock ${name}`, 2 * leaseMs);
      // The context may use no locks, such as a sandboxed frame.
      return byLease(action);
    } finally {
      stop();
    }
  }

  async function byLease<T>(action: () => Promise<T>): Promise<T> {
    const until = env.now() + 2 * leaseMs;
    while ((await store.take(owner, env.now() + leaseMs)) === false) {
      if (env.now() > until) throw new TimeoutError(`lease ${name}`, 2 * leaseMs);
      await new Promise<void>((done) => void env.after(POLL_MS * (1 + Math.random()), done));
    }
    try {
      return await action();
    } finally {
      await store.release(owner);
    }
  }

  return (action) => {
    const next = (): ReturnType<typeof action> => (env.locks ? byLock(env.locks, action) : byLease(action));
    // Without locks and without a database, this orders the actions of this context alone. The issuer accepts
    // concurrent refreshes of several contexts within its grace period.
    const result = last.then(next, next);
    last = result.catch(() => {});
    return result;
  };
}
