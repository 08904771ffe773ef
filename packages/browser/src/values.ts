// Reads the issuer's JSON. Returns `null` for a body of another shape.

import { member, text } from './http.js';
import type { SessionInfo, User } from './types.js';

function strings(body: unknown, name: string): readonly string[] | null {
  const value = member(body, name);
  return Array.isArray(value) && value.every((one) => typeof one === 'string') ? (value as string[]) : null;
}

export function readUser(body: unknown): User | null {
  const [id, name] = [text(body, 'id'), text(body, 'name')];
  const [roles, scopes] = [strings(body, 'roles'), strings(body, 'scopes')];
  return id === null || name === null || !roles || !scopes ? null : { id, name, roles, scopes };
}

function date(body: unknown, name: string): Date {
  return new Date(Number(member(body, name)) * 1000);
}

export function readSessions(body: unknown): readonly SessionInfo[] | null {
  const list = member(body, 'sessions');
  if (!Array.isArray(list)) return null;
  return list.map((one: unknown) => ({
    id: text(one, 'id') ?? '',
    createdAt: date(one, 'created_at'),
    lastUsedAt: date(one, 'last_used_at'),
    expiresAt: date(one, 'expires_at'),
    userAgent: text(one, 'user_agent'),
    current: member(one, 'current') === true,
  }));
}
