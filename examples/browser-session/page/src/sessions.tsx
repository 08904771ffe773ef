import { useSession, useSessions } from 'portcullis-react';

import { device } from './device';
import { LogoutButton } from './logout';
import { textOf } from './problem';

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
          const since = createdAt.toLocaleString([], { dateStyle: 'medium', timeStyle: 'short' });
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
