import { environment, type Environment } from './environment.js';
import {
  isSessionError,
  LaterError,
  type PortcullisError,
  SignedOutError,
  StepUpNeededError,
  UnexpectedError,
} from './errors.js';
import { exclusive } from './exclusive.js';
import {
  type Answer,
  failure,
  member,
  problemOf,
  rejectRedirect,
  retryAfter,
  send,
  stepUpChallenge,
  text,
  withBody,
} from './http.js';
import { readIssuer, readOrigins } from './origins.js';
import { persistently } from './refresh.js';
import { type Entry, NOTHING, shared } from './shared.js';
import type {
  Abortable,
  Credentials,
  LoginResult,
  LogoutResult,
  PasskeyAnswer,
  Session,
  SessionInfo,
  SessionOptions,
  SessionState,
  SignedOutReason,
  StepUpChallenge,
  StepUpHandler,
  User,
} from './types.js';
import { readSessions, readUser } from './values.js';

/** How long before its expiry the access token is refreshed, in milliseconds; at most a fifth of its lifetime. */
const LEAD_MS = 60_000;

/** How often a visible page compares the clock, which jumps when a computer wakes up. */
const HEARTBEAT_MS = 30_000;

/** How much longer than one request a refresh may take. */
const MORE_MS = 5_000;

/** The maximum number of repetitions: after another tab's refresh, after an own refresh, after a step-up. */
const REPEATS = 3;

/** The problems of a refresh that say that there is no session. */
const ENDS: { readonly [problem: string]: SignedOutReason } = {
  'wrong-refresh-token': 'ended',
  'session-over': 'ended',
  'ambiguous-cookie': 'cookies-rejected',
  'unmatched-cookie': 'cookies-rejected',
};

const asFactor = (proof: string | PasskeyAnswer): object => (typeof proof === 'string' ? { code: proof } : { passkey: proof });

const withSignal = (options?: Abortable): RequestInit => ({ signal: options?.signal ?? null });

/**
 * Creates the session of this page or worker. It sends nothing until it is used.
 *
 * @throws TypeError if a URL of the options is not usable
 */
export function createSession(options: SessionOptions): Session {
  return createSessionIn(environment(), options);
}

/** {@link createSession} in a given environment. */
export function createSessionIn(env: Environment, options: SessionOptions): Session {
  const { apis = [], timeoutMs = 10_000 } = options;
  const issuer = readIssuer(options.issuer);
  const origins = readOrigins(issuer, apis);
  const store = shared(env, issuer);
  const alone = exclusive(env, issuer, store, timeoutMs + MORE_MS);
  const channel = env.BroadcastChannel && new env.BroadcastChannel(`portcullis:${issuer}`);
  const listeners = new Set<(state: SessionState) => void>();
  const handlers: StepUpHandler[] = [];
  let known = NOTHING;
  /** The session in which the user was loaded; empty if its id was not known. */
  let loadedIn = '';
  let state: SessionState = { status: 'unknown', error: null };
  let isClosed = false;
  let renewing: Promise<boolean> | undefined;
  let restoring: Promise<SessionState> | undefined;
  let steppingUp: Promise<boolean> | undefined;
  let cancelTimer = (): void => {};

  function setState(next: SessionState): void {
    state = next;
    for (const listener of [...listeners]) listener(next);
  }

  // ---- What all tabs know ----

  /** Takes over what another tab has done. */
  function adopt(record: Entry): void {
    if (record.generation <= known.generation) return;
    known = record;
    schedule();
    if (record.out) {
      // A tab that has not asked the issuer yet asks it.
      if (state.status === 'signed-in') setState({ status: 'signed-out', reason: record.out });
      return;
    }
    // The user has not been requested yet, or is being loaded.
    if (state.status === 'unknown' && !state.error) return;
    reload();
  }

  /** Loads the user, unless the user of the session is loaded. */
  function reload(): void {
    if (state.status === 'signed-in') {
      if (loadedIn === known.sessionId) return;
      // The other session may be another user's.
      if (loadedIn) setState({ status: 'unknown', error: null });
    }
    void loadUser().catch(() => {});
  }

  async function publish(record: Omit<Entry, 'generation'>): Promise<void> {
    const generation = Math.max(known.generation, (await store.read()).generation) + 1;
    known = { ...record, generation };
    await store.write(known);
    if (!isClosed) channel?.postMessage(known);
    schedule();
  }

  /** Notes the session's new access token. */
  async function begin({ response, body }: Answer): Promise<void> {
    const seconds = member(body, 'expires_in');
    const sessionId = text(body, 'session_id');
    if (typeof seconds !== 'number' || !sessionId) throw new UnexpectedError(response.url);
    const lifetime = seconds * 1000;
    await publish({ out: null, sessionId, lifetime, expiresAt: env.now() + lifetime, notBefore: 0 });
    if (state.status === 'signed-in') reload();
  }

  async function end(reason: SignedOutReason): Promise<void> {
    // A visitor who never had a session is no news for other tabs.
    if (!known.out || state.status === 'signed-in') await publish({ ...NOTHING, out: reason });
    setState({ status: 'signed-out', reason });
  }

  // ---- Requests ----

  /** Sends a request to the issuer, with cookies. */
  async function call(method: string, path: string, body?: object, init?: RequestInit): Promise<Answer> {
    const request = new Request(`${issuer}/v1/${path}`, {
      method,
      cache: 'no-store',
      credentials: 'include',
      redirect: 'manual',
      ...(body && { headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) }),
      ...init,
    });
    const answer = await send(env, request, timeoutMs, withBody);
    rejectRedirect(answer.response, request.url);
    return answer;
  }

  /** Returns a function that returns whether the user is still the one of now. */
  function sameUser(): () => Promise<boolean> {
    const before = state;
    const { sessionId } = known;
    return async () => {
      if (known.sessionId === sessionId) return true;
      if (before.status === 'signed-in') return (await loadUser()).id === before.user.id;
      // A worker does not load the user.
      return !sessionId;
    };
  }

  /**
   * Repeats a request after a refresh, and after a step-up if it `asks` for one. A request of one user is not repeated
   * with the cookies of another one.
   */
  async function authorized(attempt: () => Promise<Answer>, asks = true, isSameUser = sameUser()): Promise<Answer> {
    let isRefreshed = false;
    let isSteppedUp = false;
    for (let repeats = 0; ; repeats += 1) {
      const seen = known.generation;
      const answer = await attempt();
      if (answer.response.status !== 401 || repeats === REPEATS) return answer;
      const challenge = stepUpChallenge(answer.response);
      if (challenge) {
        if (!asks) return answer;
        if (isSteppedUp) throw new StepUpNeededError(challenge, 'insufficient');
        isSteppedUp = true;
        await askForStepUp(challenge);
      } else {
        // The session has just been refreshed, so the API has another reason.
        if (isRefreshed) return answer;
        isRefreshed = await renew(seen);
      }
      await answer.response.body?.cancel().catch(() => {});
      if (!(await isSameUser())) throw new SignedOutError('ended');
    }
  }

  /** Sends a request to the issuer. With `settle`, no other tab changes the cookies meanwhile. */
  async function own(
    method: string,
    path: string,
    body?: object,
    settle?: (answer: Answer) => Promise<void>,
    init?: RequestInit,
  ): Promise<Answer> {
    const answer = await authorized(() => {
      if (!settle) return call(method, path, body, init);
      return alone(async () => {
        const answer = await call(method, path, body, init);
        if (answer.response.ok) await settle(answer);
        return answer;
      });
    });
    if (answer.response.ok) return answer;
    throw await rejection(answer);
  }

  /** Returns the error for a response of the issuer. */
  async function rejection(answer: Answer): Promise<PortcullisError> {
    // With these problems, the issuer has deleted the cookies.
    if (ENDS[problemOf(answer.body) ?? ''] !== 'cookies-rejected') return failure(answer, env.now());
    await end('cookies-rejected');
    return new SignedOutError('cookies-rejected');
  }

  /**
   * Refreshes the access token, once for all waiting requests and tabs. `seen` is the generation of the rejected or
   * expiring token. Returns `false` if another tab has refreshed it.
   */
  function renew(seen: number): Promise<boolean> {
    renewing ??= alone(async () => {
      const record = await store.read();
      if (record.generation > seen && !record.out) {
        adopt(record);
        return false;
      }
      const wait = record.notBefore - env.now();
      if (wait > 0) throw new LaterError('the issuer asked for a pause', wait);
      const answer = await persistently(env, (signal) =>
        // `keepalive`: if the page is left now, the browser still stores the cookies of the response.
        call('POST', 'auth/refresh', undefined, { keepalive: true, signal }),
      );
      if (answer.response.ok) {
        await begin(answer);
        return true;
      }
      const problem = problemOf(answer.body) ?? '';
      const reason = problem === 'no-refresh-token' ? (record.out ?? 'ended') : ENDS[problem];
      if (reason && [400, 401].includes(answer.response.status)) {
        await end(reason);
        throw new SignedOutError(reason);
      }
      const error = failure(answer, env.now());
      if (error instanceof LaterError) {
        await store.write({ ...record, notBefore: env.now() + error.retryAfterMs });
      }
      throw error;
    }).finally(() => (renewing = undefined));
    return renewing;
  }

  async function askForStepUp(challenge: StepUpChallenge): Promise<void> {
    const handler = handlers.at(-1);
    // One question for all waiting requests.
    steppingUp ??= (async () => (handler ? handler(challenge) : false))().finally(() => (steppingUp = undefined));
    if (!(await steppingUp)) throw new StepUpNeededError(challenge, handler ? 'declined' : 'no-handler');
  }

  // ---- Refresh ahead of expiry ----

  function dueAt(): number {
    return known.expiresAt - Math.min(LEAD_MS, known.lifetime / 5);
  }

  const isVisible = (): boolean => env.document?.visibilityState === 'visible';

  function schedule(earliest = 0): void {
    cancelTimer();
    if (isClosed || !isVisible() || known.out) return;
    const due = Math.max(dueAt() - env.now(), earliest);
    cancelTimer = env.after(Math.min(due, HEARTBEAT_MS), () => void wake());
  }

  /** Catches up: the page may have slept, and missed messages. */
  async function wake(): Promise<void> {
    if (isClosed || !isVisible()) return;
    adopt(await store.read());
    try {
      if (state.status === 'unknown' && state.error) await restore();
      else if (!known.out && env.now() >= dueAt()) await renew(known.generation);
      schedule();
    } catch {
      // The session's state has the reason, or the next request reports it.
      schedule(HEARTBEAT_MS);
    }
  }

  // ---- Operations ----

  async function loadUser(): Promise<User> {
    const { generation, sessionId } = known;
    try {
      // Any user is right.
      const answer = await authorized(() => call('GET', 'users/me'), true, async () => true);
      if (!answer.response.ok) throw await rejection(answer);
      const { response, body } = answer;
      const user = readUser(body);
      if (!user) throw new UnexpectedError(response.url);
      // The session may have ended meanwhile.
      if (known.out && known.generation !== generation) {
        setState({ status: 'signed-out', reason: known.out });
        throw new SignedOutError(known.out);
      }
      // The user may be another one meanwhile.
      if (known.sessionId !== sessionId) return await loadUser();
      loadedIn = sessionId;
      setState({ status: 'signed-in', user });
      return user;
    } catch (error) {
      const isLoaded = state.status === 'signed-in' && loadedIn === known.sessionId;
      if (!isLoaded && isSessionError(error) && error.code !== 'signed-out') {
        setState({ status: 'unknown', error });
      }
      throw error;
    }
  }

  function restore(): Promise<SessionState> {
    restoring ??= (async () => {
      const record = await store.read();
      if (record.generation > known.generation) known = record;
      try {
        await loadUser();
      } catch (error) {
        if (!(error instanceof SignedOutError)) throw error;
      }
      schedule();
      return state;
    })().finally(() => (restoring = undefined));
    return restoring;
  }

  async function login(credentials: Credentials | PasskeyAnswer, options?: Abortable): Promise<LoginResult> {
    const { username, password, code, passkey, ceremony, credential } = credentials as Credentials & PasskeyAnswer;
    const path = ceremony ? 'auth/passkeys/login' : 'auth/login';
    const body = ceremony ? { ceremony, credential } : { username, password, code, passkey };
    const answer = await alone(async () => {
      const answer = await call('POST', path, body, withSignal(options));
      if (answer.response.ok) await begin(answer);
      return answer;
    });
    if (answer.response.ok) return { status: 'signed-in', user: await loadUser() };
    if (problemOf(answer.body) === 'second-factor-needed') {
      return { status: 'code-needed', complete: (proof, options) => login({ ...credentials, ...asFactor(proof) }, options) };
    }
    throw await rejection(answer);
  }

  async function ending(run: () => Promise<boolean>): Promise<LogoutResult> {
    try {
      return { ended: true, hadSession: await run() };
    } catch (error) {
      if (!isSessionError(error)) throw error;
      return { ended: false, error, retry: () => ending(run) };
    }
  }

  const events = ['online', 'pageshow', 'focus'] as const;
  const onEvent = (): void => void wake();
  const onVisibility = (): void => {
    if (isVisible()) void wake();
    else cancelTimer();
  };
  env.document?.addEventListener('visibilitychange', onVisibility);
  for (const event of events) env.window?.addEventListener(event, onEvent);
  if (channel) channel.onmessage = ({ data }: MessageEvent<Entry>) => adopt(data);

  return {
    issuer,
    get state() {
      return state;
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    restore,
    login,
    logout: () =>
      ending(() =>
        alone(async () => {
          const answer = await call('POST', 'auth/logout', undefined, { keepalive: true });
          const { ok } = answer.response;
          if (!ok && problemOf(answer.body) !== 'no-session') throw await rejection(answer);
          await end('logged-out');
          return ok;
        }),
      ),
    logoutEverywhere: () =>
      ending(async () => {
        await own('POST', 'auth/logout-everywhere', undefined, () => end('logged-out'));
        return true;
      }),
    async fetch(input, init) {
      const ms = init?.timeoutMs ?? timeoutMs;
      const plain = new Request(input, { ...init, credentials: 'omit' });
      const isIssuer = plain.url.startsWith(`${issuer}/v1/`);
      // The caller reads the body, except that the issuer's problems with the cookies concern the session.
      const unread = async (response: Response): Promise<Answer> =>
        isIssuer && response.status === 400 ? { ...(await withBody(response.clone())), response } : { response, body: undefined };
      if (!origins.has(new URL(plain.url).origin)) return (await send(env, plain, ms, unread)).response;
      const request = new Request(plain, { credentials: 'include', redirect: 'manual' });
      const answer = await authorized(() => send(env, request.clone(), ms, unread), init?.stepUp);
      const { response } = answer;
      rejectRedirect(response, request.url);
      if (ENDS[problemOf(answer.body) ?? ''] === 'cookies-rejected') throw await rejection(answer);
      const wait = [429, 503].includes(response.status) ? retryAfter(response, env.now()) : null;
      if (wait !== null) throw new LaterError(`status ${response.status}`, wait, response);
      return response;
    },
    async refresh() {
      await renew(Math.max(known.generation, (await store.read()).generation));
    },
    async sessions(): Promise<readonly SessionInfo[]> {
      const { response, body } = await own('GET', 'auth/sessions');
      const sessions = readSessions(body);
      if (!sessions) throw new UnexpectedError(response.url);
      const current = sessions.find((session) => session.current);
      if (current && !known.sessionId) {
        known = { ...known, sessionId: current.id };
        loadedIn = current.id;
      }
      return sessions;
    },
    async endSession(id) {
      await own('DELETE', `auth/sessions/${encodeURIComponent(id)}`, undefined, async () => {
        if (id === known.sessionId) await end('logged-out');
      });
    },
    async stepUp(proof, options) {
      await own('POST', 'auth/step-up', asFactor(proof), begin, withSignal(options));
    },
    onStepUp(handler) {
      handlers.push(handler);
      return () => {
        const index = handlers.lastIndexOf(handler);
        if (index >= 0) handlers.splice(index, 1);
      };
    },
    close() {
      isClosed = true;
      cancelTimer();
      channel?.close();
      store.close();
      env.document?.removeEventListener('visibilitychange', onVisibility);
      for (const event of events) env.window?.removeEventListener(event, onEvent);
    },
  };
}
