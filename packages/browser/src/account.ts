// The operations of a security page: password, authenticator app, recovery codes.

import { UnexpectedError } from './errors.js';
import { failure, member, text, withBody } from './http.js';
import type { Session } from './types.js';

/** The secret of an authenticator app, and the recovery codes. The issuer shows them once. */
export interface Enrolment {
  /** The secret in base32. */
  readonly secret: string;
  /** The secret as an `otpauth` URL, for a QR code. */
  readonly otpauthUrl: string;
  readonly recoveryCodes: readonly string[];
}

async function request(session: Session, method: string, path: string, body?: object): Promise<unknown> {
  const json = body && { headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) };
  const url = `${session.issuer}/v1/auth/${path}`;
  const answer = await withBody(await session.fetch(url, { method, cache: 'no-store', ...json }));
  if (answer.response.ok) return answer.body;
  throw failure(answer, Date.now());
}

function codes(session: Session, body: unknown): readonly string[] {
  const value = member(body, 'recovery_codes');
  if (Array.isArray(value)) return value.map(String);
  throw new UnexpectedError(session.issuer);
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
