import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { createSession } from '../src/session.js';
import type { LogoutResult, SessionState, StepUpChallenge } from '../src/types.js';
import { json, problem, until, World } from './world.js';

let world: World;
beforeEach(async () => {
  world = await World.begin();
});
afterEach(() => world.end());

const ALICE = { username: 'alice', password: 'right' };
const REFRESH = 'POST /v1/auth/refresh';

/** Makes the access token expire. */
function expire(): void {
  world.deleteCookie('access');
}

describe('options', () => {
  it.each([
    [{ issuer: 'http://auth.example.com' }, 'issuer "http://auth.example.com" must begin with https://'],
    [{ issuer: 'https://auth.example.com?x' }, 'must have no user name, query or fragment'],
    [{ issuer: 'https://alice@auth.example.com' }, 'must have no user name'],
    [{ issuer: 'nonsense' }, 'issuer "nonsense" is not a URL'],
    [{ issuer: 'https://a.test', apis: ['https://api.test/v1'] }, 'did you mean "https://api.test"?'],
    [{ issuer: 'https://a.test', apis: ['http://api.test'] }, 'api "http://api.test" must begin with https://'],
    [{ issuer: 'https://a.test', apis: ['http://localhost.evil.test'] }, 'must begin with https://'],
    [{ issuer: 'https://a.test', apis: ['javascript:alert(1)'] }, 'must begin with https://'],
  ])('%o is a TypeError', (options, message) => {
    expect(() => createSession(options)).toThrow(TypeError);
    expect(() => createSession(options)).toThrow(message);
  });

  it.each(['https://auth.test/', new URL('https://auth.test'), 'https://auth.test'])('%s is accepted', (issuer) => {
    const session = createSession({ issuer, apis: ['http://localhost:3000', 'http://[::1]:1', 'https://a.test/'] });
    expect(session.issuer).toBe('https://auth.test');
    expect(session.state).toEqual({ status: 'unknown', error: null });
    session.close();
  });

  it('issuer below a path is called there', async () => {
    world.issuer.handler = (_, response) => json(response, 400, {});
    const { session } = world.tab({}, { issuer: `${world.issuer.origin}/auth/` });
    await session.logout();
    expect(world.issuer.requests.map(({ line }) => line)).toEqual(['POST /auth/v1/auth/logout']);
  });
});

describe('login', () => {
  it('right password signs in', async () => {
    const { session } = world.tab();
    const user = { id: '1', name: 'alice', roles: ['admin'], scopes: ['a', 'b'] };
    expect(await session.login(ALICE)).toEqual({ status: 'signed-in', user });
    expect(session.state).toEqual({ status: 'signed-in', user });
  });

  it('wrong password is refused with the problem', async () => {
    const { session } = world.tab();
    const login = session.login({ ...ALICE, password: 'wrong' });
    await expect(login).rejects.toMatchObject({
      code: 'refused',
      status: 401,
      problem: 'wrong-credentials',
      message: 'the detail of wrong-credentials',
    });
    expect(session.state.status).toBe('unknown');
    expect(world.cookies).toBe('');
  });

  it('second factor is asked for, and a wrong code can be repeated', async () => {
    world.issuer.hasSecondFactor = true;
    const { session } = world.tab();
    const result = await session.login(ALICE);
    if (result.status !== 'code-needed') throw new Error(result.status);
    expect(session.state.status).toBe('unknown');
    await expect(result.complete('000000')).rejects.toMatchObject({ code: 'refused', problem: 'wrong-code' });
    expect(await result.complete('123456')).toMatchObject({ status: 'signed-in' });
    expect(session.state.status).toBe('signed-in');
  });

  it.each([
    [429, { 'Retry-After': '30' }, 30_000],
    [503, { 'Retry-After': 'Thu, 01 Jan 2026 00:01:00 GMT' }, 60_000],
    [503, { 'Retry-After': '999999999' }, 3_600_000],
    [503, { 'Retry-After': 'soon' }, 5_000],
    [502, {}, 5_000],
  ])('status %i is later', async (status, headers, retryAfterMs) => {
    world.issuer.faults.set('/v1/auth/login', [(_, response) => response.writeHead(status, headers).end('<html>')]);
    const { session } = world.tab();
    await expect(session.login(ALICE)).rejects.toMatchObject({ code: 'later', retryAfterMs, response: null });
    expect(session.state.status).toBe('unknown');
  });

  it.each(['<html>welcome to the hotel', '[]', '{}', 'null', '{"expires_in":"9","session_id":"s"}'])(
    '200 with the body %s is unexpected',
    async (body) => {
      world.issuer.faults.set('/v1/auth/login', [(_, response) => response.end(body)]);
      const { session } = world.tab();
      await expect(session.login(ALICE)).rejects.toMatchObject({ code: 'unexpected' });
      expect(session.state.status).toBe('unknown');
    },
  );

  it('login without a network is unreachable, and offline if the browser knows', async () => {
    const { session } = world.tab();
    world.isOffline = true;
    await expect(session.login(ALICE)).rejects.toMatchObject({ code: 'unreachable', offline: true });
    world.isOffline = false;
    await world.issuer.stop();
    await expect(session.login(ALICE)).rejects.toMatchObject({ code: 'unreachable', offline: false });
    await world.issuer.start();
  });

  it('a redirect is refused', async () => {
    const redirect = (_: unknown, response: import('node:http').ServerResponse): void =>
      void response.writeHead(307, { Location: world.stranger.origin }).end();
    world.issuer.faults.set('/v1/auth/login', [redirect]);
    await expect(world.tab().session.login(ALICE)).rejects.toMatchObject({ code: 'redirect' });
    expect(world.stranger.requests).toEqual([]);
  });
});

describe('fetch', () => {
  it('credentials go to the listed origins only', async () => {
    const { session } = await world.signedIn();
    const { origin, port } = Object.assign(new URL(world.stranger.origin));
    for (const [input, init] of [
      [origin, { credentials: 'include' }],
      [new Request(origin, { credentials: 'include' }), undefined],
      [new URL(origin), undefined],
      // The listed origin as a user name, and as a prefix.
      [`${origin}/${world.api.origin}`, undefined],
    ] as const) {
      const response = await session.fetch(input, init);
      expect(await response.json()).toBe('stranger');
    }
    await expect(session.fetch(`http://127.0.0.1@localhost:${port}`)).rejects.toThrow();
    expect(world.stranger.requests.map(({ cookie }) => cookie)).toEqual(['', '', '', '']);
    expect((await session.fetch(`${world.api.origin}/orders`)).status).toBe(200);
    expect(world.api.requests[0]?.cookie).toContain('access=');
  });

  it('a 401 of an unlisted origin has no effect', async () => {
    const { session } = await world.signedIn();
    world.stranger.handler = (_, response) => void response.writeHead(401).end();
    expect((await session.fetch(world.stranger.origin)).status).toBe(401);
    expect(world.stranger.requests.length).toBe(1);
    expect(world.issuer.count(REFRESH)).toBe(0);
  });

  it.each([301, 302, 303, 307, 308])('redirect %i from a listed origin is not followed', async (status) => {
    const { session } = await world.signedIn();
    world.api.handler = (_, response) =>
      void response.writeHead(status, { Location: `${world.stranger.origin}/` }).end();
    const url = `${world.api.origin}/orders`;
    for (const redirect of ['follow', 'error', 'manual'] as const) {
      await expect(session.fetch(url, { redirect })).rejects.toMatchObject({ code: 'redirect' });
    }
    expect(world.stranger.requests).toEqual([]);
  });

  it('redirect from an unlisted to a listed origin carries no credentials', async () => {
    const { session } = await world.signedIn();
    world.stranger.handler = (_, response) => void response.writeHead(302, { Location: `${world.api.origin}/x` }).end();
    expect((await session.fetch(world.stranger.origin, { credentials: 'include' })).status).toBe(401);
    expect(world.api.requests.map(({ cookie }) => cookie)).toEqual(['']);
  });

  it('expired access token is refreshed, and the request is repeated with its body', async () => {
    const { session } = await world.signedIn();
    expire();
    const init = { method: 'POST', body: 'order 18', headers: { 'X-A': 'b' } };
    const response = await session.fetch(new Request(`${world.api.origin}/orders`, init));
    expect(response.status).toBe(200);
    expect(world.api.requests.map(({ line, body }) => [line, body])).toEqual([
      ['POST /orders', 'order 18'],
      ['POST /orders', 'order 18'],
    ]);
    expect(world.issuer.count(REFRESH)).toBe(1);
  });

  it('a 401 after a refresh is returned, and the user stays signed in', async () => {
    const { session } = await world.signedIn();
    world.api.handler = (_, response) => void response.writeHead(401).end('no');
    const response = await session.fetch(world.api.origin);
    expect([response.status, await response.text()]).toEqual([401, 'no']);
    expect(world.api.requests.length).toBe(2);
    expect(world.issuer.count(REFRESH)).toBe(1);
    expect(session.state.status).toBe('signed-in');
  });

  it('ended session is signed out', async () => {
    const { session } = await world.signedIn();
    world.issuer.end();
    expire();
    await expect(session.fetch(world.api.origin)).rejects.toMatchObject({ code: 'signed-out', reason: 'ended' });
    expect(session.state).toEqual({ status: 'signed-out', reason: 'ended' });
  });

  it.each([
    ['no-refresh-token', 400, 'ended'],
    ['wrong-refresh-token', 401, 'ended'],
    ['unmatched-cookie', 400, 'cookies-rejected'],
    ['ambiguous-cookie', 400, 'cookies-rejected'],
  ])('refresh with the problem %s is signed out', async (kind, status, reason) => {
    const { session } = await world.signedIn();
    expire();
    world.issuer.faults.set('/v1/auth/refresh', [(_, response) => problem(response, status, kind)]);
    await expect(session.fetch(world.api.origin)).rejects.toMatchObject({ code: 'signed-out', reason });
  });

  it.each([
    [400, 'text'],
    [401, '<html>log in to the proxy'],
    [401, '{"type":"about:blank"}'],
    [401, '{"type":"urn:other:problem:wrong-refresh-token"}'],
    [403, '{"type":"urn:portcullis:problem:cross-site"}'],
    [404, ''],
    [429, '{"type":"urn:portcullis:problem:wrong-refresh-token"}'],
    [500, ''],
    [503, 'null'],
    [200, '<html>'],
  ])('refresh with status %i and body %s is not signed out', async (status, body) => {
    const { session } = await world.signedIn();
    expire();
    const fault = (_: unknown, response: import('node:http').ServerResponse): void =>
      void response.writeHead(status, { 'Content-Type': 'text/html' }).end(body);
    world.issuer.faults.set('/v1/auth/refresh', [fault]);
    const error = await session.fetch(world.api.origin).catch((error: unknown) => error);
    expect(error).toMatchObject({ code: expect.stringMatching(/^(refused|later|unexpected)$/) });
    expect(session.state.status).toBe('signed-in');
    world.pass(5_000);
    expect((await session.fetch(world.api.origin)).status).toBe(200);
  });

  it('Retry-After of a refresh is respected by all tabs', async () => {
    const { session } = await world.signedIn();
    const other = world.tab();
    await other.session.restore();
    expire();
    const later = (_: unknown, response: import('node:http').ServerResponse): void =>
      problem(response, 429, 'too-many-attempts', { 'Retry-After': '20' });
    world.issuer.faults.set('/v1/auth/refresh', [later]);
    await expect(session.fetch(world.api.origin)).rejects.toMatchObject({ code: 'later', retryAfterMs: 20_000 });
    world.pass(15_000);
    for (const one of [session, other.session]) {
      await expect(one.fetch(world.api.origin)).rejects.toMatchObject({ code: 'later', retryAfterMs: 5_000 });
    }
    expect(world.issuer.count(REFRESH)).toBe(1);
    expect(session.state.status).toBe('signed-in');
    world.pass(5_000);
    expect((await other.session.fetch(world.api.origin)).status).toBe(200);
  });

  it.each([429, 503])('%i of an API with Retry-After is later, and without is returned', async (status) => {
    const { session } = await world.signedIn();
    world.api.handler = (_, response) => void response.writeHead(status, { 'Retry-After': '7' }).end('busy');
    const error = await session.fetch(world.api.origin).catch((error: unknown) => error);
    expect(error).toMatchObject({ code: 'later', retryAfterMs: 7_000, response: { status } });
    expect(await (error as { response: Response }).response.text()).toBe('busy');
    world.api.handler = (_, response) => void response.writeHead(status).end();
    expect((await session.fetch(world.api.origin)).status).toBe(status);
    expect(session.state.status).toBe('signed-in');
    expect(world.issuer.count(REFRESH)).toBe(0);
  });

  it('other responses are returned as they are', async () => {
    const { session } = await world.signedIn();
    for (const status of [200, 204, 304, 400, 403, 404, 500]) {
      world.api.handler = (_, response) => void response.writeHead(status).end();
      expect((await session.fetch(world.api.origin)).status).toBe(status);
    }
  });

  it('no response in time is a time-out; the body may take longer', async () => {
    const { session } = await world.signedIn();
    let finish = (): void => {};
    world.api.handler = (_, response) => {
      response.write('begin ');
      finish = () => response.end('end');
    };
    const response = await session.fetch(world.api.origin);
    world.pass(60_000);
    finish();
    expect(await response.text()).toBe('begin end');

    world.api.handler = () => {};
    const silent = session.fetch(world.api.origin).catch((error: unknown) => error);
    await until('the request', () => world.api.requests.length === 2);
    world.pass(10_000);
    expect(await silent).toMatchObject({ code: 'timeout' });
    expect(session.state.status).toBe('signed-in');

    const patient = session.fetch(world.api.origin, { timeoutMs: 90_000 }).catch((error: unknown) => error);
    await until('the request', () => world.api.requests.length === 3);
    world.pass(89_999);
    world.api.handler = (_, response) => void response.end();
    expect((await session.fetch(world.api.origin)).status).toBe(200);
    world.pass(1);
    expect(await patient).toMatchObject({ code: 'timeout', message: expect.stringContaining('90000 ms') });
  });

  describe('if another user logs in meanwhile', () => {
    /** A tab of alice whose request gets a 401 while another tab logs in as bob. */
    async function replaced(tab: ReturnType<typeof world.tab>): Promise<unknown> {
      const other = world.tab({ BroadcastChannel: false });
      world.api.handler = (_, response) => {
        // Repetitions are accepted.
        world.api.handler = (_, response) => json(response, 200, 'ordered');
        void other.session.login({ ...ALICE, username: 'bob' }).then(() => response.writeHead(401).end());
      };
      return tab.session.fetch(world.api.origin, { method: 'POST', body: "alice's order" }).catch((error: unknown) => error);
    }

    it.each([
      ['whose session is known', {}],
      ['without messages', { BroadcastChannel: false }],
    ])('a request of a tab %s is not repeated', async (_, support) => {
      const tab = await world.signedIn(support);
      expect(await replaced(tab)).toMatchObject({ code: 'signed-out', reason: 'ended' });
      expect(world.api.requests.length).toBe(1);
      await until('bob is shown', () => tab.session.state.status === 'signed-in');
      expect(tab.session.state).toMatchObject({ user: { name: 'bob' } });
    });

    it('a request of a tab that does not know its session is not repeated', async () => {
      // The login was that of a page of another origin.
      await world.signedIn({ indexedDB: false, BroadcastChannel: false });
      const tab = world.tab();
      await tab.session.restore();
      expect(await replaced(tab)).toMatchObject({ code: 'signed-out' });
      expect(world.api.requests.length).toBe(1);
    });

    it('a request of a worker, which does not load the user, is not repeated', async () => {
      await world.signedIn();
      const worker = world.tab();
      await worker.session.refresh();
      expect(await replaced(worker)).toMatchObject({ code: 'signed-out' });
      expect(world.api.requests.length).toBe(1);
    });

    it('an operation at the issuer is not repeated', async () => {
      const tab = await world.signedIn();
      const other = world.tab();
      world.issuer.faults.set('/v1/auth/sessions', [
        (_, response) =>
          void other.session.login({ ...ALICE, username: 'bob' }).then(() => problem(response, 401, 'session-over')),
      ]);
      await expect(tab.session.sessions()).rejects.toMatchObject({ code: 'signed-out' });
      expect(world.issuer.count('GET /v1/auth/sessions')).toBe(1);
    });

    it('the same user in a new session has the request repeated', async () => {
      const tab = await world.signedIn();
      const other = world.tab();
      world.api.handler = (_, response) => {
        world.api.handler = (_, response) => json(response, 200, 'ordered');
        void other.session.login(ALICE).then(() => response.writeHead(401).end());
      };
      expect((await tab.session.fetch(world.api.origin, { method: 'POST' })).status).toBe(200);
    });
  });

  it.each(['ambiguous-cookie', 'unmatched-cookie'])('%s of the issuer is signed out', async (kind) => {
    const { session } = await world.signedIn();
    const rejected = (_: unknown, response: import('node:http').ServerResponse): void => problem(response, 400, kind);
    world.issuer.faults.set('/v1/auth/totp', [rejected]);
    await expect(session.fetch(`${world.issuer.origin}/v1/auth/totp`)).rejects.toMatchObject({
      code: 'signed-out',
      reason: 'cookies-rejected',
    });
    expect(session.state).toEqual({ status: 'signed-out', reason: 'cookies-rejected' });
  });

  it('other 400 of the issuer, and the same one of an API, are returned with their body', async () => {
    const { session } = await world.signedIn();
    world.issuer.faults.set('/v1/auth/totp', [(_, response) => problem(response, 400, 'wrong-fields')]);
    const refused = await session.fetch(`${world.issuer.origin}/v1/auth/totp`);
    expect(await refused.json()).toMatchObject({ type: 'urn:portcullis:problem:wrong-fields' });
    world.api.handler = (_, response) => problem(response, 400, 'unmatched-cookie');
    expect((await session.fetch(`${world.api.origin}/v1/auth/totp`)).status).toBe(400);
    expect(session.state.status).toBe('signed-in');
  });

  it("the caller's own abort has the caller's reason", async () => {
    const { session } = await world.signedIn();
    world.api.handler = () => {};
    const abort = new AbortController();
    const aborted = session.fetch(world.api.origin, { signal: abort.signal }).catch((error: unknown) => error);
    await until('the request', () => world.api.requests.length === 1);
    abort.abort(new Error('left the page'));
    expect(await aborted).toMatchObject({ message: 'left the page' });
  });

  it('can be called as a function', async () => {
    const { fetch } = (await world.signedIn()).session;
    expect((await fetch(world.api.origin)).status).toBe(200);
  });
});

describe('refresh with a bad network', () => {
  /** Loses the first requests or responses of refreshes. */
  function lose(times: number, what: 'before' | 'after'): void {
    world.network = (when, request) => {
      if (when !== what || !request.url.endsWith('/refresh') || times === 0) return;
      times -= 1;
      throw new TypeError('connection reset');
    };
  }

  it.each(['before', 'after'] as const)('two lost requests (%s the issuer answers) are repeated', async (what) => {
    const { session } = await world.signedIn();
    for (let round = 0; round < 5; round += 1) {
      expire();
      lose(2, what);
      expect((await session.fetch(world.api.origin)).status).toBe(200);
    }
    expect(world.issuer.rotations).toBe(5);
  });

  it('three lost responses are unreachable, and the next request refreshes', async () => {
    const { session } = await world.signedIn();
    expire();
    lose(3, 'after');
    await expect(session.fetch(world.api.origin)).rejects.toMatchObject({ code: 'unreachable' });
    expect(session.state.status).toBe('signed-in');
    expect((await session.fetch(world.api.origin)).status).toBe(200);
    expect(world.issuer.rotations).toBe(1);
  });

  it('offline browser sends no repetitions', async () => {
    const { session } = await world.signedIn();
    expire();
    let requests = 0;
    world.network = (_, request) => {
      if (!request.url.endsWith('/refresh')) return;
      requests += 1;
      world.isOffline = true;
    };
    await expect(session.fetch(world.api.origin)).rejects.toMatchObject({ code: 'unreachable', offline: true });
    expect(requests).toBe(1);
  });

  it('a proxy that lost the response is asked again', async () => {
    const { session } = await world.signedIn();
    expire();
    world.issuer.faults.set('/v1/auth/refresh', [502, 504].map((status) => (_, response) => response.writeHead(status).end()));
    expect((await session.fetch(world.api.origin)).status).toBe(200);
    expect(world.issuer.count(REFRESH)).toBe(3);
  });

  it('slow response is repeated within 2 s, and the first response counts', async () => {
    const { session } = await world.signedIn();
    expire();
    let answer = (): void => {};
    world.issuer.faults.set('/v1/auth/refresh', [
      (request, response, body) => void (answer = () => world.issuer.answer(request, response, body)),
      () => {},
    ]);
    const response = session.fetch(world.api.origin);
    await until('the first request', () => world.issuer.count(REFRESH) === 1);
    world.pass(1_499);
    expect(world.issuer.count(REFRESH)).toBe(1);
    world.pass(1);
    await until('the second request', () => world.issuer.count(REFRESH) === 2);
    answer();
    expect((await response).status).toBe(200);
    world.pass(60_000);
    expect(world.issuer.count(REFRESH)).toBe(2);
  });

  it('silent issuer is a time-out', async () => {
    const { session } = await world.signedIn();
    expire();
    world.issuer.faults.set('/v1/auth/refresh', [() => {}, () => {}, () => {}]);
    const response = session.fetch(world.api.origin).catch((error: unknown) => error);
    for (let sent = 1; sent <= 3; sent += 1) {
      await until('a request', () => world.issuer.count(REFRESH) === sent);
      world.pass(1_500);
    }
    world.pass(10_000);
    expect(await response).toMatchObject({ code: 'timeout' });
    expect(session.state.status).toBe('signed-in');
    expect((await session.fetch(world.api.origin)).status).toBe(200);
  });
});

describe('restore', () => {
  it('visitor without a session is signed out', async () => {
    const { session } = world.tab();
    expect(await session.restore()).toEqual({ status: 'signed-out', reason: 'no-session' });
  });

  it('session of an earlier visit is found, with one request for concurrent calls', async () => {
    await world.signedIn();
    expire();
    world.issuer.requests.length = 0;
    const { session } = world.tab();
    const states = await Promise.all([session.restore(), session.restore(), session.restore()]);
    expect(states.map(({ status }) => status)).toEqual(Array(3).fill('signed-in'));
    expect(world.issuer.requests.map(({ line }) => line)).toEqual(['GET /v1/users/me', REFRESH, 'GET /v1/users/me']);
  });

  it('unreachable issuer leaves the session unknown, and it is found when the browser is online again', async () => {
    await world.signedIn();
    const { session, window } = world.tab();
    world.isOffline = true;
    await expect(session.restore()).rejects.toMatchObject({ code: 'unreachable' });
    expect(session.state).toMatchObject({ status: 'unknown', error: { code: 'unreachable', offline: true } });
    world.isOffline = false;
    window.dispatchEvent(new Event('online'));
    await until('the session', () => session.state.status === 'signed-in');
  });

  it('logout in another tab meanwhile is not overwritten', async () => {
    const other = await world.signedIn();
    const { session } = world.tab();
    let answer = (): void => {};
    world.issuer.faults.set('/v1/users/me', [
      (_, response) => (answer = () => json(response, 200, { id: '1', name: 'alice', roles: [], scopes: [] })),
    ]);
    const restored = session.restore();
    await until('the request', () => world.issuer.requests.at(-1)?.line === 'GET /v1/users/me');
    const seen = vi.fn();
    const channel = new BroadcastChannel(`portcullis:${world.issuer.origin}`);
    channel.onmessage = seen;
    await other.session.logout();
    await until('the message', () => seen.mock.calls.length > 0);
    channel.close();
    answer();
    expect(await restored).toEqual({ status: 'signed-out', reason: 'logged-out' });
  });

  it('login as another user in another tab meanwhile is noticed', async () => {
    const other = await world.signedIn();
    const { session } = world.tab();
    let answer = (): void => {};
    world.issuer.faults.set('/v1/users/me', [
      (_, response) => (answer = () => json(response, 200, { id: '1', name: 'alice', roles: [], scopes: [] })),
    ]);
    const restored = session.restore();
    await until('the request', () => world.issuer.requests.at(-1)?.line === 'GET /v1/users/me');
    await other.session.login({ ...ALICE, username: 'bob' });
    const channel = new BroadcastChannel(`portcullis:${world.issuer.origin}`);
    const seen = vi.fn();
    channel.onmessage = seen;
    // This message is later than that of the login.
    await other.session.refresh();
    await until('the message', () => seen.mock.calls.length > 0);
    channel.close();
    answer();
    expect(await restored).toMatchObject({ status: 'signed-in', user: { name: 'bob' } });
  });

  it('a user of another shape is unexpected', async () => {
    await world.signedIn();
    world.issuer.faults.set('/v1/users/me', [(_, response) => json(response, 200, { id: 1, name: 'alice' })]);
    const { session } = world.tab();
    await expect(session.restore()).rejects.toMatchObject({ code: 'unexpected' });
  });
});

describe('logout', () => {
  it('ended session is reported', async () => {
    const { session } = await world.signedIn();
    expect(await session.logout()).toEqual({ ended: true, hadSession: true });
    expect(session.state).toEqual({ status: 'signed-out', reason: 'logged-out' });
    expect(world.cookies).toBe('');
    expect(await session.logout()).toEqual({ ended: true, hadSession: false });
  });

  it.each(['logout', 'logoutEverywhere'] as const)('failed %s is reported, and can be repeated', async (which) => {
    const { session } = await world.signedIn();
    world.isOffline = true;
    let result: LogoutResult = await session[which]();
    expect(result).toMatchObject({ ended: false, error: { code: 'unreachable' } });
    expect(session.state.status).toBe('signed-in');
    world.isOffline = false;
    const path = which === 'logout' ? '/v1/auth/logout' : '/v1/auth/logout-everywhere';
    world.issuer.faults.set(path, [(_, response) => problem(response, 503, 'unavailable', { 'Retry-After': '1' })]);
    if (!result.ended) result = await result.retry();
    expect(result).toMatchObject({ ended: false, error: { code: 'later', retryAfterMs: 1_000 } });
    expect(session.state.status).toBe('signed-in');
    if (!result.ended) result = await result.retry();
    expect(result).toEqual({ ended: true, hadSession: true });
    expect(session.state.status).toBe('signed-out');
  });

  it('logout waits for a refresh, whose response would set cookies again', async () => {
    const { session } = await world.signedIn();
    let answer = (): void => {};
    const slow = (...[request, response, body]: Parameters<typeof world.issuer.answer>): void =>
      void (answer = () => world.issuer.answer(request, response, body));
    world.issuer.faults.set('/v1/auth/refresh', [slow]);
    const refreshed = world.tab().session.refresh();
    await until('the refresh', () => world.issuer.count(REFRESH) === 1);
    const result = session.logout();
    answer();
    await refreshed;
    expect(await result).toEqual({ ended: true, hadSession: true });
    expect(world.issuer.requests.slice(-2).map(({ line }) => line)).toEqual([REFRESH, 'POST /v1/auth/logout']);
    expect(world.cookies).toBe('');
  });
});

describe('sessions', () => {
  it('are listed, and another one can be ended', async () => {
    const { session } = await world.signedIn();
    const sessions = await session.sessions();
    expect(sessions.map(({ id, current, userAgent }) => [id, current, userAgent])).toEqual([
      ['alice-1', true, 'Firefox'],
      ['other', false, null],
    ]);
    expect(sessions[0]?.createdAt).toEqual(new Date(1_700_000_000_000));
    await session.endSession('other');
    expect(session.state.status).toBe('signed-in');
    const missing = session.endSession('a/../b');
    await expect(missing).rejects.toMatchObject({ code: 'refused', problem: 'no-such-session' });
    expect(world.issuer.requests.at(-1)?.line).toBe('DELETE /v1/auth/sessions/a%2F..%2Fb');
  });

  it('ending the current one signs out', async () => {
    const { session } = await world.signedIn();
    await session.endSession('alice-1');
    expect(session.state).toEqual({ status: 'signed-out', reason: 'logged-out' });
  });
});

describe('step-up', () => {
  const CHALLENGE = 'Bearer error="insufficient_user_authentication", acr_values="aal2 aal3", max_age=300';

  /** The API requires a step-up. */
  function protect(header = CHALLENGE): void {
    world.api.handler = (request, response) => {
      if (!world.issuer.accepts(request.headers.cookie ?? '')) response.writeHead(401).end();
      else if (world.issuer.isSteppedUp) json(response, 200, 'paid');
      else response.writeHead(401, { 'WWW-Authenticate': header }).end();
    };
  }

  it('challenge is answered once for all requests, and they are repeated', async () => {
    const { session } = await world.signedIn();
    protect();
    const asked: StepUpChallenge[] = [];
    session.onStepUp(async (challenge) => {
      asked.push(challenge);
      await expect(session.stepUp('000000')).rejects.toMatchObject({ problem: 'wrong-code' });
      await session.stepUp('123456');
      return true;
    });
    const paid = await Promise.all([1, 2, 3].map(() => session.fetch(`${world.api.origin}/pay`, { method: 'POST', body: 'x' })));
    expect(paid.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(asked).toEqual([{ acrValues: ['aal2', 'aal3'], maxAge: 300 }]);
    expect(world.issuer.count(REFRESH)).toBe(0);
  });

  it('expired token is refreshed first', async () => {
    const { session } = await world.signedIn();
    protect();
    session.onStepUp(async () => {
      expire();
      await session.stepUp('123456');
      return true;
    });
    expire();
    expect((await session.fetch(world.api.origin)).status).toBe(200);
    expect(world.issuer.count(REFRESH)).toBe(2);
  });

  it('without a handler, after a refusal, and with an insufficient step-up, the challenge is thrown', async () => {
    const { session } = await world.signedIn();
    protect('Bearer realm="x", error="insufficient_user_authentication", max_age="60"');
    const expected = { code: 'step-up-needed', challenge: { acrValues: [], maxAge: 60 } };
    const rejects = (reason: string): Promise<void> =>
      expect(session.fetch(world.api.origin)).rejects.toMatchObject({ ...expected, reason });
    await rejects('no-handler');
    const remove = session.onStepUp(async () => false);
    await rejects('declined');
    remove();
    session.onStepUp(async () => true);
    world.api.requests.length = 0;
    await rejects('insufficient');
    expect(world.api.requests.length).toBe(2);
    session.onStepUp(async () => Promise.reject(new Error('closed')));
    await expect(session.fetch(world.api.origin)).rejects.toThrow('closed');
  });
});

describe('another user', () => {
  const unavailable = (_: unknown, response: import('node:http').ServerResponse): void => json(response, 503, {});

  it('whose login succeeds and who cannot be loaded leaves the user unknown, not the former one', async () => {
    const { session } = await world.signedIn();
    world.issuer.faults.set('/v1/users/me', [unavailable, unavailable]);
    const login = session.login({ ...ALICE, username: 'bob' });
    await expect(login).rejects.toMatchObject({ code: 'later' });
    expect(session.state).toMatchObject({ status: 'unknown', error: { code: 'later' } });
    expect(await session.restore()).toMatchObject({ status: 'signed-in', user: { name: 'bob' } });
  });

  it.each(['refresh', 'login'] as const)('%s in a tab that does not know its session is noticed', async (which) => {
    // Both logins are those of pages of another origin.
    const elsewhere = await world.signedIn({ indexedDB: false, BroadcastChannel: false });
    const { session } = world.tab();
    await session.restore();
    await elsewhere.session.login({ ...ALICE, username: 'bob' });
    world.issuer.faults.set('/v1/users/me', [unavailable, unavailable]);
    if (which === 'refresh') await session.refresh();
    else await session.login({ ...ALICE, username: 'bob' }).catch(() => {});
    await until('the user is unknown', () => session.state.status === 'unknown');
  });

  it('of a message in a tab that does not know its session is noticed', async () => {
    await world.signedIn({ indexedDB: false, BroadcastChannel: false });
    const [first, second] = [world.tab(), world.tab()];
    await second.session.restore();
    world.issuer.faults.set('/v1/users/me', [unavailable, unavailable]);
    await first.session.login({ ...ALICE, username: 'bob' }).catch(() => {});
    await until('the user is unknown', () => second.session.state.status === 'unknown');
  });

  it('whose session a refresh finds is loaded', async () => {
    const { session } = await world.signedIn();
    await world.tab({ indexedDB: false, BroadcastChannel: false }).session.login({ ...ALICE, username: 'bob' });
    const seen: string[] = [];
    session.subscribe((state) => seen.push(state.status === 'signed-in' ? state.user.name : state.status));
    await session.refresh();
    await until('bob', () => seen.includes('bob'));
    expect(seen).toEqual(['unknown', 'bob']);
  });
});

describe('abort', () => {
  it('ends a login and a step-up with the reason, and changes nothing', async () => {
    const reason = new Error('back');
    const { session } = world.tab();
    const abort = new AbortController();
    world.issuer.faults.set('/v1/auth/login', [() => abort.abort(reason)]);
    await expect(session.login(ALICE, { signal: abort.signal })).rejects.toBe(reason);
    expect(session.state.status).toBe('unknown');
    await session.login(ALICE);
    world.issuer.requests.length = 0;
    await expect(session.stepUp('123456', { signal: abort.signal })).rejects.toBe(reason);
    expect(world.issuer.requests).toEqual([]);
  });
});

describe('refresh ahead of expiry', () => {
  it('visible page refreshes a minute before expiry, and again', async () => {
    await world.signedIn();
    for (let refreshes = 1; refreshes <= 3; refreshes += 1) {
      world.pass(839_000);
      expect(world.issuer.count(REFRESH)).toBe(refreshes - 1);
      world.pass(1_000);
      await until('a refresh', () => world.issuer.rotations === refreshes);
      await until('its response', () => world.cookies.includes(`refresh=alice-1.${refreshes + 1}`));
    }
  });

  it('hidden page refreshes when it becomes visible', async () => {
    const { document } = await world.signedIn();
    document.show('hidden');
    world.pass(880_000);
    document.show('visible');
    await until('a refresh', () => world.issuer.count(REFRESH) === 1);
    document.show('hidden');
    document.show('visible');
    world.pass(60_000);
    expect(world.issuer.count(REFRESH)).toBe(1);
  });

  it('page refreshes within half a minute after the computer wakes up', async () => {
    await world.signedIn();
    world.sleep(3_600_000);
    world.pass(30_000);
    await until('a refresh', () => world.issuer.count(REFRESH) === 1);
  });

  it('two visible windows refresh once', async () => {
    await world.signedIn();
    const other = world.tab();
    await other.session.restore();
    world.pass(840_000);
    await until('a refresh', () => world.issuer.rotations === 1);
    await other.session.fetch(world.api.origin);
    expect(world.issuer.count(REFRESH)).toBe(1);
  });

  it('failed refresh is repeated, and reports nothing', async () => {
    const { session } = await world.signedIn();
    world.isOffline = true;
    world.pass(840_000);
    world.pass(30_000);
    world.isOffline = false;
    expect(session.state.status).toBe('signed-in');
    await until('a refresh', () => {
      world.pass(30_000);
      return world.issuer.rotations === 1;
    });
  });

  it('closed session has no timers', async () => {
    const { session, document } = await world.signedIn();
    session.close();
    world.pass(880_000);
    document.show('visible');
    expect(world.issuer.count(REFRESH)).toBe(0);
    // Requests still work, without messages to other tabs.
    expect(await session.logout()).toEqual({ ended: true, hadSession: true });
  });
});

describe('tabs', () => {
  const states = (tab: { session: { subscribe(listener: (state: SessionState) => void): () => void } }): string[] => {
    const seen: string[] = [];
    tab.session.subscribe((state) => seen.push(state.status === 'signed-in' ? state.user.name : state.status));
    return seen;
  };

  it.each([
    ['with a database and messages', {}],
    ['with a database alone', { BroadcastChannel: false }],
  ])('%s, tabs with five requests each refresh once', async (_, support) => {
    const tabs = [await world.signedIn(support), world.tab(support), world.tab(support)];
    for (const { session } of tabs) await session.restore();
    for (let round = 1; round <= 10; round += 1) {
      expire();
      const all = tabs.flatMap(({ session }) => [1, 2, 3, 4, 5].map(() => session.fetch(world.api.origin)));
      expect((await Promise.all(all)).map(({ status }) => status)).toEqual(Array(15).fill(200));
      expect(world.issuer.count(REFRESH)).toBe(round);
    }
  });

  it('without a database, a tab refreshes once, and all tabs stay signed in', async () => {
    const support = { indexedDB: false, BroadcastChannel: false };
    const tabs = [await world.signedIn(support), world.tab(support)];
    for (const { session } of tabs) await session.restore();
    expire();
    const all = tabs.flatMap(({ session }) => [1, 2, 3, 4, 5].map(() => session.fetch(world.api.origin)));
    expect((await Promise.all(all)).map(({ status }) => status)).toEqual(Array(10).fill(200));
    expect(world.issuer.count(REFRESH)).toBeLessThanOrEqual(2);
  });

  it('context that may use no locks uses leases', async () => {
    const names: string[] = [];
    const request = async (name: string): Promise<never> => {
      names.push(name);
      throw new DOMException('sandboxed', 'SecurityError');
    };
    const support = { locks: { request } as unknown as LockManager };
    const tabs = [await world.signedIn(support), world.tab(support)];
    for (const { session } of tabs) await session.restore();
    expire();
    await Promise.all(tabs.map(({ session }) => session.fetch(world.api.origin)));
    expect(world.issuer.count(REFRESH)).toBe(1);
    expect(new Set(names)).toEqual(new Set([`portcullis:${world.issuer.origin}`]));
  });

  it('lock that another tab never releases is a time-out', async () => {
    const request = (_: string, { signal }: { signal: AbortSignal }): Promise<never> =>
      new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    const { session } = world.tab({ locks: { request } as unknown as LockManager });
    const login = session.login(ALICE).catch((error: unknown) => error);
    await Promise.resolve();
    world.pass(30_000);
    expect(await login).toMatchObject({ code: 'timeout', message: expect.stringContaining('lock portcullis:') });
  });

  it('lease of a crashed tab expires', async () => {
    const crashed = await world.signedIn();
    const { session } = world.tab();
    await session.restore();
    expire();
    world.issuer.faults.set('/v1/auth/refresh', [() => {}, () => {}, () => {}]);
    void crashed.session.fetch(world.api.origin).catch(() => {});
    await until('its refresh', () => world.issuer.count(REFRESH) === 1);
    world.issuer.faults.clear();
    // The clock passes the lease; the crashed tab's timers do not run.
    world.sleep(16_000);
    expect((await session.fetch(world.api.origin)).status).toBe(200);
  });

  it('logout and login of one tab reach the other', async () => {
    const first = await world.signedIn();
    const second = world.tab();
    await second.session.restore();
    const seen = states(second);
    await first.session.logout();
    await until('the logout', () => seen.length === 1);
    await first.session.login({ ...ALICE, username: 'bob' });
    await until('the login', () => seen.length === 2);
    expect(seen).toEqual(['signed-out', 'bob']);
  });

  it('tab that has not asked for the user sends nothing', async () => {
    const { session } = world.tab();
    const other = await world.signedIn();
    await other.session.refresh();
    await other.session.logout();
    await other.session.login(ALICE);
    expect(world.issuer.count('GET /v1/users/me')).toBe(2);
    expect(session.state).toEqual({ status: 'unknown', error: null });
  });

  it('login as another user replaces the user in the other tab', async () => {
    const first = await world.signedIn();
    const second = world.tab();
    await second.session.restore();
    // Now the tab knows the session's id.
    await second.session.refresh();
    const seen = states(second);
    await first.session.login({ ...ALICE, username: 'bob' });
    await until('bob', () => seen.includes('bob'));
    expect(seen).toEqual(['unknown', 'bob']);
  });

  it('tab without messages finds out when it becomes visible', async () => {
    const support = { BroadcastChannel: false };
    const first = await world.signedIn(support);
    const second = world.tab(support);
    await second.session.restore();
    await first.session.logout();
    expect(second.session.state.status).toBe('signed-in');
    second.document.show('visible');
    await until('the logout', () => second.session.state.status === 'signed-out');
  });

  it('messages of an earlier state are ignored', async () => {
    const { session } = await world.signedIn();
    const channel = new BroadcastChannel(`portcullis:${world.issuer.origin}`);
    channel.postMessage({ generation: 0, out: 'ended', sessionId: '', expiresAt: 0, lifetime: 0, notBefore: 0 });
    const seen = vi.fn();
    session.subscribe(seen);
    await session.refresh();
    channel.postMessage({ generation: 100, out: 'logged-out', sessionId: '', expiresAt: 0, lifetime: 0, notBefore: 0 });
    await until('the later message', () => seen.mock.calls.length > 0);
    expect(seen.mock.calls).toEqual([[{ status: 'signed-out', reason: 'logged-out' }]]);
    channel.close();
  });

  it('session from another origin of the site is found in spite of an earlier logout here', async () => {
    const { session } = await world.signedIn();
    await session.logout();
    // The cookies are those of the issuer, so another page can log in.
    await world.tab({ indexedDB: false, BroadcastChannel: false }).session.login(ALICE);
    const { session: later } = world.tab();
    expect(await later.restore()).toMatchObject({ status: 'signed-in' });
    expire();
    expect((await later.fetch(world.api.origin)).status).toBe(200);
  });
});
