import { act, render, renderHook, screen, waitFor } from '@testing-library/react';
import { userEvent } from '@testing-library/user-event';
import axe from 'axe-core';
import { type ReactNode, StrictMode, version } from 'react';
import { renderToString } from 'react-dom/server';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import type { Session } from 'portcullis';

import { json, problem, World } from '../../browser/tests/world.js';
import {
  LoginForm,
  SessionProvider,
  SignedIn,
  SignedOut,
  useSession,
  useSessions,
  useStepUp,
  useUser,
} from '../src/index.js';

let world: World;
beforeEach(async () => {
  world = await World.begin();
});
afterEach(() => world.end());

const below = (session: Session) =>
  function Wrapper({ children }: { children: ReactNode }): ReactNode {
    return (
      <StrictMode>
        <SessionProvider session={session}>{children}</SessionProvider>
      </StrictMode>
    );
  };

function Status(): ReactNode {
  const { status } = useSession();
  return <output>{status}</output>;
}

const shows = (status: string): Promise<void> => waitFor(() => expect(screen.getByRole('status').textContent).toBe(status));

async function expectAccessible(): Promise<void> {
  // jsdom computes no colours.
  const { violations } = await axe.run(document.body, { rules: { region: { enabled: false }, 'color-contrast': { enabled: false } } });
  expect(violations).toEqual([]);
}

it('this is the React that the project is for', () => {
  expect(version.split('.')[0]).toBe(process.env['REACT']);
});

describe('provider', () => {
  it('asks the issuer once, also in strict mode', async () => {
    await world.signedIn();
    world.issuer.requests.length = 0;
    const { session } = world.tab();
    render(<Status />, { wrapper: below(session) });
    expect(screen.getByRole('status').textContent).toBe('unknown');
    await shows('signed-in');
    expect(world.issuer.requests.map(({ line }) => line)).toEqual(['GET /v1/users/me']);
  });

  it('failure to reach the issuer is the error of an unknown state', async () => {
    world.isOffline = true;
    const { session } = world.tab();
    const { result } = renderHook(() => useSession(), { wrapper: below(session) });
    await waitFor(() => expect(result.current).toMatchObject({ status: 'unknown', error: { code: 'unreachable' } }));
  });

  it('session survives an unmounted provider', async () => {
    const { session } = await world.signedIn();
    render(<Status />, { wrapper: below(session) }).unmount();
    expect((await session.fetch(world.api.origin)).status).toBe(200);
  });

  it.each<[string, () => unknown]>([
    ['useSession', () => useSession()],
    ['useUser', () => useUser()],
    ['useSessions', () => useSessions()],
    ['useStepUp', () => useStepUp()],
  ])('%s without a provider is an error', (name, hook) => {
    const quiet = vi.spyOn(console, 'error').mockImplementation(() => {});
    expect(() => renderHook(hook)).toThrow(`${name} must be used below <SessionProvider>`);
    quiet.mockRestore();
  });

  it('server renders neither a login nor a user', async () => {
    const { session } = await world.signedIn();
    const html = renderToString(
      <SessionProvider session={session}>
        <Status />
        <SignedIn>in</SignedIn>
        <SignedOut>out</SignedOut>
      </SessionProvider>,
    );
    expect(html).toBe('<output>unknown</output>');
  });
});

describe('signed in and out', () => {
  function Page(): ReactNode {
    return (
      <>
        <Status />
        <SignedIn>{(user) => <h1>{user.name}</h1>}</SignedIn>
        <SignedIn>
          <p>orders</p>
        </SignedIn>
        <SignedOut>
          <p>please log in</p>
        </SignedOut>
      </>
    );
  }

  it('children follow the session, also of other tabs', async () => {
    const other = world.tab();
    const { session } = world.tab();
    render(<Page />, { wrapper: below(session) });
    expect(screen.queryByText('please log in')).toBeNull();
    await screen.findByText('please log in');
    await act(async () => void (await other.session.login({ username: 'bob', password: 'right' })));
    await screen.findByRole('heading', { name: 'bob' });
    expect(screen.queryByText('please log in')).toBeNull();
    await act(async () => void (await other.session.logout()));
    await screen.findByText('please log in');
    expect(screen.queryByText('orders')).toBeNull();
  });

  it('useUser returns the user', async () => {
    const { session } = await world.signedIn();
    const { result } = renderHook(() => useUser(), { wrapper: below(session) });
    expect(result.current?.name).toBe('alice');
    await act(async () => void (await session.logout()));
    expect(result.current).toBeNull();
  });
});

describe('login form', () => {
  it('logs in with a second factor, and reports wrong input', async () => {
    world.issuer.hasSecondFactor = true;
    const { session } = world.tab();
    const done = vi.fn();
    const user = userEvent.setup();
    render(<LoginForm onSignedIn={done} />, { wrapper: below(session) });
    await expectAccessible();
    await user.type(screen.getByLabelText('Name'), 'alice');
    await user.type(screen.getByLabelText('Password'), 'wrong{Enter}');
    await waitFor(() => expect(screen.getByRole('alert').textContent).toBe('The name or the password is wrong.'));
    expect(screen.getByLabelText<HTMLInputElement>('Name').value).toBe('alice');

    await user.clear(screen.getByLabelText('Password'));
    await user.type(screen.getByLabelText('Password'), 'right{Enter}');
    const code = await screen.findByLabelText('Code');
    await waitFor(() => expect(document.activeElement).toBe(code));
    expect(screen.getByRole('alert').textContent).toBe('');
    await expectAccessible();
    await user.type(code, '000000{Enter}');
    await waitFor(() => expect(screen.getByRole('alert').textContent).toBe('The code is wrong, or was used before.'));
    await user.clear(code);
    await user.type(code, ' 123456 ');
    await user.click(screen.getByRole('button', { name: 'Continue' }));
    await waitFor(() => expect(done.mock.calls).toMatchObject([[{ name: 'alice' }]]));
    expect(session.state.status).toBe('signed-in');
  });

  it('can go back, has other texts, and names the time to wait', async () => {
    world.issuer.hasSecondFactor = true;
    const { session } = world.tab();
    const user = userEvent.setup();
    const texts = { username: 'Benutzer', submit: 'Anmelden', problem: ({ code }: { code: string }) => `Fehler: ${code}` };
    const { rerender } = render(<LoginForm texts={texts} className="card" />, { wrapper: below(session) });
    expect(document.querySelector('form.card')).not.toBeNull();
    await user.type(screen.getByLabelText('Benutzer'), 'alice');
    await user.type(screen.getByLabelText('Password'), 'right');
    await user.click(screen.getByRole('button', { name: 'Anmelden' }));
    await user.click(await screen.findByRole('button', { name: 'Back' }));
    world.isOffline = true;
    await user.type(screen.getByLabelText('Benutzer'), 'alice');
    await user.type(screen.getByLabelText('Password'), 'right{Enter}');
    await waitFor(() => expect(screen.getByRole('alert').textContent).toBe('Fehler: unreachable'));
    world.isOffline = false;
    world.issuer.faults.set('/v1/auth/login', [
      (_, response) => problem(response, 429, 'too-many-attempts', { 'Retry-After': '30' }),
    ]);
    rerender(<LoginForm />);
    await user.click(screen.getByRole('button', { name: 'Log in' }));
    await waitFor(() => expect(screen.getByRole('alert').textContent).toMatch(/Try again in 30 s\./));
  });

  it('is sent once, however often it is submitted', async () => {
    const { session } = world.tab();
    let answer = (): void => {};
    world.issuer.faults.set('/v1/auth/login', [
      (request, response, body) => (answer = () => world.issuer.answer(request, response, body)),
    ]);
    const user = userEvent.setup();
    render(
      <SignedOut>
        <LoginForm />
      </SignedOut>,
      { wrapper: below(session) },
    );
    await user.type(await screen.findByLabelText('Name'), 'alice');
    await user.type(screen.getByLabelText('Password'), 'right{Enter}{Enter}{Enter}');
    expect(screen.getByRole<HTMLButtonElement>('button').disabled).toBe(true);
    await waitFor(() => expect(world.issuer.count('POST /v1/auth/login')).toBe(1));
    answer();
    await waitFor(() => expect(screen.queryByLabelText('Name')).toBeNull());
    expect(world.issuer.count('POST /v1/auth/login')).toBe(1);
  });
});

describe('sessions', () => {
  it('are loaded, can be ended, and errors are reported', async () => {
    const { session } = await world.signedIn();
    const { result } = renderHook(() => useSessions(), { wrapper: below(session) });
    await waitFor(() => expect(result.current.sessions?.map(({ id }) => id)).toEqual(['alice-1', 'other']));
    await act(() => result.current.end('other'));
    expect(result.current).toMatchObject({ error: null, isLoading: false });
    await act(() => result.current.end('nonsense'));
    expect(result.current.error).toMatchObject({ code: 'refused', problem: 'no-such-session' });
    expect(result.current.sessions?.length).toBe(2);
    await act(() => result.current.reload());
    expect(result.current.error).toBeNull();
    await act(() => result.current.end('alice-1'));
    expect(session.state.status).toBe('signed-out');
    expect(result.current).toMatchObject({ sessions: null, error: null, isLoading: false });
  });

  it('of another user replace the former ones', async () => {
    const { session } = await world.signedIn();
    const { result } = renderHook(() => useSessions(), { wrapper: below(session) });
    await waitFor(() => expect(result.current.sessions?.[0]?.id).toBe('alice-1'));
    await act(async () => void (await session.logout()));
    expect(result.current.sessions).toBeNull();
    await act(async () => void (await session.login({ username: 'bob', password: 'right' })));
    await waitFor(() => expect(result.current.sessions?.[0]?.id).toBe('bob-2'));
  });
});

describe('step-up', () => {
  beforeEach(() => {
    world.api.handler = (_, response) => {
      if (world.issuer.isSteppedUp) return json(response, 200, 'paid');
      return response.writeHead(401, { 'WWW-Authenticate': 'Bearer error="insufficient_user_authentication"' }).end();
    };
  });

  it('wrong code is reported, and the right one continues the request', async () => {
    const { session } = await world.signedIn();
    const { result } = renderHook(() => useStepUp(), { wrapper: below(session) });
    const paid = session.fetch(world.api.origin);
    await waitFor(() => expect(result.current.challenge).toEqual({ acrValues: [], maxAge: null }));
    await act(() => result.current.submit('000000'));
    expect(result.current).toMatchObject({ error: { problem: 'wrong-code' }, isBusy: false });
    expect(result.current.challenge).not.toBeNull();
    await act(() => result.current.submit('123456'));
    expect(result.current).toMatchObject({ challenge: null, error: null, isBusy: false });
    expect(await (await paid).json()).toBe('paid');
  });

  it('cancelled and unmounted, the request fails', async () => {
    const { session } = await world.signedIn();
    const { result, unmount } = renderHook(() => useStepUp(), { wrapper: below(session) });
    for (const decline of [() => act(() => result.current.cancel()), () => unmount()]) {
      const paid = session.fetch(world.api.origin).catch((error: unknown) => error);
      await waitFor(() => expect(result.current.challenge).not.toBeNull());
      decline();
      expect(await paid).toMatchObject({ code: 'step-up-needed' });
    }
    // There is no handler any more.
    await expect(session.fetch(world.api.origin)).rejects.toMatchObject({ code: 'step-up-needed' });
  });
});
