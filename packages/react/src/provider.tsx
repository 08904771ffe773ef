'use client';

import type { Session } from 'portcullis';
import { type ReactNode, useEffect } from 'react';

import { SessionContext } from './context.js';

export interface SessionProviderProps {
  /** The result of `createSession`, created outside of components: it lives as long as the page. */
  readonly session: Session;
  readonly children?: ReactNode;
}

/** Provides the session to the hooks and components below it, and asks the issuer whether the user is signed in. */
export function SessionProvider({ session, children }: SessionProviderProps): ReactNode {
  useEffect(() => {
    // A failure is the `error` of the state.
    if (session.state.status === 'unknown') session.restore().catch(() => {});
  }, [session]);
  return <SessionContext.Provider value={session}>{children}</SessionContext.Provider>;
}
