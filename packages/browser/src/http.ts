// Requests, and the meaning of their responses.

import type { Environment } from './environment.js';
import { LaterError, RedirectError, RefusedError, TimeoutError, UnreachableError } from './errors.js';
import type { StepUpChallenge } from './types.js';

const MAX_RETRY_AFTER_MS = 3_600_000;

/** The time after which to try again if a failed service names none. */
const DEFAULT_RETRY_AFTER_MS = 5_000;

const PROBLEM = 'urn:portcullis:problem:';

/** A response with its body, which is `undefined` unless it is JSON. */
export interface Answer {
  readonly response: Response;
  readonly body: unknown;
}

/** Sends a request. The time-out is for the headers, or if there is a `read`, until it has finished. */
export async function send<T>(
  env: Environment,
  request: Request,
  timeoutMs: number,
  read: (response: Response) => Promise<T>,
): Promise<T> {
  const late = new AbortController();
  const stop = env.after(timeoutMs, () => late.abort());
  try {
    const signal = AbortSignal.any([request.signal, late.signal]);
    return await read(await env.fetch(new Request(request, { signal })));
  } catch (error) {
    // The caller's own abort has the caller's reason.
    if (request.signal.aborted) throw error;
    if (late.signal.aborted) throw new TimeoutError(request.url, timeoutMs);
    throw new UnreachableError(new URL(request.url).origin, env.isOffline(), error);
  } finally {
    stop();
  }
}

export async function withBody(response: Response): Promise<Answer> {
  const text = await response.text();
  try {
    return { response, body: JSON.parse(text) as unknown };
  } catch {
    return { response, body: undefined };
  }
}

/** With `redirect: 'manual'`, browsers hide the response; other clients do not. */
export function rejectRedirect(response: Response, url: string): void {
  const isRedirect = response.status > 300 && response.status < 400 && response.status !== 304;
  if (response.type === 'opaqueredirect' || isRedirect) throw new RedirectError(url);
}

export function member(body: unknown, name: string): unknown {
  return typeof body === 'object' && body !== null ? (body as Record<string, unknown>)[name] : undefined;
}

export function text(body: unknown, name: string): string | null {
  const value = member(body, name);
  return typeof value === 'string' ? value : null;
}

/** Returns the last part of the type of the issuer's problem, or `null` if it is not a problem of the issuer. */
export function problemOf(body: unknown): string | null {
  const type = text(body, 'type');
  return type?.startsWith(PROBLEM) ? type.slice(PROBLEM.length) : null;
}

/** Returns `Retry-After` (RFC 9110 section 10.2.3) in milliseconds. */
export function retryAfter(response: Response, now: number): number | null {
  const value = response.headers.get('Retry-After');
  if (value === null) return null;
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - now;
  return Number.isNaN(ms) ? null : Math.min(Math.max(ms, 0), MAX_RETRY_AFTER_MS);
}

/** Returns the error for a response of the issuer. Failures of a service or a proxy say nothing about the session. */
export function failure({ response, body }: Answer, now: number): LaterError | RefusedError {
  const { status } = response;
  if (status >= 500 || status === 429 || status === 408) {
    return new LaterError(`status ${status}`, retryAfter(response, now) ?? DEFAULT_RETRY_AFTER_MS);
  }
  return new RefusedError(status, problemOf(body), text(body, 'detail'));
}

/** Returns the challenge of a 401 that requires a step-up (RFC 9470 section 3). */
export function stepUpChallenge(response: Response): StepUpChallenge | null {
  const header = response.headers.get('WWW-Authenticate') ?? '';
  const parameters = new Map<string, string>();
  for (const [, name, quoted, token] of header.matchAll(/([\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))/g)) {
    parameters.set((name ?? '').toLowerCase(), quoted?.replace(/\\(.)/g, '$1') ?? token ?? '');
  }
  if (parameters.get('error') !== 'insufficient_user_authentication') return null;
  const age = parameters.get('max_age');
  return {
    acrValues: parameters.get('acr_values')?.split(' ').filter(Boolean) ?? [],
    maxAge: age !== undefined && /^\d+$/.test(age) ? Number(age) : null,
  };
}
