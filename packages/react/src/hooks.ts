'use client';

import { isSessionError, type Session, type SessionError, type SessionInfo, type SessionState, type StepUpChallenge, type User } from 'portcullis';
import {
  listPasskeys,
  type NewPasskey,
  type Passkey,
  registerPasskey,
  type RegisterOptions,
  removePasskey,
  renamePasskey,
  stepUpWithPasskey,
} from 'portcullis/passkeys';
import { useCallback, useEffect, useState, useSyncExternalStore } from 'react';

import { useSessionObject } from './context.js';

/** A server knows nothing about the visitor's session. */
const ON_THE_SERVER: SessionState = { status: 'unknown', error: null };

export function useStateOf(session: Session): SessionState {
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

interface Loaded<T> {
  readonly list: T | null;
  readonly error: SessionError | null;
  readonly isLoading: boolean;
}

const NOTHING = { list: null, error: null, isLoading: false };

/**
 * Loads a list of the user. `run` performs an action, and loads the list again; its result is that of the action, or
 * `null` if it failed.
 */
function useList<T>(
  session: Session,
  load: (session: Session) => Promise<T>,
): readonly [Loaded<T>, <R>(action: () => Promise<R>) => Promise<R | null>] {
  const state = useStateOf(session);
  const user = state.status === 'signed-in' ? state.user.id : null;
  const [loaded, setLoaded] = useState<Loaded<T>>(NOTHING);

  const attempt = useCallback(
    async <R>(action: () => Promise<R>, isCurrent: () => boolean): Promise<R | null> => {
      let result: R | null = null;
      setLoaded((before) => ({ ...before, isLoading: true }));
      try {
        result = await action();
        // Ending the own session signs out.
        const list = session.state.status === 'signed-in' ? await load(session) : null;
        if (isCurrent()) setLoaded({ list, error: null, isLoading: false });
      } catch (error) {
        if (!isSessionError(error)) throw error;
        if (isCurrent()) setLoaded((before) => ({ ...before, error, isLoading: false }));
      }
      return result;
    },
    [load, session],
  );
  useEffect(() => {
    let isCurrent = true;
    setLoaded(NOTHING);
    if (user !== null) void attempt(async () => {}, () => isCurrent);
    return () => {
      isCurrent = false;
    };
  }, [attempt, user]);
  const run = useCallback(<R>(action: () => Promise<R>) => attempt(action, () => true), [attempt]);
  return [loaded, run];
}

const loadSessions = (session: Session): Promise<readonly SessionInfo[]> => session.sessions();

/** Lists the user's sessions. */
export function useSessions(): UserSessions {
  const session = useSessionObject('useSessions');
  const [{ list: sessions, error, isLoading }, run] = useList(session, loadSessions);
  const reload = useCallback(async () => void (await run(async () => {})), [run]);
  const end = useCallback(async (id: string) => void (await run(() => session.endSession(id))), [run, session]);
  return { sessions, error, isLoading, reload, end };
}

/** The result of {@link usePasskeys}. */
export interface UserPasskeys {
  /** The passkeys, the oldest first; `null` until they are loaded. */
  readonly passkeys: readonly Passkey[] | null;
  /** Why they could not be loaded, or an operation failed. */
  readonly error: SessionError | null;
  readonly isLoading: boolean;
  /** Loads the list again. Does not throw. */
  reload(): Promise<void>;
  /** Registers a passkey, and loads the list again. The result is `null` after a failure. Does not throw. */
  register(options?: RegisterOptions): Promise<NewPasskey | null>;
  /** Renames a passkey, and loads the list again. Does not throw. */
  rename(id: string, name: string): Promise<void>;
  /** Removes a passkey, and loads the list again. Does not throw. */
  remove(id: string): Promise<void>;
}

/** Lists the user's passkeys. */
export function usePasskeys(): UserPasskeys {
  const session = useSessionObject('usePasskeys');
  const [{ list: passkeys, error, isLoading }, run] = useList(session, listPasskeys);
  const reload = useCallback(async () => void (await run(async () => {})), [run]);
  const register = useCallback(
    (options?: RegisterOptions) => run(() => registerPasskey(session, options)),
    [run, session],
  );
  const rename = useCallback(
    async (id: string, name: string) => void (await run(() => renamePasskey(session, id, name))),
    [run, session],
  );
  const remove = useCallback(async (id: string) => void (await run(() => removePasskey(session, id))), [run, session]);
  return { passkeys, error, isLoading, reload, register, rename, remove };
}

/** The result of {@link useStepUp}. */
export interface StepUp {
  /** What the API requires, while a request waits for a code; otherwise `null`. */
  readonly challenge: StepUpChallenge | null;
  /** Why the last code or passkey was not accepted. */
  readonly error: SessionError | null;
  readonly isBusy: boolean;
  /** Sends a code of the authenticator app, or a recovery code. If it is right, the waiting requests continue. */
  submit(code: string): Promise<void>;
  /** Asks for a passkey instead of a code. */
  submitPasskey(): Promise<void>;
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
  const attempt = useCallback(
    async (stepUp: () => Promise<void>) => {
      setOutcome({ error: null, isBusy: true });
      try {
        await stepUp();
        close(true);
      } catch (error) {
        if (!isSessionError(error)) throw error;
        setOutcome({ error, isBusy: false });
      }
    },
    [close],
  );
  const submit = useCallback((code: string) => attempt(() => session.stepUp(code)), [attempt, session]);
  const submitPasskey = useCallback(() => attempt(() => stepUpWithPasskey(session)), [attempt, session]);
  const cancel = useCallback(() => close(false), [close]);
  return { challenge: question?.challenge ?? null, ...outcome, submit, submitPasskey, cancel };
}
