'use client';

import { isSessionError, type LoginResult, type SessionError, type User } from 'portcullis';
import { askForPasskey, isConditionalAvailable, isSupported } from 'portcullis/passkeys';
import { type FormEvent, type ReactNode, useEffect, useId, useRef, useState } from 'react';

import { useSessionObject } from './context.js';
import { useStateOf } from './hooks.js';

/** The texts of {@link LoginForm}. */
export interface LoginTexts {
  readonly username: string;
  readonly password: string;
  readonly code: string;
  readonly codeHint: string;
  readonly submit: string;
  readonly submitCode: string;
  readonly passkey: string;
  readonly back: string;
  /** Returns the text for a failed login. */
  readonly problem: (error: SessionError) => string;
}

const SECOND_MS = 1000;

/** Returns an English text for a failed login. */
export function loginProblem(error: SessionError): string {
  if (error.code === 'later') {
    const seconds = Math.max(1, Math.ceil(error.retryAfterMs / SECOND_MS));
    return `The server is busy, or there were too many attempts. Try again in ${seconds} s.`;
  }
  switch (error.code === 'refused' ? error.problem : error.code) {
    case 'wrong-credentials':
      return 'The name or the password is wrong.';
    case 'wrong-code':
      return 'The code is wrong, or was used before.';
    case 'wrong-passkey':
      return 'The passkey is not accepted. Try another one, or another way to log in.';
    case 'passkey':
      return 'No passkey was used. Try again, or another way to log in.';
    case 'second-factor-locked':
      return 'There were too many wrong codes. An administrator can unlock your account.';
    case 'unreachable':
    case 'timeout':
      return 'The server cannot be reached. Check your connection and try again.';
    default:
      return 'The login failed. Try again later.';
  }
}

const ENGLISH: LoginTexts = {
  username: 'Name',
  password: 'Password',
  code: 'Code',
  codeHint: 'The code that your authenticator app shows, or a recovery code',
  submit: 'Log in',
  submitCode: 'Continue',
  passkey: 'Use a passkey',
  back: 'Back',
  problem: loginProblem,
};

export interface LoginFormProps {
  /** Replaces texts, for example with translations. */
  readonly texts?: Partial<LoginTexts>;
  readonly className?: string;
  /**
   * Offers passkeys, if the browser has them: a button, suggestions of the name's input, and instead of the code.
   * Default: `false`.
   */
  readonly passkeys?: boolean;
  /** Called after a login. */
  readonly onSignedIn?: (user: User) => void;
}

/**
 * A login with name and password, and with a code if the user has a second factor; or with a passkey. It brings no
 * styles.
 */
export function LoginForm({ texts, className, passkeys = false, onSignedIn }: LoginFormProps): ReactNode {
  const session = useSessionObject('LoginForm');
  const shown = { ...ENGLISH, ...texts };
  const id = useId();
  const [step, setStep] = useState<Extract<LoginResult, { status: 'code-needed' }> | null>(null);
  const [problem, setProblem] = useState('');
  const [isBusy, setBusy] = useState(false);
  const codeInput = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (step) codeInput.current?.focus();
  }, [step]);

  // A server does not know what the browser has.
  const [offersPasskeys, setOffersPasskeys] = useState(false);
  useEffect(() => setOffersPasskeys(passkeys && isSupported()), [passkeys]);

  // One login at a time, which the button “Back” and the end of the form abort.
  const running = useRef<AbortController | null>(null);
  useEffect(() => () => running.current?.abort(), []);

  async function attempt(login: (signal: AbortSignal) => Promise<LoginResult>): Promise<void> {
    if (running.current) return;
    const abort = new AbortController();
    running.current = abort;
    setBusy(true);
    setProblem('');
    try {
      const result = await login(abort.signal);
      // A login that was too late to be aborted has signed in.
      if (result.status === 'signed-in') latest.current.onSignedIn?.(result.user);
      else if (!abort.signal.aborted) setStep(result);
    } catch (error) {
      if (abort.signal.aborted) return;
      if (!isSessionError(error)) throw error;
      setProblem(latest.current.shown.problem(error));
    } finally {
      if (running.current === abort) {
        running.current = null;
        setBusy(false);
      }
    }
  }

  function back(): void {
    running.current?.abort();
    running.current = null;
    setBusy(false);
    setStep(null);
    setProblem('');
  }

  const latest = useRef({ shown, onSignedIn, attempt });
  useEffect(() => {
    latest.current = { shown, onSignedIn, attempt };
  });
  const isSignedIn = useStateOf(session).status === 'signed-in';
  // Grows when the suggestions must be offered again.
  const [round, setRound] = useState(0);
  const suggests = offersPasskeys && !step && !isSignedIn;
  useEffect(() => {
    if (!suggests) return;
    const abort = new AbortController();
    const { signal } = abort;
    async function suggest(): Promise<void> {
      if (!(await isConditionalAvailable()) || signal.aborted) return;
      const answer = await askForPasskey(session, { conditional: true, signal }).catch((error: unknown) => {
        if (!signal.aborted && !isSessionError(error)) throw error;
        // Without suggestions, the rest of the form still works.
        return null;
      });
      if (!answer) return;
      await latest.current.attempt((signal) => session.login(answer, { signal }));
      setRound((round) => round + 1);
    }
    void suggest();
    return () => abort.abort();
  }, [session, suggests, round]);

  function submit(event: FormEvent<HTMLFormElement>): Promise<void> {
    event.preventDefault();
    const fields = new FormData(event.currentTarget);
    const field = (name: string): string => String(fields.get(name) ?? '');
    return attempt((signal) =>
      step
        ? step.complete(field('code').trim(), { signal })
        : session.login({ username: field('username'), password: field('password') }, { signal }),
    );
  }

  async function askPasskey(): Promise<void> {
    await attempt(async (signal) => {
      const answer = await askForPasskey(session, { signal });
      return step ? step.complete(answer, { signal }) : session.login(answer, { signal });
    });
    // The button's request has replaced that of the suggestions.
    setRound((round) => round + 1);
  }

  const describedBy = problem ? `${id}-problem` : undefined;
  return (
    <form className={className} onSubmit={(event) => void submit(event)} aria-busy={isBusy} method="post">
      {step ? (
        <p key="code">
          <label htmlFor={`${id}-code`}>{shown.code}</label>
          <input
            id={`${id}-code`}
            ref={codeInput}
            name="code"
            autoComplete="one-time-code"
            autoCapitalize="none"
            spellCheck={false}
            required
            aria-describedby={[`${id}-hint`, describedBy].filter(Boolean).join(' ')}
          />
          <small id={`${id}-hint`}>{shown.codeHint}</small>
        </p>
      ) : (
        <>
          <p>
            <label htmlFor={`${id}-username`}>{shown.username}</label>
            <input
              id={`${id}-username`}
              name="username"
              autoComplete={offersPasskeys ? 'username webauthn' : 'username'}
              autoCapitalize="none"
              spellCheck={false}
              required
              aria-describedby={describedBy}
            />
          </p>
          <p>
            <label htmlFor={`${id}-password`}>{shown.password}</label>
            <input
              id={`${id}-password`}
              name="password"
              type="password"
              autoComplete="current-password"
              required
              aria-describedby={describedBy}
            />
          </p>
        </>
      )}
      <p id={`${id}-problem`} role="alert">
        {problem}
      </p>
      <button type="submit" disabled={isBusy}>
        {step ? shown.submitCode : shown.submit}
      </button>
      {offersPasskeys && (
        <button type="button" disabled={isBusy} onClick={() => void askPasskey()}>
          {shown.passkey}
        </button>
      )}
      {step && (
        <button type="button" onClick={back}>
          {shown.back}
        </button>
      )}
    </form>
  );
}
