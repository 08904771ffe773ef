import type { PasskeyError } from './passkey-error.js';
import type { SignedOutReason, StepUpChallenge } from './types.js';

/** An error of this package. `code` tells the kinds apart, also across bundles. */
export class PortcullisError extends Error {
  readonly code: string;

  constructor(code: string, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'PortcullisError';
    this.code = code;
  }
}

/** There is no session: the user must log in. */
export class SignedOutError extends PortcullisError {
  declare readonly code: 'signed-out';
  readonly reason: SignedOutReason;

  constructor(reason: SignedOutReason) {
    super('signed-out', `there is no session (${reason}); log in`);
    this.reason = reason;
  }
}

/** The service cannot answer now. The session is unchanged. */
export class LaterError extends PortcullisError {
  declare readonly code: 'later';
  /** The time after which to try again, in milliseconds. */
  readonly retryAfterMs: number;
  /** The response to `Session.fetch`, with an unread body; `null` for the session's own requests. */
  readonly response: Response | null;

  constructor(why: string, retryAfterMs: number, response: Response | null = null) {
    super('later', `${why}; try again in ${Math.ceil(retryAfterMs / 1000)} s`);
    this.retryAfterMs = retryAfterMs;
    this.response = response;
  }
}

/**
 * No response: the browser is offline, the service is down, or the browser may not read the response (CORS). The
 * session is unchanged.
 */
export class UnreachableError extends PortcullisError {
  declare readonly code: 'unreachable';
  /** Whether the browser knows that it is offline. */
  readonly offline: boolean;

  constructor(url: string, offline: boolean, cause: unknown) {
    super(
      'unreachable',
      offline ? 'the browser is offline' : `${url} is unreachable, or does not allow this page's origin (CORS)`,
      cause,
    );
    this.offline = offline;
  }
}

/** No response in time. The session is unchanged. */
export class TimeoutError extends PortcullisError {
  declare readonly code: 'timeout';

  constructor(what: string, ms: number) {
    super('timeout', `${what}: no response within ${ms} ms`);
  }
}

/** The issuer rejected the request. */
export class RefusedError extends PortcullisError {
  declare readonly code: 'refused';
  readonly status: number;
  /** The last part of the problem's type, for example `wrong-credentials`; `null` if the body names none. */
  readonly problem: string | null;

  constructor(status: number, problem: string | null, detail: string | null) {
    super('refused', detail ?? `the issuer rejected the request: status ${status}`);
    this.status = status;
    this.problem = problem;
  }
}

/** The response has the right status and not the expected body. The sender may not be the issuer, but a proxy. */
export class UnexpectedError extends PortcullisError {
  declare readonly code: 'unexpected';

  constructor(url: string) {
    super('unexpected', `${url}: the body is not from the issuer; a proxy may have answered`);
  }
}

/** The API redirects. Requests with credentials do not follow redirects, which may lead to any origin. */
export class RedirectError extends PortcullisError {
  declare readonly code: 'redirect';

  constructor(url: string) {
    super('redirect', `${url} redirects; request the final URL, or use the global fetch without credentials`);
  }
}

/**
 * Why a request that needs a step-up failed.
 *
 * | reason | meaning |
 * |---|---|
 * | `no-handler` | `Session.onStepUp` was not called |
 * | `declined` | the user declined |
 * | `insufficient` | after the step-up, the API required another one |
 */
export type StepUpReason = 'no-handler' | 'declined' | 'insufficient';

/** The API requires a step-up; `reason` says why there was none, or that it was not sufficient. */
export class StepUpNeededError extends PortcullisError {
  declare readonly code: 'step-up-needed';
  readonly challenge: StepUpChallenge;
  readonly reason: StepUpReason;

  constructor(challenge: StepUpChallenge, reason: StepUpReason) {
    super('step-up-needed', 'the API requires a more recent or stronger authentication');
    this.challenge = challenge;
    this.reason = reason;
  }
}

/** All errors of this package, told apart by `code`. */
export type SessionError =
  | SignedOutError
  | LaterError
  | UnreachableError
  | TimeoutError
  | RefusedError
  | UnexpectedError
  | RedirectError
  | StepUpNeededError
  | PasskeyError;

/** Returns whether `error` is an error of this package, also if it comes from another copy of it. */
export function isSessionError(error: unknown): error is SessionError {
  return error instanceof Error && error.name === 'PortcullisError';
}
