import { act, render, renderHook, screen, waitFor } from '@testing-library/react';
import { userEvent } from '@testing-library/user-event';
import axe from 'axe-core';
import { type ReactNode, StrictMode, version } from 'react';
import { renderToString } from 'react-dom/server';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import type { Session } from 'portcullis';

import { Authenticator } from '../../browser/tests/authenticator.js';
import { json, problem, World } from '../../browser/tests/world.js';
import {
  LoginForm,
  SessionProvider,
  SignedIn,
  SignedOut,
  usePasskeys,
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
    ['usePasskeys', () => usePasskeys()],
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
    expect(await act(() => result.current.end('other'))).toBe(true);
    expect(result.current).toMatchObject({ error: null, isLoading: false });
    expect(await act(() => result.current.end('nonsense'))).toBe(false);
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

describe('lists', () => {
  it('that are late do not replace those of another user', async () => {
    const { session } = await world.signedIn();
    const { result } = renderHook(() => useSessions(), { wrapper: below(session) });
    await waitFor(() => expect(result.current.sessions?.[0]?.id).toBe('alice-1'));
    let answer = (): void => {};
    const times = { created_at: 1, last_used_at: 1, expires_at: 1, user_agent: null };
    world.issuer.faults.set('/v1/auth/sessions', [
      (_, response) => (answer = () => json(response, 200, { sessions: [{ id: 'late', ...times, current: false }] })),
    ]);
    let reloaded: Promise<void> | undefined;
    act(() => void (reloaded = result.current.reload()));
    await waitFor(() => expect(world.issuer.faults.get('/v1/auth/sessions')).toEqual([]));
    await act(async () => void (await session.login({ username: 'bob', password: 'right' })));
    await waitFor(() => expect(result.current.sessions?.[0]?.id).toBe('bob-2'));
    answer();
    await act(async () => reloaded);
    expect(result.current.sessions?.[0]?.id).toBe('bob-2');
    expect(result.current).toMatchObject({ error: null, isLoading: false });
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

describe('step-up that is cancelled while its answer is on its way', () => {
  let authenticator: Authenticator;
  beforeEach(() => {
    authenticator = new Authenticator(true);
    world.issuer.passkeys.set(authenticator.id, { name: 'Phone', user: 'alice' });
    world.api.handler = (_, response) => {
      if (world.issuer.isSteppedUp) return json(response, 200, 'paid');
      return response.writeHead(401, { 'WWW-Authenticate': 'Bearer error="insufficient_user_authentication"' }).end();
    };
  });
  afterEach(() => authenticator.remove());

  const STEP_UP = '/v1/auth/step-up';

  it('ends the request for a passkey, and does not raise the session', async () => {
    const { session } = await world.signedIn();
    const { result } = renderHook(() => useStepUp(), { wrapper: below(session) });
    const first = session.fetch(world.api.origin).catch((error: unknown) => error);
    await waitFor(() => expect(result.current.challenge).not.toBeNull());
    authenticator.holds = true;
    let asked: Promise<void> | undefined;
    act(() => void (asked = result.current.submitPasskey()));
    await waitFor(() => expect(authenticator.pending).toBe(1));
    act(() => result.current.cancel());
    expect(await first).toMatchObject({ code: 'step-up-needed', reason: 'declined' });
    authenticator.choose();
    await act(async () => asked);
    expect(authenticator.pending).toBe(0);
    expect(world.issuer.count(`POST ${STEP_UP}`)).toBe(0);
    expect(world.issuer.isSteppedUp).toBe(false);
  });

  it.each([
    ['right', true],
    ['wrong', false],
  ])('a later question stays open when the earlier code is %s', async (_, isRight) => {
    const { session } = await world.signedIn();
    const { result } = renderHook(() => useStepUp(), { wrapper: below(session) });
    const first = session.fetch(world.api.origin).catch((error: unknown) => error);
    await waitFor(() => expect(result.current.challenge).not.toBeNull());
    let answer = (): void => {};
    world.issuer.faults.set(STEP_UP, [
      (request, response, body) => (answer = () => isRight ? world.issuer.answer(request, response, body) : problem(response, 403, 'wrong-code')),
    ]);
    let submitted: Promise<void> | undefined;
    act(() => void (submitted = result.current.submit('123456')));
    await waitFor(() => expect(world.issuer.count(`POST ${STEP_UP}`)).toBe(1));
    act(() => result.current.cancel());
    expect(await first).toMatchObject({ code: 'step-up-needed' });
    // A step-up is still needed.
    const second = session.fetch(world.api.origin);
    await waitFor(() => expect(result.current.challenge).not.toBeNull());
    answer();
    await act(async () => submitted);
    expect(result.current).toMatchObject({ challenge: { maxAge: null }, error: null, isBusy: false });
    await act(() => result.current.submit('123456'));
    expect(result.current.challenge).toBeNull();
    expect(await (await second).json()).toBe('paid');
  });

  it('an answer without a question is not sent', async () => {
    const { session } = await world.signedIn();
    const { result } = renderHook(() => useStepUp(), { wrapper: below(session) });
    await act(() => result.current.submit('123456'));
    expect(world.issuer.isSteppedUp).toBe(false);
  });
});

describe('passkeys', () => {
  const ID = 'cGFzc2tleQ';
  let authenticator: Authenticator;
  beforeEach(() => {
    authenticator = new Authenticator(true);
    world.issuer.passkeys.set(ID, { name: 'Phone', user: 'alice' });
  });
  afterEach(() => authenticator.remove());

  const offered = (): Promise<void> => waitFor(() => expect(authenticator.pending).toBe(1));
  const reports = (text: RegExp): Promise<void> =>
    waitFor(() => expect(screen.getByRole('alert').textContent).toMatch(text));

  it('are not asked for by default', async () => {
    const { session } = world.tab();
    render(<LoginForm />, { wrapper: below(session) });
    await waitFor(() => expect(session.state.status).toBe('signed-out'));
    expect(screen.getAllByRole('button').length).toBe(1);
    expect(screen.getByLabelText('Name').getAttribute('autocomplete')).toBe('username');
    expect(authenticator.asked).toEqual([]);
  });

  it('form has no button in a browser without them', async () => {
    authenticator.remove();
    const { session } = world.tab();
    render(<LoginForm passkeys />, { wrapper: below(session) });
    await waitFor(() => expect(session.state.status).toBe('signed-out'));
    expect(screen.getAllByRole('button').length).toBe(1);
  });

  it('suggestion logs in, and a refused one is reported and offered again', async () => {
    const { session } = world.tab();
    const done = vi.fn();
    render(<LoginForm passkeys onSignedIn={done} />, { wrapper: below(session) });
    await offered();
    expect(screen.getByLabelText('Name').getAttribute('autocomplete')).toBe('username webauthn');
    await expectAccessible();
    world.issuer.passkeys.clear();
    authenticator.choose();
    await reports(/passkey is not accepted/);
    await offered();
    world.issuer.passkeys.set(ID, { name: 'Phone', user: 'alice' });
    authenticator.choose();
    await waitFor(() => expect(done.mock.calls).toMatchObject([[{ name: 'alice' }]]));
    // The form is still there: it asks for nothing more.
    await waitFor(() => expect(session.state.status).toBe('signed-in'));
    expect(authenticator.pending).toBe(0);
  });

  it('suggestions end with the form, and with another login', async () => {
    const { session } = world.tab();
    const { unmount } = render(<LoginForm passkeys />, { wrapper: below(session) });
    await offered();
    unmount();
    await waitFor(() => expect(authenticator.pending).toBe(0));
    render(<LoginForm passkeys />, { wrapper: below(session) });
    await offered();
    const other = world.tab();
    await act(async () => void (await other.session.login({ username: 'bob', password: 'right' })));
    await waitFor(() => expect(authenticator.pending).toBe(0));
    expect(authenticator.asked.every(({ signal }) => signal?.aborted)).toBe(true);
  });

  it('button replaces the suggestions, which come back if the user cancels', async () => {
    const { session } = world.tab();
    const user = userEvent.setup();
    render(
      <SignedOut>
        <LoginForm passkeys />
      </SignedOut>,
      { wrapper: below(session) },
    );
    const button = await screen.findByRole('button', { name: 'Use a passkey' });
    await offered();
    authenticator.error = 'NotAllowedError';
    await user.click(button);
    await reports(/No passkey was used/);
    await offered();
    await user.click(button);
    await waitFor(() => expect(screen.queryByLabelText('Name')).toBeNull());
    expect(session.state.status).toBe('signed-in');
    expect(authenticator.pending).toBe(0);
  });

  it('passkey replaces the code', async () => {
    world.issuer.hasSecondFactor = true;
    const { session } = world.tab();
    const done = vi.fn();
    const user = userEvent.setup();
    render(<LoginForm passkeys onSignedIn={done} />, { wrapper: below(session) });
    await offered();
    await user.type(screen.getByLabelText('Name'), 'alice');
    await user.type(screen.getByLabelText('Password'), 'right{Enter}');
    await screen.findByLabelText('Code');
    await waitFor(() => expect(authenticator.pending).toBe(0));
    await user.click(screen.getByRole('button', { name: 'Use a passkey' }));
    await waitFor(() => expect(done.mock.calls).toMatchObject([[{ name: 'alice' }]]));
    expect(world.issuer.requests.filter(({ line }) => line === 'POST /v1/auth/login').at(-1)?.body).toContain('"passkey"');
  });

  const LOGIN = '/v1/auth/login';
  const PASSKEY_LOGIN = '/v1/auth/passkeys/login';

  /** Holds the issuer's next answer to a path. Returns a function that sends it. */
  function hold(path: string): () => void {
    let answer = (): void => {};
    world.issuer.faults.set(path, [
      (request, response, body) => (answer = () => world.issuer.answer(request, response, body)),
    ]);
    return () => answer();
  }

  it('suggestion that is chosen during a login does not log in as well', async () => {
    const { session } = world.tab();
    const done = vi.fn();
    const user = userEvent.setup();
    render(<LoginForm passkeys onSignedIn={done} />, { wrapper: below(session) });
    await offered();
    const answer = hold(LOGIN);
    await user.type(screen.getByLabelText('Name'), 'bob');
    await user.type(screen.getByLabelText('Password'), 'right{Enter}');
    await waitFor(() => expect(world.issuer.count(`POST ${LOGIN}`)).toBe(1));
    authenticator.choose();
    // Offered again.
    await waitFor(() => expect(authenticator.asked.length).toBe(2));
    answer();
    await waitFor(() => expect(done.mock.calls).toMatchObject([[{ name: 'bob' }]]));
    expect(world.issuer.count(`POST ${PASSKEY_LOGIN}`)).toBe(0);
  });

  it('form is busy while a suggestion logs in', async () => {
    const { session } = world.tab();
    const done = vi.fn();
    const user = userEvent.setup();
    render(<LoginForm passkeys onSignedIn={done} />, { wrapper: below(session) });
    await offered();
    await user.type(screen.getByLabelText('Name'), 'bob');
    await user.type(screen.getByLabelText('Password'), 'right');
    const answer = hold(PASSKEY_LOGIN);
    authenticator.choose();
    await waitFor(() => expect(world.issuer.count(`POST ${PASSKEY_LOGIN}`)).toBe(1));
    await user.type(screen.getByLabelText('Password'), '{Enter}');
    expect(screen.getByRole<HTMLButtonElement>('button', { name: 'Log in' }).disabled).toBe(true);
    answer();
    await waitFor(() => expect(done.mock.calls).toMatchObject([[{ name: 'alice' }]]));
    expect(world.issuer.count(`POST ${LOGIN}`)).toBe(0);
  });

  it.each(['123456', '000000'])('after “Back”, the code %s that was sent has no effect', async (code) => {
    world.issuer.hasSecondFactor = true;
    const { session } = world.tab();
    const done = vi.fn();
    const user = userEvent.setup();
    render(<LoginForm onSignedIn={done} />, { wrapper: below(session) });
    await user.type(screen.getByLabelText('Name'), 'alice');
    await user.type(screen.getByLabelText('Password'), 'right{Enter}');
    const input = await screen.findByLabelText('Code');
    const answer = hold(LOGIN);
    await user.type(input, `${code}{Enter}`);
    await waitFor(() => expect(world.issuer.count(`POST ${LOGIN}`)).toBe(2));
    await user.click(screen.getByRole('button', { name: 'Back' }));
    answer();
    // The form can be used at once.
    await user.type(screen.getByLabelText('Name'), 'alice');
    await user.type(screen.getByLabelText('Password'), 'wrong{Enter}');
    await reports(/name or the password is wrong/);
    expect(session.state.status).toBe('signed-out');
    expect(done).not.toHaveBeenCalled();
  });

  it('“Back” ends the request for a passkey', async () => {
    world.issuer.hasSecondFactor = true;
    const { session } = world.tab();
    const user = userEvent.setup();
    render(<LoginForm passkeys />, { wrapper: below(session) });
    await offered();
    await user.type(screen.getByLabelText('Name'), 'alice');
    await user.type(screen.getByLabelText('Password'), 'right{Enter}');
    await screen.findByLabelText('Code');
    await waitFor(() => expect(authenticator.pending).toBe(0));
    authenticator.holds = true;
    await user.click(screen.getByRole('button', { name: 'Use a passkey' }));
    await offered();
    await user.click(screen.getByRole('button', { name: 'Back' }));
    await waitFor(() => expect(authenticator.asked.filter((one) => !one.conditional).at(-1)?.signal?.aborted).toBe(true));
    // The suggestions come back.
    await waitFor(() => expect(authenticator.asked.at(-1)?.conditional).toBe(true));
    expect(screen.getByRole('alert').textContent).toBe('');
  });

  it('are listed, registered, renamed and removed, and errors are reported', async () => {
    world.issuer.passkeys.clear();
    const { session } = await world.signedIn();
    const { result } = renderHook(() => ({ list: usePasskeys(), stepUp: useStepUp() }), { wrapper: below(session) });
    await waitFor(() => expect(result.current.list.passkeys).toEqual([]));
    authenticator.error = 'NotAllowedError';
    expect(await act(() => result.current.list.register())).toBeNull();
    expect(result.current.list).toMatchObject({ error: { code: 'passkey', reason: 'cancelled' }, isLoading: false });
    expect(await act(() => result.current.list.register({ name: 'Phone' }))).toMatchObject({ recoveryCodes: ['a', 'b'] });
    expect(result.current.list).toMatchObject({ passkeys: [{ name: 'Phone' }], error: null });
    expect(await act(() => result.current.list.rename(ID, 'Key'))).toBe(true);
    expect(result.current.list.passkeys).toMatchObject([{ name: 'Key' }]);
    let removed: Promise<boolean> | undefined;
    act(() => void (removed = result.current.list.remove(ID)));
    await waitFor(() => expect(result.current.stepUp.challenge).toEqual({ acrValues: ['aal2'], maxAge: 300 }));
    authenticator.id = 'b3RoZXI';
    await act(() => result.current.stepUp.submitPasskey());
    expect(result.current.stepUp.error).toMatchObject({ problem: 'wrong-passkey' });
    authenticator.id = ID;
    await act(() => result.current.stepUp.submitPasskey());
    expect(await act(async () => removed)).toBe(true);
    expect(result.current.list).toMatchObject({ passkeys: [], error: null });
    expect(await act(() => result.current.list.remove(ID))).toBe(false);
    expect(result.current.list.error).toMatchObject({ problem: 'no-such-passkey' });
  });

  it('recovery codes are not lost if the list cannot be loaded', async () => {
    world.issuer.passkeys.clear();
    const { session } = await world.signedIn();
    const { result } = renderHook(() => usePasskeys(), { wrapper: below(session) });
    await waitFor(() => expect(result.current.passkeys).toEqual([]));
    const path = '/v1/auth/passkeys';
    world.issuer.faults.set(path, [
      (request, response, body) => world.issuer.answer(request, response, body),
      (_, response) => json(response, 503, {}),
    ]);
    expect(await act(() => result.current.register())).toMatchObject({ recoveryCodes: ['a', 'b'] });
    expect(result.current.error).toMatchObject({ code: 'later' });
  });
});
