// Passkeys (WebAuthn level 3): login, second factor, step-up, and the user's list.

import { isSessionError, UnexpectedError } from './errors.js';
import { member, text } from './http.js';
import { PasskeyError } from './passkey-error.js';
import { codes, request } from './requests.js';
import type { PasskeyAnswer, Session, SessionRequestInit, User } from './types.js';
import { date } from './values.js';
import { creationOptions, credentialJson, requestOptions } from './webauthn.js';

export { PasskeyError, type PasskeyReason } from './passkey-error.js';

/** Options of {@link askForPasskey} and {@link signInWithPasskey}. */
export interface PasskeyOptions {
  /**
   * Offers passkeys among the suggestions of an input with `autocomplete="username webauthn"`, and waits until the user
   * chooses one. See {@link isConditionalAvailable}.
   */
  readonly conditional?: boolean;
  /** Ends the request. The promise is then rejected with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** Options of {@link registerPasskey}. */
export interface RegisterOptions {
  /** The name in the list, of 1 to 100 characters. Default: `Passkey`. */
  readonly name?: string;
  /** The password: needed if the user has no second factor, and logged in more than 5 minutes ago. */
  readonly password?: string;
  readonly signal?: AbortSignal;
}

/** A passkey of the user. */
export interface Passkey {
  readonly id: string;
  readonly name: string;
  readonly createdAt: Date;
  readonly lastUsedAt: Date | null;
  /** Whether its key may be on several devices. */
  readonly synced: boolean;
  /** Whether its key is on several devices, or in a backup. */
  readonly backedUp: boolean;
}

/** A passkey that was just registered. */
export interface NewPasskey extends Passkey {
  /** If it is the first second factor of the user: codes for when it is lost. The issuer shows them once. */
  readonly recoveryCodes: readonly string[] | null;
}

/** How long before its expiry a conditional request gets another challenge, as a part of the lifetime. */
const LEAD = 0.1;

/** The limits of the time until the next challenge: a timer of 0 ms or of more than 24 days fires at once. */
const [MIN_MS, MAX_MS] = [10_000, 3_600_000];

/** Ends the pending conditional request: browsers allow one request at a time. */
let replace = (): void => {};

/** Returns whether the browser has passkeys. */
export function isSupported(): boolean {
  return typeof globalThis.PublicKeyCredential === 'function' && !!globalThis.navigator?.credentials;
}

/** Returns whether the browser can offer passkeys among the suggestions of an input. */
export async function isConditionalAvailable(): Promise<boolean> {
  try {
    return isSupported() && (await PublicKeyCredential.isConditionalMediationAvailable());
  } catch {
    return false;
  }
}

interface Challenge<T> {
  readonly ceremony: string;
  readonly lifetimeMs: number;
  readonly options: T;
}

async function challenge<T>(
  session: Session,
  path: string,
  body?: object,
  init?: SessionRequestInit,
): Promise<Challenge<T>> {
  const answer = await request(session, 'POST', `passkeys/${path}`, body, init);
  const [ceremony, seconds, options] = [text(answer, 'ceremony'), member(answer, 'expires_in'), member(answer, 'options')];
  if (!ceremony || typeof seconds !== 'number' || text(options, 'challenge') === null) {
    throw new UnexpectedError(session.issuer);
  }
  return { ceremony, lifetimeMs: seconds * 1000, options: options as T };
}

const withSignal = (signal: AbortSignal | undefined): { signal?: AbortSignal } => (signal ? { signal } : {});

/** Runs a request of the browser, and returns the JSON of its credential. */
async function ceremony(signal: AbortSignal | undefined, run: () => Promise<Credential | null>): Promise<object> {
  try {
    const credential = await run();
    if (credential) return credentialJson(credential as PublicKeyCredential);
  } catch (error) {
    signal?.throwIfAborted();
    const name = text(error, 'name') ?? '';
    if (['NotAllowedError', 'AbortError'].includes(name)) throw new PasskeyError('cancelled', error);
    throw new PasskeyError(name === 'InvalidStateError' ? 'exists' : 'unavailable', error);
  }
  throw new PasskeyError('unavailable');
}

/** Resolves when the page is visible: a page in the background needs no challenge. */
function visible(signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const { document } = globalThis;
    const end = new AbortController();
    const check = (): void => {
      if (signal.aborted) reject(signal.reason as Error);
      else if (document?.visibilityState === 'hidden') return;
      resolve();
      end.abort();
    };
    document?.addEventListener('visibilitychange', check, { signal: end.signal });
    signal.addEventListener('abort', check, { signal: end.signal });
    check();
  });
}

async function askConditionally(session: Session, signal: AbortSignal): Promise<PasskeyAnswer> {
  for (;;) {
    await visible(signal);
    const { ceremony: id, lifetimeMs, options } = await challenge<PublicKeyCredentialRequestOptionsJSON>(
      session,
      'challenge',
      undefined,
      { signal },
    );
    const expiry = new AbortController();
    const timer = setTimeout(() => expiry.abort(), Math.min(Math.max(lifetimeMs * (1 - LEAD), MIN_MS), MAX_MS));
    try {
      const any = AbortSignal.any([signal, expiry.signal]);
      const publicKey = requestOptions(options);
      const credential = await ceremony(signal, () =>
        navigator.credentials.get({ publicKey, mediation: 'conditional', signal: any }),
      );
      return { ceremony: id, credential };
    } catch (error) {
      if (signal.aborted || !expiry.signal.aborted) throw error;
    } finally {
      clearTimeout(timer);
    }
  }
}

/**
 * Asks the user for a passkey, for `session.login`, `session.stepUp`, or `complete` of a login that needs a second
 * factor. A request that is not conditional ends a conditional one.
 *
 * @throws {@link PasskeyError}, or what `session.fetch` throws
 */
export async function askForPasskey(session: Session, options: PasskeyOptions = {}): Promise<PasskeyAnswer> {
  const { conditional = false, signal } = options;
  signal?.throwIfAborted();
  if (!isSupported()) throw new PasskeyError('unavailable');
  replace();
  if (conditional) {
    const replaced = new AbortController();
    replace = () => replaced.abort(new PasskeyError('replaced'));
    return askConditionally(session, signal ? AbortSignal.any([signal, replaced.signal]) : replaced.signal);
  }
  const begun = await challenge<PublicKeyCredentialRequestOptionsJSON>(session, 'challenge', undefined, withSignal(signal));
  const publicKey = requestOptions(begun.options);
  const credential = await ceremony(signal, () => navigator.credentials.get({ publicKey, ...withSignal(signal) }));
  return { ceremony: begun.ceremony, credential };
}

/**
 * Logs in with a passkey, without a name and a password.
 *
 * @throws {@link PasskeyError}, {@link RefusedError} with `wrong-passkey`, or what `session.login` throws
 */
export async function signInWithPasskey(session: Session, options: PasskeyOptions = {}): Promise<User> {
  const result = await session.login(await askForPasskey(session, options), withSignal(options.signal));
  if (result.status === 'signed-in') return result.user;
  // A passkey is both factors.
  throw new UnexpectedError(session.issuer);
}

/** Steps up with a passkey: a handler of `session.onStepUp` can call it. */
export async function stepUpWithPasskey(session: Session, options: Pick<PasskeyOptions, 'signal'> = {}): Promise<void> {
  await session.stepUp(await askForPasskey(session, options), withSignal(options.signal));
}

/** Begins a registration. A user with a second factor steps up first; a step-up is of no use to another user. */
async function beginRegistration(
  session: Session,
  { password, signal }: RegisterOptions,
): Promise<Challenge<PublicKeyCredentialCreationOptionsJSON>> {
  const begin = (stepUp: boolean): Promise<Challenge<PublicKeyCredentialCreationOptionsJSON>> =>
    challenge(session, 'registration', { password }, { stepUp, ...withSignal(signal) });
  try {
    return await begin(false);
  } catch (error) {
    if (isSessionError(error) && error.code === 'refused' && error.problem === 'step-up-too-old') return begin(true);
    throw error;
  }
}

/**
 * Registers a passkey. If the user has a second factor, needs a recent step-up, which it starts.
 *
 * @throws {@link PasskeyError}, {@link RefusedError} with `login-too-old` (ask for the password, and call again with
 *   it), `wrong-password`, `wrong-passkey`, `too-many-passkeys` or `wrong-fields` (the name), or what `session.fetch`
 *   throws
 */
export async function registerPasskey(session: Session, options: RegisterOptions = {}): Promise<NewPasskey> {
  const { name = 'Passkey', signal } = options;
  signal?.throwIfAborted();
  if (!isSupported()) throw new PasskeyError('unavailable');
  replace();
  const begun = await beginRegistration(session, options);
  const publicKey = creationOptions(begun.options);
  const credential = await ceremony(signal, () => navigator.credentials.create({ publicKey, ...withSignal(signal) }));
  const body = await request(session, 'POST', 'passkeys', { ceremony: begun.ceremony, credential, name });
  const isFirst = member(body, 'recovery_codes') !== undefined;
  return { ...readPasskey(session, body), recoveryCodes: isFirst ? codes(session, body) : null };
}

function readPasskey(session: Session, body: unknown): Passkey {
  const [id, name] = [text(body, 'id'), text(body, 'name')];
  if (id === null || name === null) throw new UnexpectedError(session.issuer);
  return {
    id,
    name,
    createdAt: date(body, 'created_at'),
    lastUsedAt: typeof member(body, 'last_used_at') === 'number' ? date(body, 'last_used_at') : null,
    synced: member(body, 'synced') === true,
    backedUp: member(body, 'backed_up') === true,
  };
}

/** Lists the user's passkeys, the oldest first. */
export async function listPasskeys(session: Session): Promise<readonly Passkey[]> {
  const list = member(await request(session, 'GET', 'passkeys'), 'passkeys');
  if (!Array.isArray(list)) throw new UnexpectedError(session.issuer);
  return list.map((one: unknown) => readPasskey(session, one));
}

/**
 * Renames a passkey.
 *
 * @throws RefusedError with `no-such-passkey` or `wrong-fields`
 */
export async function renamePasskey(session: Session, id: string, name: string): Promise<void> {
  await request(session, 'POST', `passkeys/${encodeURIComponent(id)}/name`, { name });
}

/**
 * Removes a passkey, and ends the user's other sessions that began with it. Needs a recent step-up, which it starts.
 *
 * @throws RefusedError with `no-such-passkey`
 */
export async function removePasskey(session: Session, id: string): Promise<void> {
  await request(session, 'DELETE', `passkeys/${encodeURIComponent(id)}`);
}
