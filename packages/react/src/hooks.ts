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
import { useCallback, useEffect, useRef, useState, useSyncExternalStore } from 'react';

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
  /** Ends a session, and loads the list again. The result is `false` after a failure. Does not throw. */
  end(id: string): Promise<boolean>;
}

interface Loaded<T> {
  readonly list: T | null;
  readonly error: SessionError | null;
  readonly isLoading: boolean;
}

const userId = (state: SessionState): string | null => (state.status === 'signed-in' ? state.user.id : null);

const NOTHING = { list: null, error: null, isLoading: false };

/**
 * Loads a list of the user. `run` performs an action, and loads the list again; its result is that of the action, or
 * `null` if it failed.
 */
function useList<T>(
  session: Session,
  load: (session: Session) => Promise<T>,
): readonly [Loaded<T>, <R>(action: () => Promise<R>) => Promise<R | null>] {
  const user = userId(useStateOf(session));
  const [loaded, setLoaded] = useState<Loaded<T>>(NOTHING);

  const attempt = useCallback(
    async <R>(action: () => Promise<R>, isMounted = () => true): Promise<R | null> => {
      // A late list of one user does not replace that of another one.
      const asked = userId(session.state);
      const isCurrent = (): boolean => isMounted() && userId(session.state) === asked;
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
    let isMounted = true;
    setLoaded(NOTHING);
    if (user !== null) void attempt(async () => {}, () => isMounted);
    return () => {
      isMounted = false;
    };
  }, [attempt, user]);
  return [loaded, attempt];
}

/** Returns an action that reports its success. */
const successful = (action: () => Promise<void>) => async (): Promise<boolean> => {
  await action();
  return true;
};

const loadSessions = (session: Session): Promise<readonly SessionInfo[]> => session.sessions();

/** Lists the user's sessions. */
export function useSessions(): UserSessions {
  const session = useSessionObject('useSessions');
  const [{ list: sessions, error, isLoading }, run] = useList(session, loadSessions);
  const reload = useCallback(async () => void (await run(async () => {})), [run]);
  const end = useCallback(
    async (id: string) => (await run(successful(() => session.endSession(id)))) ?? false,
    [run, session],
  );
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
  /** Renames a passkey, and loads the list again. The result is `false` after a failure. Does not throw. */
  rename(id: string, name: string): Promise<boolean>;
  /** Removes a passkey, and loads the list again. The result is `false` after a failure. Does not throw. */
  remove(id: string): Promise<boolean>;
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
    async (id: string, name: string) => (await run(successful(() => renamePasskey(session, id, name)))) ?? false,
    [run, session],
  );
  const remove = useCallback(
    async (id: string) => (await run(successful(() => removePasskey(session, id)))) ?? false,
    [run, session],
  );
  return { passkeys, error, isLoading, reload, register, rename, remove };
}

/** The result of {@link useStepUp}. */
export interface StepUp {
  /** What the API requires, while a request waits for a code; otherwise `null`. */
  readonly challenge: StepUpChallenge | null;
  /** Why the last code or passkey was not accepted. */
  readonly error: SessionError | null;
  readonly isBusy: boolean;
  /**
   * Sends a code of the authenticator app, or a recovery code. If it is right, the waiting requests continue. Without a
   * challenge, it does nothing.
   */
  submit(code: string): Promise<void>;
  /** Asks for a passkey instead of a code. */
  submitPasskey(): Promise<void>;
  /** Declines: ends what `submit` or `submitPasskey` has begun, and the waiting requests fail with `StepUpNeededError`. */
  cancel(): void;
}

interface Question {
  readonly challenge: StepUpChallenge;
  /** Ends the answers that are on their way. */
  readonly abort: AbortController;
  readonly answer: (isDone: boolean) => void;
}

/** Handles the step-ups that APIs require. Use it in one component that is always mounted, such as a dialog. */
export function useStepUp(): StepUp {
  const session = useSessionObject('useStepUp');
  const current = useRef<Question | null>(null);
  const [challenge, setChallenge] = useState<StepUpChallenge | null>(null);
  const [outcome, setOutcome] = useState<Pick<StepUp, 'error' | 'isBusy'>>({ error: null, isBusy: false });

  const show = useCallback((question: Question | null) => {
    current.current = question;
    setChallenge(question?.challenge ?? null);
    setOutcome({ error: null, isBusy: false });
  }, []);
  const close = useCallback(
    (isDone: boolean) => {
      const question = current.current;
      if (!question) return;
      question.answer(isDone);
      question.abort.abort();
      show(null);
    },
    [show],
  );

  useEffect(() => {
    const remove = session.onStepUp((challenge) => {
      close(false);
      return new Promise((answer) => show({ challenge, abort: new AbortController(), answer }));
    });
    return () => {
      remove();
      close(false);
    };
  }, [session, show, close]);

  const attempt = useCallback(
    async (stepUp: (signal: AbortSignal) => Promise<void>) => {
      const signal = current.current?.abort.signal;
      if (!signal) return;
      setOutcome({ error: null, isBusy: true });
      try {
        await stepUp(signal);
        // A later question needs an answer of its own.
        if (!signal.aborted) close(true);
      } catch (error) {
        if (signal.aborted) return;
        if (!isSessionError(error)) throw error;
        setOutcome({ error, isBusy: false });
      }
    },
    [close],
  );
  const submit = useCallback(
    (code: string) => attempt((signal) => session.stepUp(code, { signal })),
    [attempt, session],
  );
  const submitPasskey = useCallback(
    () => attempt((signal) => stepUpWithPasskey(session, { signal })),
    [attempt, session],
  );
  const cancel = useCallback(() => close(false), [close]);
  return { challenge, ...outcome, submit, submitPasskey, cancel };
}
