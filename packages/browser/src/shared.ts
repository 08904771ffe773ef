// What all pages and workers of an origin know about the session, in IndexedDB, which a service worker has as well.

import type { Environment } from './environment.js';
import type { SignedOutReason } from './types.js';

/** No token is in it. */
export interface Entry {
  /** Grows with each login, refresh, step-up and end of the session. */
  readonly generation: number;
  /** Why there is no session; `null` while there is one. */
  readonly out: SignedOutReason | null;
  readonly sessionId: string;
  /** When the access token expires, in milliseconds since 1970; 0 if unknown. */
  readonly expiresAt: number;
  /** The lifetime of the access token, in milliseconds. */
  readonly lifetime: number;
  /** The time before which the issuer wants no refresh. */
  readonly notBefore: number;
}

export const NOTHING: Entry = {
  generation: 0,
  out: 'no-session',
  sessionId: '',
  expiresAt: 0,
  lifetime: 0,
  notBefore: 0,
};

/** Some browsers never answer `open`. */
const OPEN_MS = 1_000;

const STORE = 'sessions';

export interface Shared {
  read(): Promise<Entry>;
  write(record: Entry): Promise<void>;
  /** Takes the lease if it is free or expired. Returns `null` without a usable database. */
  take(owner: string, until: number): Promise<boolean | null>;
  release(owner: string): Promise<void>;
  close(): void;
}

interface Lease {
  readonly owner: string;
  readonly until: number;
}

export function shared(env: Environment, issuer: string): Shared {
  let memory = NOTHING;
  let opening: Promise<IDBDatabase | null> | undefined;

  const open = (): Promise<IDBDatabase | null> =>
    (opening ??= new Promise((resolve) => {
      const none = (): void => resolve(null);
      const stop = env.after(OPEN_MS, none);
      try {
        const request = env.indexedDB?.open('portcullis', 1);
        if (!request) return none();
        request.onupgradeneeded = () => request.result.createObjectStore(STORE);
        request.onerror = none;
        request.onsuccess = () => {
          stop();
          request.result.onversionchange = () => request.result.close();
          resolve(request.result);
        };
      } catch {
        none();
      }
    }));

  /** Runs a transaction. Without a usable database, the result is `null`. */
  async function transact<T>(
    mode: IDBTransactionMode,
    run: (store: IDBObjectStore, finish: (value: T) => void) => void,
  ): Promise<T | null> {
    const database = await open();
    if (!database) return null;
    return new Promise((resolve) => {
      try {
        const transaction = database.transaction(STORE, mode);
        let result: T | null = null;
        // Other contexts see the change only after `complete`.
        transaction.oncomplete = () => resolve(result);
        transaction.onabort = () => resolve(null);
        run(transaction.objectStore(STORE), (value) => (result = value));
      } catch {
        // The database was closed: the browser deleted it.
        opening = undefined;
        resolve(null);
      }
    });
  }

  const lease = `${issuer} lease`;
  return {
    async read() {
      const found = await transact<Entry>('readonly', (store, finish) => {
        const request = store.get(issuer);
        request.onsuccess = () => finish((request.result as Entry | undefined) ?? NOTHING);
      });
      return found && found.generation >= memory.generation ? (memory = found) : memory;
    },
    async write(record) {
      memory = record;
      await transact('readwrite', (store) => store.put(record, issuer));
    },
    take: (owner, until) =>
      transact('readwrite', (store, finish) => {
        const request = store.get(lease);
        request.onsuccess = () => {
          const held = request.result as Lease | undefined;
          const isFree = !held || held.owner === owner || held.until < env.now();
          if (isFree) store.put({ owner, until } satisfies Lease, lease);
          finish(isFree);
        };
      }),
    async release(owner) {
      await transact('readwrite', (store) => {
        const request = store.get(lease);
        request.onsuccess = () => {
          if ((request.result as Lease | undefined)?.owner === owner) store.delete(lease);
        };
      });
    },
    close: () => void opening?.then((database) => database?.close()),
  };
}
