import { isSessionError } from 'portcullis';
import { useCallback, useState } from 'react';

/** Returns what to tell the user, or nothing if the page shows the login instead, or the user has declined. */
export function textOf(error: unknown): string {
  if (!isSessionError(error)) return 'Something went wrong.';
  switch (error.code) {
    case 'signed-out':
    case 'step-up-needed':
      return '';
    case 'later':
      return `The server is busy. Try again in ${Math.ceil(error.retryAfterMs / 1000)} s.`;
    case 'unreachable':
    case 'timeout':
      return 'The server cannot be reached. Check your connection.';
    case 'refused':
      return error.problem === 'no-second-factor'
        ? 'Set up an authenticator app on the page "Security" first.'
        : error.message;
    default:
      return 'Something went wrong.';
  }
}

/** Runs actions, and holds the text of the last failure. */
export function useAction() {
  const [problem, setProblem] = useState('');
  const [isBusy, setBusy] = useState(false);
  const run = useCallback(async (action: () => Promise<void>) => {
    setBusy(true);
    setProblem('');
    try {
      await action();
    } catch (error) {
      setProblem(textOf(error));
    } finally {
      setBusy(false);
    }
  }, []);
  return { problem, isBusy, run };
}
