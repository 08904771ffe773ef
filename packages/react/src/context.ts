'use client';

import type { Session } from 'portcullis';
import { createContext, useContext } from 'react';

export const SessionContext = createContext<Session | null>(null);

export function useSessionObject(hook: string): Session {
  const session = useContext(SessionContext);
  if (!session) throw new Error(`${hook} must be used below <SessionProvider>`);
  return session;
}
