// What the operations of a security page have in common.

import { UnexpectedError } from './errors.js';
import { failure, member, withBody } from './http.js';
import type { Session, SessionRequestInit } from './types.js';

/** Sends a request to the issuer, and returns the body of a successful response. */
export async function request(
  session: Session,
  method: string,
  path: string,
  body?: object,
  init?: SessionRequestInit,
): Promise<unknown> {
  const json = body && { headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) };
  const url = `${session.issuer}/v1/auth/${path}`;
  const answer = await withBody(await session.fetch(url, { method, cache: 'no-store', ...json, ...init }));
  if (answer.response.ok) return answer.body;
  throw failure(answer, Date.now());
}

export function codes(session: Session, body: unknown): readonly string[] {
  const value = member(body, 'recovery_codes');
  if (Array.isArray(value)) return value.map(String);
  throw new UnexpectedError(session.issuer);
}
