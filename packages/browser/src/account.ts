// The operations of a security page: password, authenticator app, recovery codes.

import { UnexpectedError } from './errors.js';
import { text } from './http.js';
import { codes, request } from './requests.js';
import type { Session } from './types.js';

/** The secret of an authenticator app, and the recovery codes. The issuer shows them once. */
export interface Enrolment {
  /** The secret in base32. */
  readonly secret: string;
  /** The secret as an `otpauth` URL, for a QR code. */
  readonly otpauthUrl: string;
  readonly recoveryCodes: readonly string[];
}

/**
 * Changes the password, and ends the user's other sessions. The current password may be `null` within 5 minutes of a
 * step-up.
 *
 * @throws RefusedError with `wrong-password` or `invalid-password`
 */
export async function changePassword(session: Session, current: string | null, next: string): Promise<void> {
  await request(session, 'POST', 'password', { password: current, new_password: next });
}

/**
 * Creates a secret for an authenticator app. It is in effect after the first right code: call `session.stepUp(code)`.
 *
 * @throws RefusedError with `wrong-password` or `second-factor-exists`
 */
export async function enrolTotp(session: Session, password: string): Promise<Enrolment> {
  const body = await request(session, 'POST', 'totp', { password });
  const [secret, otpauthUrl] = [text(body, 'secret'), text(body, 'otpauth_url')];
  if (secret === null || otpauthUrl === null) throw new UnexpectedError(session.issuer);
  return { secret, otpauthUrl, recoveryCodes: codes(session, body) };
}

/** Removes the authenticator app. Needs a recent step-up, which it starts. */
export async function removeTotp(session: Session): Promise<void> {
  await request(session, 'DELETE', 'totp');
}

/** Replaces all recovery codes. Needs a recent step-up, which it starts. */
export async function makeRecoveryCodes(session: Session): Promise<readonly string[]> {
  return codes(session, await request(session, 'POST', 'recovery-codes'));
}
