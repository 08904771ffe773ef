/** What a session uses of its context, which is a page or a worker. Tests replace the clock and inject faults. */
export interface Environment {
  readonly fetch: (request: Request) => Promise<Response>;
  readonly locks: LockManager | undefined;
  readonly indexedDB: IDBFactory | undefined;
  readonly BroadcastChannel: typeof BroadcastChannel | undefined;
  /** The page, or `undefined` in a worker. */
  readonly document: Pick<Document, 'visibilityState' | 'addEventListener' | 'removeEventListener'> | undefined;
  /** The target of `online`, `pageshow` and `focus`. */
  readonly window: Pick<Window, 'addEventListener' | 'removeEventListener'> | undefined;
  isOffline(): boolean;
  /** The current time, in milliseconds since 1970. */
  now(): number;
  /** Calls `action` after a time, and returns a function that prevents this. */
  after(ms: number, action: () => void): () => void;
}

export function environment(): Environment {
  const { document, navigator } = globalThis;
  // On a server, a channel would connect the sessions of different visitors.
  const isBrowser = document !== undefined || 'WorkerGlobalScope' in globalThis;
  return {
    fetch: (request) => fetch(request),
    locks: isBrowser ? navigator.locks : undefined,
    indexedDB: isBrowser ? globalThis.indexedDB : undefined,
    BroadcastChannel: isBrowser ? globalThis.BroadcastChannel : undefined,
    document,
    window: document && globalThis.window,
    isOffline: () => globalThis.navigator?.onLine === false,
    now: () => Date.now(),
    after(ms, action) {
      // Longer times overflow, and would end at once.
      const timer = ms < 2 ** 31 ? setTimeout(action, ms) : undefined;
      return () => clearTimeout(timer);
    },
  };
}
