import { useSession, useSessions } from 'portcullis-react';

import { LogoutButton } from './logout';
import { textOf } from './problem';

/** Shortens a browser's user agent. */
function device(agent: string | null): string {
  const named = (names: string[]): string => names.find((name) => agent?.includes(name)) ?? '';
  const browser = named(['Firefox', 'Edg', 'Chrome', 'Safari']) || 'A browser';
  const system = named(['Android', 'iPhone', 'Windows', 'Mac OS', 'Linux']);
  return system ? `${browser} on ${system}` : browser;
}

export function Sessions() {
  const { session } = useSession();
  const { sessions, error, isLoading, end } = useSessions();
  return (
    <section className="card" aria-busy={isLoading}>
      <h1>
        Sessions <small>from the issuer’s database</small>
      </h1>
      <ul id="sessions">
        {sessions?.map(({ id, userAgent, createdAt, current }) => {
          const since = createdAt.toLocaleTimeString([], { timeStyle: 'short' });
          return (
            <li key={id}>
              <span>
                <strong>{device(userAgent)}</strong>
                <small>since {since}</small>
              </span>
              {current ? (
                <em>this one</em>
              ) : (
                <button className="plain" type="button" onClick={() => void end(id)}>
                  End <span className="hidden">{`${device(userAgent)}, since ${since}`}</span>
                </button>
              )}
            </li>
          );
        })}
      </ul>
      <p className="row">
        <LogoutButton id="everywhere" logout={session.logoutEverywhere}>
          Log out everywhere
        </LogoutButton>
      </p>
      <p className="problem" role="alert">
        {error && textOf(error)}
      </p>
    </section>
  );
}
