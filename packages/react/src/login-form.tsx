'use client';

import { isSessionError, type LoginResult, type SessionError, type User } from 'portcullis';
import { type FormEvent, type ReactNode, useEffect, useId, useRef, useState } from 'react';

import { useSessionObject } from './context.js';

/** The texts of {@link LoginForm}. */
export interface LoginTexts {
  readonly username: string;
  readonly password: string;
  readonly code: string;
  readonly codeHint: string;
  readonly submit: string;
  readonly submitCode: string;
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
  back: 'Back',
  problem: loginProblem,
};

export interface LoginFormProps {
  /** Replaces texts, for example with translations. */
  readonly texts?: Partial<LoginTexts>;
  readonly className?: string;
  /** Called after a login. */
  readonly onSignedIn?: (user: User) => void;
}

/** A login with name and password, and with a code if the user has a second factor. It brings no styles. */
export function LoginForm({ texts, className, onSignedIn }: LoginFormProps): ReactNode {
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

  async function submit(event: FormEvent<HTMLFormElement>): Promise<void> {
    event.preventDefault();
    if (isBusy) return;
    const fields = new FormData(event.currentTarget);
    const field = (name: string): string => String(fields.get(name) ?? '');
    setBusy(true);
    setProblem('');
    try {
      const result = step
        ? await step.complete(field('code').trim())
        : await session.login({ username: field('username'), password: field('password') });
      if (result.status === 'code-needed') setStep(result);
      else onSignedIn?.(result.user);
    } catch (error) {
      if (!isSessionError(error)) throw error;
      setProblem(shown.problem(error));
    } finally {
      setBusy(false);
    }
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
              autoComplete="username"
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
      {step && (
        <button
          type="button"
          onClick={() => {
            setStep(null);
            setProblem('');
          }}
        >
          {shown.back}
        </button>
      )}
    </form>
  );
}
