import { isSessionError, type SessionError } from 'portcullis';
import { useCallback, useState } from 'react';

/** Texts for problems of the issuer that say what to do. An empty text: the page asks for what is missing. */
const REFUSED: { readonly [problem: string]: string } = {
  'login-too-old': '',
  'no-second-factor': 'Add a passkey or an authenticator app on the page “Security” first.',
  'second-factor-exists': 'An authenticator app is in use. Remove it first.',
  'second-factor-locked': 'There were too many wrong codes. An administrator can unlock your account.',
  'too-many-passkeys': 'You have as many passkeys as possible. Remove one first.',
  'wrong-code': 'The code is wrong, or was used before.',
  'wrong-passkey': 'The passkey is not accepted.',
  'wrong-password': 'The password is wrong.',
};

function textOfPasskey({ reason }: Extract<SessionError, { code: 'passkey' }>): string {
  switch (reason) {
    case 'exists':
      return 'This device already has a passkey for your account.';
    case 'unavailable':
      return 'This browser cannot use passkeys here.';
    default:
      return 'No passkey was used. Try again.';
  }
}

/** Returns what to tell the user, or nothing if the page shows the login instead, or the user has declined. */
export function textOf(error: unknown): string {
  if (!isSessionError(error)) return 'Something went wrong.';
  switch (error.code) {
    case 'signed-out':
      return '';
    case 'step-up-needed':
      return error.reason === 'declined' ? '' : 'This needs a stronger confirmation. Try again, or use another second factor.';
    case 'later':
      return `The server is busy. Try again in ${Math.ceil(error.retryAfterMs / 1000)} s.`;
    case 'unreachable':
    case 'timeout':
      return 'The server cannot be reached. Check your connection.';
    case 'refused':
      return REFUSED[error.problem ?? ''] ?? error.message;
    case 'passkey':
      return textOfPasskey(error);
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
