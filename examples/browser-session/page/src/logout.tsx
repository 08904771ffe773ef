import type { LogoutResult } from 'portcullis';
import { type ReactNode, useState } from 'react';

import { textOf } from './problem';

interface Props {
  readonly id: string;
  readonly logout: () => Promise<LogoutResult>;
  readonly children: ReactNode;
}

/** Logs out. A logout that fails leaves the user logged in, so it is reported, and can be repeated. */
export function LogoutButton({ id, logout, children }: Props) {
  const [failed, setFailed] = useState<Extract<LogoutResult, { ended: false }> | null>(null);
  async function run(action: () => Promise<LogoutResult>): Promise<void> {
    const result = await action();
    setFailed(result.ended ? null : result);
  }
  return (
    <>
      <button id={id} className="plain" type="button" onClick={() => void run(logout)}>
        {children}
      </button>
      {failed && (
        <p className="problem banner" role="alert">
          You are still logged in. {textOf(failed.error)}{' '}
          <button className="plain" type="button" onClick={() => void run(() => failed.retry())}>
            Try again
          </button>
        </p>
      )}
    </>
  );
}
