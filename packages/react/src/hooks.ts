'use client';

import { isSessionError, type Session, type SessionError, type SessionInfo, type SessionState, type StepUpChallenge, type User } from 'portcullis';
import { useCallback, useEffect, useState, useSyncExternalStore } from 'react';

import { useSessionObject } from './context.js';

/** A server knows nothing about the visitor's session. */
const ON_THE_SERVER: SessionState = { status: 'unknown', error: null };

function useStateOf(session: Session): SessionState {
  return useSyncExternalStore(
    session.subscribe,
    () => session.state,
    () => ON_THE_SERVER,
  );
}

/** Returns what is known about the session, and the session. */
export function useSession(): SessionState & { readonly session: Session } {
  const session = useSessionObject('useSession');
  const state = useStateOf(session);
  return { ...state, session };
}

/** Returns the signed-in user, or `null`. */
export function useUser(): User | null {
  const state = useStateOf(useSessionObject('useUser'));
  return state.status === 'signed-in' ? state.user : null;
}

/** The result of {@link useSessions}. */
export interface UserSessions {
  /** The sessions, the most recently used first; `null` until they are loaded. */
  readonly sessions: readonly SessionInfo[] | null;
  /** Why they could not be loaded, or a session could not be ended. */
  readonly error: SessionError | null;
  readonly isLoading: boolean;
  /** Loads the list again. Does not throw. */
  reload(): Promise<void>;
  /** Ends a session, and loads the list again. Does not throw. */
  end(id: string): Promise<void>;
}

const NO_SESSIONS = { sessions: null, error: null, isLoading: false };

/** Lists the user's sessions. */
export function useSessions(): UserSessions {
  const session = useSessionObject('useSessions');
  const state = useStateOf(session);
  const user = state.status === 'signed-in' ? state.user.id : null;
  const [list, setList] = useState<Pick<UserSessions, 'sessions' | 'error' | 'isLoading'>>(NO_SESSIONS);

  const run = useCallback(
    async (action: () => Promise<void>, isCurrent: () => boolean = () => true) => {
      setList((list) => ({ ...list, isLoading: true }));
      try {
        await action();
        // Ending the own session signs out.
        const sessions = session.state.status === 'signed-in' ? await session.sessions() : null;
        if (isCurrent()) setList({ sessions, error: null, isLoading: false });
      } catch (error) {
        if (!isSessionError(error)) throw error;
        if (isCurrent()) setList((list) => ({ ...list, error, isLoading: false }));
      }
    },
    [session],
  );
  useEffect(() => {
    let isCurrent = true;
    setList(NO_SESSIONS);
    if (user !== null) void run(async () => {}, () => isCurrent);
    return () => {
      isCurrent = false;
    };
  }, [run, user]);
  const reload = useCallback(() => run(async () => {}), [run]);
  const end = useCallback((id: string) => run(() => session.endSession(id)), [run, session]);
  return { ...list, reload, end };
}

/** The result of {@link useStepUp}. */
export interface StepUp {
  /** What the API requires, while a request waits for a code; otherwise `null`. */
  readonly challenge: StepUpChallenge | null;
  /** Why the last code was not accepted. */
  readonly error: SessionError | null;
  readonly isBusy: boolean;
  /** Sends a code of the authenticator app, or a recovery code. If it is right, the waiting requests continue. */
  submit(code: string): Promise<void>;
  /** Declines: the waiting requests fail with `StepUpNeededError`. */
  cancel(): void;
}

interface Question {
  readonly challenge: StepUpChallenge;
  readonly answer: (isDone: boolean) => void;
}

/** Handles the step-ups that APIs require. Use it in one component that is always mounted, such as a dialog. */
export function useStepUp(): StepUp {
  const session = useSessionObject('useStepUp');
  const [question, setQuestion] = useState<Question | null>(null);
  const [outcome, setOutcome] = useState<Pick<StepUp, 'error' | 'isBusy'>>({ error: null, isBusy: false });

  useEffect(() => {
    let decline = (): void => {};
    const remove = session.onStepUp(
      (challenge) =>
        new Promise((answer) => {
          decline = () => answer(false);
          setOutcome({ error: null, isBusy: false });
          setQuestion({ challenge, answer });
        }),
    );
    return () => {
      remove();
      decline();
      setQuestion(null);
    };
  }, [session]);

  const close = useCallback(
    (isDone: boolean) => {
      question?.answer(isDone);
      setQuestion(null);
      setOutcome({ error: null, isBusy: false });
    },
    [question],
  );
  const submit = useCallback(
    async (code: string) => {
      setOutcome({ error: null, isBusy: true });
      try {
        await session.stepUp(code);
        close(true);
      } catch (error) {
        if (!isSessionError(error)) throw error;
        setOutcome({ error, isBusy: false });
      }
    },
    [close, session],
  );
  const cancel = useCallback(() => close(false), [close]);
  return { challenge: question?.challenge ?? null, ...outcome, submit, cancel };
}
