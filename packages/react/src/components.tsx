'use client';

import type { User } from 'portcullis';
import type { ReactNode } from 'react';

import { useSession, useUser } from './hooks.js';

export interface SignedInProps {
  readonly children?: ReactNode | ((user: User) => ReactNode);
}

/** Shows its children while a user is signed in. */
export function SignedIn({ children }: SignedInProps): ReactNode {
  const user = useUser();
  if (!user) return null;
  return typeof children === 'function' ? children(user) : children;
}

export interface SignedOutProps {
  readonly children?: ReactNode;
}

/** Shows its children while no user is signed in; not while this is unknown. */
export function SignedOut({ children }: SignedOutProps): ReactNode {
  return useSession().status === 'signed-out' ? children : null;
}
