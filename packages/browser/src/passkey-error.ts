import { PortcullisError } from './errors.js';

/**
 * Why the browser has no answer of a passkey.
 *
 * | reason | meaning |
 * |---|---|
 * | `cancelled` | the user cancelled or the time was over: browsers do not tell these apart |
 * | `replaced` | another request for a passkey ended this conditional one |
 * | `exists` | the authenticator already has a passkey of this user |
 * | `unavailable` | the browser has no passkeys, or does not allow them to this page; `cause` says why |
 */
export type PasskeyReason = 'cancelled' | 'replaced' | 'exists' | 'unavailable';

const MESSAGES: { readonly [reason in PasskeyReason]: string } = {
  cancelled: 'the user cancelled, or the time was over',
  replaced: 'another request for a passkey replaced this one',
  exists: 'the authenticator already has a passkey of this user',
  unavailable: 'the browser has no passkeys, or does not allow them to this page',
};

/** The browser has no answer of a passkey. Nothing was sent to the issuer, and the session is unchanged. */
export class PasskeyError extends PortcullisError {
  declare readonly code: 'passkey';
  readonly reason: PasskeyReason;

  constructor(reason: PasskeyReason, cause?: unknown) {
    super('passkey', MESSAGES[reason], cause);
    this.reason = reason;
  }
}
