import { LoginForm, SignedIn, SignedOut, useSession } from 'portcullis-react';
import { useEffect, useState, useSyncExternalStore } from 'react';

import { Codes } from './codes';
import { LogoutButton } from './logout';
import { Orders } from './orders';
import { Security } from './security';
import { Sessions } from './sessions';
import { StepUpDialog } from './step-up';

const PAGES = { orders: 'Orders', sessions: 'Sessions', security: 'Security' } as const;
type Page = keyof typeof PAGES;

function subscribe(changed: () => void): () => void {
  addEventListener('hashchange', changed);
  return () => removeEventListener('hashchange', changed);
}

function usePage(): Page {
  const hash = useSyncExternalStore(subscribe, () => location.hash.slice(1));
  return hash in PAGES ? (hash as Page) : 'orders';
}

export function App() {
  const page = usePage();
  const isSignedIn = useSession().status === 'signed-in';
  useEffect(() => {
    document.title = isSignedIn ? `${PAGES[page]} · The shop` : 'The shop';
  }, [isSignedIn, page]);
  return (
    <>
      <SignedIn>
        {(user) => (
          <>
            <Header name={user.name} page={page} />
            <Main key={user.id} page={page} />
            <StepUpDialog />
          </>
        )}
      </SignedIn>
      <SignedOut>
        <main className="narrow">
          <section className="card" id="login">
            <h1>The shop</h1>
            <Reason />
            <LoginForm passkeys />
          </section>
        </main>
      </SignedOut>
      <Unknown />
    </>
  );
}

/** The pages of a user. New recovery codes stay above all of them until the user has kept them. */
function Main({ page }: { page: Page }) {
  const [codes, setCodes] = useState<readonly string[]>([]);
  return (
    <main>
      <Codes codes={codes} onKept={() => setCodes([])} />
      {page === 'orders' && <Orders />}
      {page === 'sessions' && <Sessions />}
      {page === 'security' && <Security onCodes={setCodes} />}
    </main>
  );
}

/** Says why the login is shown again. */
function Reason() {
  const state = useSession();
  if (state.status !== 'signed-out') return null;
  if (state.reason === 'ended') return <p role="status">Your session has ended. Log in again.</p>;
  if (state.reason === 'cookies-rejected') return <p role="status">For your safety, log in again.</p>;
  return null;
}

/** Shown until the issuer has answered. */
function Unknown() {
  const state = useSession();
  if (state.status !== 'unknown') return null;
  return (
    <main className="narrow">
      <section className="card" aria-busy={!state.error}>
        <h1>The shop</h1>
        {state.error ? (
          <>
            <p className="problem" role="alert">
              The server cannot be reached.
            </p>
            <button type="button" onClick={() => void state.session.restore().catch(() => {})}>
              Try again
            </button>
          </>
        ) : (
          <p>Loading …</p>
        )}
      </section>
    </main>
  );
}

function Header({ name, page }: { name: string; page: Page }) {
  const { session } = useSession();
  return (
    <header>
      <strong>The shop</strong>
      <nav aria-label="Pages">
        {Object.entries(PAGES).map(([id, title]) => (
          <a key={id} href={`#${id}`} aria-current={id === page ? 'page' : undefined}>
            {title}
          </a>
        ))}
      </nav>
      <span id="name">{name}</span>
      <LogoutButton id="logout" logout={session.logout}>
        Log out
      </LogoutButton>
    </header>
  );
}
