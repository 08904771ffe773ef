import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import {
  askForPasskey,
  isConditionalAvailable,
  isSupported,
  listPasskeys,
  registerPasskey,
  removePasskey,
  renamePasskey,
  signInWithPasskey,
  stepUpWithPasskey,
} from '../src/passkeys.js';
import { Authenticator } from './authenticator.js';
import { json, Page, problem, until, World } from './world.js';

const ID = 'cGFzc2tleQ';

let world: World;
let authenticator: Authenticator;
beforeEach(async () => {
  world = await World.begin();
  authenticator = new Authenticator(true);
});
afterEach(async () => {
  authenticator.remove();
  await world.end();
});

const known = (user = 'alice'): void => void world.issuer.passkeys.set(ID, { name: 'Phone', user });

describe.each([
  ['with the JSON functions', true],
  ['without the JSON functions', false],
])('browser %s', (_, hasJson) => {
  beforeEach(() => {
    authenticator.remove();
    authenticator = new Authenticator(hasJson);
  });

  it('registers a passkey and logs in with it, in all tabs', async () => {
    const first = await world.signedIn();
    const passkey = await registerPasskey(first.session, { name: 'Phone' });
    expect(passkey).toEqual({
      id: ID,
      name: 'Phone',
      createdAt: new Date(1_700_000_000_000),
      lastUsedAt: null,
      synced: true,
      backedUp: false,
      recoveryCodes: ['a', 'b'],
    });
    await first.session.logout();
    const other = world.tab();
    await other.session.restore();
    expect(other.session.state.status).toBe('signed-out');
    expect(await signInWithPasskey(first.session)).toMatchObject({ name: 'alice' });
    expect(first.session.state.status).toBe('signed-in');
    await until('the other tab has the user', () => other.session.state.status === 'signed-in');
    expect((await other.session.fetch(world.api.origin)).status).toBe(200);
  });
});

it('without the JSON functions, all members are sent in base64url', async () => {
  authenticator.remove();
  authenticator = new Authenticator(false);
  const { session } = await world.signedIn();
  await registerPasskey(session);
  const { user, challenge } = authenticator.asked[0]?.publicKey ?? {};
  expect([...new Uint8Array(user?.id as ArrayBuffer)]).toEqual([0xfb, 0xff]);
  expect((challenge as ArrayBuffer).byteLength).toBe(32);
  const sent = (): unknown => (JSON.parse(world.issuer.requests.at(-1)?.body ?? '') as { credential: unknown }).credential;
  const base = { id: ID, rawId: ID, type: 'public-key', authenticatorAttachment: 'platform', clientExtensionResults: {} };
  expect(sent()).toMatchObject({ ...base, response: { attestationObject: 'b2JqZWN0', transports: ['internal'] } });
  await stepUpWithPasskey(session);
  const { passkey } = JSON.parse(world.issuer.requests.at(-1)?.body ?? '') as { passkey: { credential: unknown } };
  // In plain base64, the last one is `+/8=`.
  const response = { authenticatorData: 'ZGF0YQ', signature: 'c2lnbmVk', userHandle: '-_8' };
  expect(passkey.credential).toMatchObject({ ...base, response });
});

describe('login', () => {
  it('refused passkey does not change the session, and its ceremony is used up', async () => {
    const { session } = world.tab();
    await session.restore();
    await expect(signInWithPasskey(session)).rejects.toMatchObject({ code: 'refused', problem: 'wrong-passkey' });
    expect(session.state).toEqual({ status: 'signed-out', reason: 'no-session' });
    known();
    const answer = await askForPasskey(session);
    expect(await session.login(answer)).toMatchObject({ status: 'signed-in' });
    await expect(session.login(answer)).rejects.toMatchObject({ problem: 'wrong-passkey' });
  });

  it.each([
    ['NotAllowedError', 'cancelled'],
    ['AbortError', 'cancelled'],
    ['SecurityError', 'unavailable'],
    ['NotSupportedError', 'unavailable'],
  ])('%s of the browser is `%s`, and nothing is sent', async (name, reason) => {
    const { session } = world.tab();
    authenticator.error = name;
    const error = await signInWithPasskey(session).catch((error: unknown) => error);
    expect(error).toMatchObject({ name: 'PortcullisError', code: 'passkey', reason, cause: { name } });
    expect(world.issuer.count('POST /v1/auth/passkeys/login')).toBe(0);
  });

  it('offline, overloaded and foreign responses differ from a refusal', async () => {
    const { session } = world.tab();
    const fault = '/v1/auth/passkeys/challenge';
    world.isOffline = true;
    await expect(signInWithPasskey(session)).rejects.toMatchObject({ code: 'unreachable', offline: true });
    world.isOffline = false;
    world.issuer.faults.set(fault, [
      (_, response) => problem(response, 429, 'too-many-attempts', { 'Retry-After': '7' }),
      (_, response) => json(response, 201, { ceremony: 'a' }),
    ]);
    await expect(signInWithPasskey(session)).rejects.toMatchObject({ code: 'later', retryAfterMs: 7_000 });
    await expect(signInWithPasskey(session)).rejects.toMatchObject({ code: 'unexpected' });
    expect(authenticator.asked).toEqual([]);
  });

  it('browser without passkeys is reported without a request', async () => {
    authenticator.remove();
    const { session } = world.tab();
    expect([isSupported(), await isConditionalAvailable()]).toEqual([false, false]);
    await expect(signInWithPasskey(session)).rejects.toMatchObject({ code: 'passkey', reason: 'unavailable' });
    await expect(registerPasskey(session)).rejects.toMatchObject({ code: 'passkey', reason: 'unavailable' });
    expect(world.issuer.requests).toEqual([]);
  });

  it('passkey is the second factor of a password', async () => {
    known();
    world.issuer.hasSecondFactor = true;
    const { session } = world.tab();
    const result = await session.login({ username: 'alice', password: 'right' });
    if (result.status !== 'code-needed') throw new Error(result.status);
    known('bob');
    await expect(askForPasskey(session).then(result.complete)).rejects.toMatchObject({ problem: 'wrong-passkey' });
    known();
    expect(await result.complete(await askForPasskey(session))).toMatchObject({ status: 'signed-in' });
  });
});

describe('conditional login', () => {
  it('waits for the choice', async () => {
    known();
    const { session } = world.tab();
    expect([isSupported(), await isConditionalAvailable()]).toEqual([true, true]);
    const user = signInWithPasskey(session, { conditional: true });
    await until('the browser offers it', () => authenticator.pending === 1);
    authenticator.choose();
    expect(await user).toMatchObject({ name: 'alice' });
    expect(authenticator.asked).toMatchObject([{ conditional: true }]);
  });

  describe('with timers that the test runs', () => {
    /** The timers of at least 1 s. */
    let timers: { ms: number; run: () => void }[] = [];
    beforeEach(() => {
      timers = [];
      const { setTimeout } = globalThis;
      vi.spyOn(globalThis, 'setTimeout').mockImplementation(((run: () => void, ms = 0, ...rest: unknown[]) => {
        if (ms >= 1_000) timers.push({ ms, run });
        return setTimeout(run, ms, ...rest);
      }) as typeof setTimeout);
    });
    afterEach(() => vi.restoreAllMocks());

    it('gets another challenge before the first one expires', async () => {
      known();
      const { session } = world.tab();
      const user = signInWithPasskey(session, { conditional: true });
      for (let asked = 1; asked <= 3; asked += 1) {
        await until('the browser offers it', () => authenticator.asked.length === asked && authenticator.pending === 1);
        const due = timers.filter(({ ms }) => ms === 270_000);
        expect(due.length).toBe(asked);
        if (asked < 3) due.at(-1)?.run();
      }
      const asked = authenticator.asked.map(({ publicKey }) => (publicKey as unknown as { parsed: string }).parsed);
      expect(new Set(asked).size).toBe(3);
      authenticator.choose();
      expect(await user).toMatchObject({ name: 'alice' });
    });

    it.each([
      [0, 10_000],
      [-1, 10_000],
      [1e9, 3_600_000],
    ])('lifetime of %i s does not cause a loop', async (seconds, ms) => {
      known();
      world.issuer.passkeySeconds = seconds;
      const { session } = world.tab();
      const user = signInWithPasskey(session, { conditional: true });
      await until('the browser offers it', () => authenticator.pending === 1);
      expect(timers.map((timer) => timer.ms)).toContain(ms);
      await new Promise((done) => setTimeout(done, 50));
      expect(world.issuer.count('POST /v1/auth/passkeys/challenge')).toBe(1);
      authenticator.choose();
      expect(await user).toMatchObject({ name: 'alice' });
    });
  });

  it('asks for no challenge while the page is in the background', async () => {
    const page = new Page();
    page.show('hidden');
    vi.stubGlobal('document', page);
    known();
    const { session } = world.tab();
    const user = signInWithPasskey(session, { conditional: true });
    await session.restore();
    expect(world.issuer.count('POST /v1/auth/passkeys/challenge')).toBe(0);
    page.show('visible');
    await until('the browser offers it', () => authenticator.pending === 1);
    authenticator.choose();
    expect(await user).toMatchObject({ name: 'alice' });
    page.show('hidden');
    const abort = new AbortController();
    const late = signInWithPasskey(session, { conditional: true, signal: abort.signal });
    abort.abort(new Error('unmounted'));
    await expect(late).rejects.toThrow('unmounted');
  });

  it('ends with the signal, also while the challenge is fetched', async () => {
    const { session } = world.tab();
    const abort = new AbortController();
    const user = signInWithPasskey(session, { conditional: true, signal: abort.signal });
    await until('the browser offers it', () => authenticator.pending === 1);
    const reason = new Error('unmounted');
    abort.abort(reason);
    await expect(user).rejects.toBe(reason);
    expect(authenticator.pending).toBe(0);
    await expect(signInWithPasskey(session, { signal: abort.signal })).rejects.toBe(reason);
    const second = new AbortController();
    world.issuer.faults.set('/v1/auth/passkeys/challenge', [() => second.abort(reason)]);
    const late = signInWithPasskey(session, { conditional: true, signal: second.signal });
    await expect(late).rejects.toBe(reason);
    expect(authenticator.asked.length).toBe(1);
  });

  it('is replaced by any other request', async () => {
    known();
    const { session } = await world.signedIn();
    for (const other of [signInWithPasskey, registerPasskey]) {
      const waiting = signInWithPasskey(session, { conditional: true }).catch((error: unknown) => error);
      await until('the browser offers it', () => authenticator.pending === 1);
      await other(session);
      expect(await waiting).toMatchObject({ code: 'passkey', reason: 'replaced' });
    }
  });
});

describe('registration', () => {
  it('steps up first if the user has a second factor', async () => {
    world.issuer.hasSecondFactor = true;
    known();
    const { session } = world.tab();
    await session.login({ username: 'alice', password: 'right', code: '123456' });
    await expect(registerPasskey(session)).rejects.toMatchObject({ code: 'step-up-needed' });
    const challenges: unknown[] = [];
    session.onStepUp(async (challenge) => {
      challenges.push(challenge);
      await stepUpWithPasskey(session);
      return true;
    });
    expect(await registerPasskey(session)).toMatchObject({ name: 'Passkey', recoveryCodes: null });
    expect(challenges).toEqual([{ acrValues: ['aal2'], maxAge: 300 }]);
    expect(authenticator.asked.map(({ kind }) => kind)).toEqual(['get', 'create']);
  });

  it('needs the password of a user without a second factor, not a step-up', async () => {
    const { session } = await world.signedIn();
    world.issuer.isLoginOld = true;
    session.onStepUp(() => Promise.reject(new Error('the user has no second factor')));
    await expect(registerPasskey(session)).rejects.toMatchObject({ code: 'refused', problem: 'login-too-old' });
    await expect(registerPasskey(session, { password: 'no' })).rejects.toMatchObject({ problem: 'wrong-password' });
    expect(await registerPasskey(session, { password: 'right' })).toMatchObject({ id: ID });
  });

  it('known passkey, wrong name and wrong answer are reported', async () => {
    const { session } = await world.signedIn();
    authenticator.error = 'InvalidStateError';
    await expect(registerPasskey(session)).rejects.toMatchObject({ code: 'passkey', reason: 'exists' });
    await expect(registerPasskey(session, { name: ' ' })).rejects.toMatchObject({ problem: 'wrong-fields' });
    world.issuer.faults.set('/v1/auth/passkeys', [
      (_, response) => problem(response, 403, 'wrong-passkey'),
      (_, response) => json(response, 201, {}),
    ]);
    await expect(registerPasskey(session)).rejects.toMatchObject({ problem: 'wrong-passkey' });
    await expect(registerPasskey(session)).rejects.toMatchObject({ code: 'unexpected' });
  });
});

it('passkeys are listed, renamed, and removed after a step-up', async () => {
  known();
  const { session } = await world.signedIn();
  await renamePasskey(session, ID, 'Key');
  expect(await listPasskeys(session)).toMatchObject([{ id: ID, name: 'Key', lastUsedAt: null }]);
  await expect(renamePasskey(session, 'a/b', 'Key')).rejects.toMatchObject({ problem: 'no-such-passkey' });
  await expect(removePasskey(session, ID)).rejects.toMatchObject({ code: 'step-up-needed' });
  session.onStepUp(() => stepUpWithPasskey(session).then(() => true));
  await removePasskey(session, ID);
  expect(await listPasskeys(session)).toEqual([]);
  world.issuer.faults.set('/v1/auth/passkeys', [(_, response) => json(response, 200, { passkeys: 7 })]);
  await expect(listPasskeys(session)).rejects.toMatchObject({ code: 'unexpected' });
});
