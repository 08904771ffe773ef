import type { SessionError } from './errors.js';

/** Settings of {@link createSession}. */
export interface SessionOptions {
  /** The issuer's URL, as in its tokens' `iss`; or the URL below which a proxy serves `/v1/auth`. */
  readonly issuer: string | URL;
  /** The origins of the APIs that get the session's credentials, for example `https://api.example.com`. */
  readonly apis?: readonly (string | URL)[];
  /**
   * The time until a response's headers, in milliseconds; for the issuer's responses, until the end of the body.
   * Default: 10 000.
   */
  readonly timeoutMs?: number;
}

/** The user of the session, with the current roles and scopes. */
export interface User {
  readonly id: string;
  readonly name: string;
  readonly roles: readonly string[];
  readonly scopes: readonly string[];
}

/**
 * Why there is no session.
 *
 * | reason | meaning |
 * |---|---|
 * | `no-session` | the browser has no session |
 * | `ended` | the session has expired or was ended elsewhere |
 * | `logged-out` | this page, or another tab, logged out |
 * | `cookies-rejected` | another host of the domain may have set a cookie; the issuer deleted all of them |
 */
export type SignedOutReason = 'no-session' | 'ended' | 'logged-out' | 'cookies-rejected';

/**
 * What is known about the session. It is `unknown` until the issuer has answered. A failure to reach the issuer is
 * the `error` of `unknown`, and never `signed-out`.
 */
export type SessionState =
  | { readonly status: 'unknown'; readonly error: SessionError | null }
  | { readonly status: 'signed-in'; readonly user: User }
  | { readonly status: 'signed-out'; readonly reason: SignedOutReason };

/** Options of {@link Session.login} and {@link Session.stepUp}. */
export interface Abortable {
  /** Ends the request. The promise is then rejected with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** A name and a password and, if it is known to be needed, a code or a passkey. */
export interface Credentials {
  readonly username: string;
  readonly password: string;
  /** A code of the authenticator app, or a recovery code. */
  readonly code?: string;
  readonly passkey?: PasskeyAnswer;
}

/** A passkey's answer to a challenge of the issuer: the result of `askForPasskey` of `portcullis/passkeys`. */
export interface PasskeyAnswer {
  readonly ceremony: string;
  /** The `AuthenticationResponseJSON` of WebAuthn level 3. */
  readonly credential: object;
}

/** The result of a login with the right password, or with a passkey. */
export type LoginResult =
  | { readonly status: 'signed-in'; readonly user: User }
  | {
      /** The user has a second factor. */
      readonly status: 'code-needed';
      /** Continues the login with a code of the authenticator app, a recovery code, or a passkey. */
      complete(proof: string | PasskeyAnswer, options?: Abortable): Promise<LoginResult>;
    };

/** The result of a logout. Until a session has ended, the user is still signed in. */
export type LogoutResult =
  | {
      readonly ended: true;
      /** `false` if the browser had no session that could be ended. */
      readonly hadSession: boolean;
    }
  | {
      readonly ended: false;
      readonly error: SessionError;
      /** Tries again. */
      retry(): Promise<LogoutResult>;
    };

/** A live session of the user. */
export interface SessionInfo {
  readonly id: string;
  readonly createdAt: Date;
  /** The time of the last refresh; up to 5 minutes too early. */
  readonly lastUsedAt: Date;
  /** When the session expires if it is not used again. */
  readonly expiresAt: Date;
  /** The `User-Agent` at the login. */
  readonly userAgent: string | null;
  /** Whether it is the session of this browser. */
  readonly current: boolean;
}

/** What an API requires (RFC 9470). */
export interface StepUpChallenge {
  /** The accepted values of `acr`; empty if any is accepted. */
  readonly acrValues: readonly string[];
  /** The maximum age of the authentication, in seconds. */
  readonly maxAge: number | null;
}

/**
 * Asks the user for a code or a passkey, calls {@link Session.stepUp} with it (or logs in again), and returns `true`; or returns
 * `false` if the user declines.
 */
export type StepUpHandler = (challenge: StepUpChallenge) => Promise<boolean>;

/** The options of {@link Session.fetch}. */
export interface SessionRequestInit extends RequestInit {
  /** The time until the response's headers, in milliseconds; `Infinity` for uploads of any length. */
  readonly timeoutMs?: number;
  /** With `false`, a response that requires a step-up is returned, and the handler is not called. */
  readonly stepUp?: boolean;
}

/** A page's session with the issuer. The tokens are in cookies that scripts cannot read. */
export interface Session {
  /** The issuer's URL, without a slash at the end. */
  readonly issuer: string;
  /** What is known about the session. A new object after each change. */
  readonly state: SessionState;
  /** Calls `listener` after each change of the state, by this or another tab. Returns a function that stops it. */
  subscribe(listener: (state: SessionState) => void): () => void;
  /**
   * Asks the issuer whether there is a session. Concurrent calls share one request.
   *
   * @throws a {@link SessionError} if the issuer cannot answer, never {@link SignedOutError}
   */
  restore(): Promise<SessionState>;
  /**
   * Logs in, with name and password, or with a passkey.
   *
   * @throws {@link RefusedError} with `wrong-credentials`, `wrong-code`, `wrong-passkey` or `second-factor-locked`,
   *   {@link LaterError} after too many attempts, {@link UnreachableError}, {@link TimeoutError}
   */
  login(credentials: Credentials | PasskeyAnswer, options?: Abortable): Promise<LoginResult>;
  /** Ends the session. Does not throw: the result says whether it has ended. */
  logout(): Promise<LogoutResult>;
  /** Ends all sessions of the user, on all devices. Does not throw. */
  logoutEverywhere(): Promise<LogoutResult>;
  /**
   * Like the global `fetch`, with the session's cookies for the issuer and the listed origins, and for no others. If
   * the access token has expired, refreshes it and repeats the request. If the API requires a step-up, calls the
   * handler and repeats the request, unless the user is another one meanwhile. Can be called without its session, as a function.
   *
   * @throws {@link SignedOutError} if there is no session, or another user has logged in; {@link LaterError} for 429
   *   and 503 with `Retry-After`, {@link RedirectError}, {@link StepUpNeededError}, {@link UnreachableError}, {@link TimeoutError}
   */
  readonly fetch: (input: RequestInfo | URL, init?: SessionRequestInit) => Promise<Response>;
  /** Refreshes the access token, unless another tab is doing so. */
  refresh(): Promise<void>;
  /** Lists the user's sessions, the most recently used first. */
  sessions(): Promise<readonly SessionInfo[]>;
  /** Ends one of the user's sessions. */
  endSession(id: string): Promise<void>;
  /**
   * Sends a code of the authenticator app, a recovery code, or a passkey. The access token then has a fresh `auth_time`
   * and the `acr` `aal2`.
   *
   * @throws {@link RefusedError} with `wrong-code`, `wrong-passkey`, `no-second-factor` or `second-factor-locked`
   */
  stepUp(proof: string | PasskeyAnswer, options?: Abortable): Promise<void>;
  /** Sets the handler of challenges. The latest one is called. Returns a function that removes it. */
  onStepUp(handler: StepUpHandler): () => void;
  /** Stops the timers and the messages between tabs. The session at the issuer does not end. */
  close(): void;
}
