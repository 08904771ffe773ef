// Servers, and browser contexts that share cookies. Requests go over real sockets. The clock, and faults of the
// network, are the test's.

import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { IDBFactory } from 'fake-indexeddb';

import type { Environment } from '../src/environment.js';
import { createSessionIn } from '../src/session.js';
import type { Session, SessionOptions } from '../src/types.js';

export type Handler = (request: IncomingMessage, response: ServerResponse, body: string) => unknown;

/** A server, and a log of its requests. */
export class Site {
  readonly requests: { line: string; cookie: string; body: string; origin: string }[] = [];
  handler: Handler;
  #server: Server;

  constructor(handler: Handler) {
    this.handler = handler;
    this.#server = createServer((request, response) => {
      let body = '';
      request.setEncoding('utf8');
      request.on('data', (part: string) => (body += part));
      request.on('end', () => {
        const { cookie = '', origin = '' } = request.headers;
        this.requests.push({ line: `${request.method} ${request.url}`, cookie, body, origin });
        this.handler(request, response, body);
      });
    });
  }

  async start(): Promise<this> {
    await new Promise<void>((done) => this.#server.listen(0, '127.0.0.1', done));
    return this;
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  count(line: string): number {
    return this.requests.filter((request) => request.line === line).length;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((done) => this.#server.close(done));
  }
}

export function json(response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'Content-Type': 'application/json', ...headers }).end(JSON.stringify(body));
}

export function problem(response: ServerResponse, status: number, kind: string, headers?: Record<string, string>): void {
  json(response, status, { type: `urn:portcullis:problem:${kind}`, title: kind, status, detail: `the detail of ${kind}` }, headers);
}

/** The lifetime of access tokens, in seconds. */
export const LIFETIME = 900;

const CODE = '123456';

/** What the issuer reads of a credential's JSON. */
interface Shown {
  readonly id: string;
  readonly response: { readonly clientDataJSON: string; readonly signature?: string };
}

const shownPasskey = (id: string, name: string): object => ({
  id,
  name,
  created_at: 1_700_000_000,
  last_used_at: null,
  synced: true,
  backed_up: false,
});

/** An issuer with the rules of the real one: one session, whose refresh token rotates, with repeats accepted. */
export class Issuer extends Site {
  /** The next responses to these paths, instead of the issuer's. */
  readonly faults = new Map<string, Handler[]>();
  /** Whether the user has a second factor. */
  hasSecondFactor = false;
  rotations = 0;
  /** The passkeys by their credential's id. */
  readonly passkeys = new Map<string, { name: string; user: string }>();
  /** The lifetime of a passkey's challenge, in seconds. */
  passkeySeconds = 300;
  /** Whether the last login is more than 5 minutes ago. */
  isLoginOld = false;
  /** The challenges that were not answered yet, by ceremony. */
  readonly #ceremonies = new Map<string, string>();
  #generation = 0;
  #session = '';
  #sessions = 0;
  #isSteppedUp = false;
  #now: () => number;

  constructor(now: () => number) {
    super(() => {});
    this.#now = now;
    this.handler = (request, response, body) => {
      const fault = this.faults.get(request.url ?? '')?.shift();
      if (fault) fault(request, response, body);
      else this.answer(request, response, body);
    };
  }

  get session(): string {
    return this.#session;
  }

  /** Ends the session, as another device does. */
  end(): void {
    this.#session = '';
  }

  accepts(cookie: string): boolean {
    const [, session, expiry] = /access=([^;.]+)\.(\d+)/.exec(cookie) ?? [];
    return session !== undefined && session === this.#session && Number(expiry) > this.#now();
  }

  get isSteppedUp(): boolean {
    return this.#isSteppedUp;
  }

  answer(request: IncomingMessage, response: ServerResponse, body: string): void {
    const cookie = request.headers.cookie ?? '';
    const [, session, generation] = /refresh=([^;.]+)\.(\d+)/.exec(cookie) ?? [];
    switch (`${request.method} ${request.url?.replace(/sessions\/.*/, 'sessions/ID')}`) {
      case 'POST /v1/auth/login': {
        const { username, password, code, passkey } = JSON.parse(body) as Record<string, string>;
        if (password !== 'right') return problem(response, 401, 'wrong-credentials');
        if (this.hasSecondFactor && passkey) {
          if (this.#asserted(passkey) !== username) return problem(response, 403, 'wrong-passkey');
        } else if (this.hasSecondFactor) {
          if (code === undefined) return problem(response, 401, 'second-factor-needed');
          if (code !== CODE) return problem(response, 403, 'wrong-code');
        }
        return this.#begin(response, username ?? '', passkey !== undefined);
      }
      case 'POST /v1/auth/passkeys/challenge':
        return this.#challenge(response, { challenge: '', rpId: 'example.com', userVerification: 'required' });
      case 'POST /v1/auth/passkeys/login': {
        const user = this.#asserted(JSON.parse(body));
        if (user === null) return problem(response, 403, 'wrong-passkey');
        return this.#begin(response, user, true);
      }
      case 'POST /v1/auth/refresh': {
        if (session === undefined) return problem(response, 400, 'no-refresh-token');
        const age = this.#generation - Number(generation);
        if (session !== this.#session || age > 1) {
          this.#session = '';
          return problem(response, 401, 'wrong-refresh-token', { 'Set-Cookie': 'refresh=; Max-Age=0' });
        }
        if (age === 0) {
          this.#generation += 1;
          this.rotations += 1;
        }
        return this.#handOut(response);
      }
      case 'POST /v1/auth/logout':
        if (session === undefined) return problem(response, 400, 'no-session');
        this.#session = '';
        return this.#clear(response);
    }
    if (!this.accepts(cookie)) return problem(response, 401, 'session-over');
    switch (`${request.method} ${request.url?.replace(/sessions\/.*/, 'sessions/ID')}`) {
      case 'GET /v1/users/me':
        return json(response, 200, { id: this.#user === 'bob' ? '2' : '1', name: this.#user, roles: ['admin'], scopes: ['a', 'b'] });
      case 'GET /v1/auth/sessions': {
        const times = { created_at: 1_700_000_000, last_used_at: 1_700_000_100, expires_at: 1_702_000_000 };
        return json(response, 200, {
          sessions: [
            { id: this.#session, ...times, user_agent: 'Firefox', current: true },
            { id: 'other', ...times, user_agent: null, current: false },
          ],
        });
      }
      case 'DELETE /v1/auth/sessions/ID': {
        const id = request.url?.split('/').at(-1);
        if (id === this.#session) {
          this.#session = '';
          return this.#clear(response);
        }
        if (id !== 'other') return problem(response, 404, 'no-such-session');
        response.writeHead(204).end();
        return;
      }
      case 'POST /v1/auth/logout-everywhere':
        this.#session = '';
        return this.#clear(response);
      case 'POST /v1/auth/step-up': {
        const { code, passkey } = JSON.parse(body) as { code?: string; passkey?: unknown };
        if (passkey) {
          if (this.#asserted(passkey) !== this.#user) return problem(response, 403, 'wrong-passkey');
        } else if (code !== CODE) return problem(response, 403, 'wrong-code');
        this.#isSteppedUp = true;
        return this.#handOut(response);
      }
      case 'POST /v1/auth/passkeys/registration': {
        const { password } = JSON.parse(body) as { password?: string };
        if (this.hasSecondFactor && !this.#isSteppedUp) return this.#tooOld(response, 'step-up-too-old');
        if (!this.hasSecondFactor && password !== undefined && password !== 'right') {
          return problem(response, 403, 'wrong-password');
        }
        if (!this.hasSecondFactor && password === undefined && this.isLoginOld) {
          return this.#tooOld(response, 'login-too-old');
        }
        const user = { id: '-_8', name: this.#user, displayName: this.#user };
        return this.#challenge(response, { challenge: '', rp: { name: 'Example' }, user, pubKeyCredParams: [] });
      }
      case 'POST /v1/auth/passkeys': {
        const { ceremony, credential, name } = JSON.parse(body) as { ceremony: string; credential: Shown; name: string };
        if (!name.trim()) return problem(response, 422, 'wrong-fields');
        if (!this.#answers(ceremony, credential, 'webauthn.create')) return problem(response, 403, 'wrong-passkey');
        this.passkeys.set(credential.id, { name, user: this.#user });
        const first = this.hasSecondFactor ? {} : { recovery_codes: ['a', 'b'] };
        this.hasSecondFactor = true;
        return json(response, 201, { ...shownPasskey(credential.id, name), ...first });
      }
      case 'GET /v1/auth/passkeys': {
        const passkeys = [...this.passkeys].map(([id, { name }]) => shownPasskey(id, name));
        return json(response, 200, { passkeys });
      }
    }
    const [, id = '', isName] = /^\/v1\/auth\/passkeys\/([^/]+)(\/name)?$/.exec(request.url ?? '') ?? [];
    const passkey = this.passkeys.get(decodeURIComponent(id));
    if (id && !passkey) return problem(response, 404, 'no-such-passkey');
    if (passkey && isName && request.method === 'POST') {
      passkey.name = (JSON.parse(body) as { name: string }).name;
      response.writeHead(204).end();
      return;
    }
    if (passkey && request.method === 'DELETE') {
      if (!this.#isSteppedUp) return this.#tooOld(response, 'step-up-too-old');
      this.passkeys.delete(decodeURIComponent(id));
      response.writeHead(204).end();
      return;
    }
    problem(response, 404, 'not-found');
  }

  get #user(): string {
    return this.#session.split('-')[0] ?? '';
  }

  #begin(response: ServerResponse, user: string, isSteppedUp: boolean): void {
    this.#sessions += 1;
    this.#session = `${user}-${this.#sessions}`;
    this.#generation = 1;
    this.#isSteppedUp = isSteppedUp;
    this.#handOut(response);
  }

  #tooOld(response: ServerResponse, kind: string): void {
    const acr = kind === 'step-up-too-old' ? ', acr_values="aal2"' : '';
    problem(response, 401, kind, {
      'WWW-Authenticate': `Bearer error="insufficient_user_authentication"${acr}, max_age="300"`,
    });
  }

  #challenge(response: ServerResponse, options: object): void {
    const [ceremony, challenge] = [randomBytes(16).toString('hex'), randomBytes(32).toString('base64url')];
    this.#ceremonies.set(ceremony, challenge);
    json(response, 201, { ceremony, expires_in: this.passkeySeconds, options: { ...options, challenge } });
  }

  /** A ceremony is valid for one attempt. */
  #answers(ceremony: string, credential: Shown, type: string): boolean {
    const challenge = this.#ceremonies.get(ceremony);
    this.#ceremonies.delete(ceremony);
    const data = Buffer.from(credential.response.clientDataJSON, 'base64url').toString();
    const client = JSON.parse(data) as { type: string; challenge: string };
    return challenge !== undefined && client.challenge === challenge && client.type === type;
  }

  /** Returns the user of a passkey's right answer. */
  #asserted(answer: unknown): string | null {
    const { ceremony, credential } = answer as { ceremony: string; credential: Shown };
    const isRight = this.#answers(ceremony, credential, 'webauthn.get') && credential.response.signature === 'c2lnbmVk';
    return isRight ? (this.passkeys.get(credential.id)?.user ?? null) : null;
  }

  #clear(response: ServerResponse): void {
    response.writeHead(204, { 'Set-Cookie': ['access=; Max-Age=0', 'refresh=; Max-Age=0'] }).end();
  }

  #handOut(response: ServerResponse): void {
    const access = `access=${this.#session}.${this.#now() + LIFETIME * 1000}`;
    const refresh = `refresh=${this.#session}.${this.#generation}`;
    response.setHeader('Set-Cookie', [access, refresh]);
    json(response, 200, { access_token: 'hidden', expires_in: LIFETIME, session_id: this.#session, scope: '' });
  }
}

/** A page that is visible or not. */
export class Page extends EventTarget {
  visibilityState: DocumentVisibilityState = 'visible';

  show(state: DocumentVisibilityState): void {
    this.visibilityState = state;
    this.dispatchEvent(new Event('visibilitychange'));
  }
}

export interface Tab {
  readonly session: Session;
  readonly document: Page;
  readonly window: EventTarget;
}

/** How the tabs of a browser find each other. */
export interface Support {
  /** By default, there are none: Node has no Web Locks. */
  readonly locks?: LockManager;
  readonly indexedDB?: boolean;
  readonly BroadcastChannel?: boolean;
}

/** A browser, an issuer, an API and a foreign site. */
export class World {
  readonly issuer: Issuer;
  readonly api: Site;
  readonly stranger: Site;
  isOffline = false;
  /** Called before each request of the browser, and after its response. An error is one of the network. */
  network: (when: 'before' | 'after', request: Request) => void = () => {};
  readonly #jar = new Map<string, string>();
  readonly #database = new IDBFactory();
  readonly #tabs: Session[] = [];
  #now = Date.parse('2026-01-01T00:00:00Z');
  #timers: { at: number; action: () => void }[] = [];

  private constructor() {
    this.issuer = new Issuer(() => this.#now);
    this.api = new Site((request, response) => {
      if (this.issuer.accepts(request.headers.cookie ?? '')) json(response, 200, { orders: [17] });
      else response.writeHead(401, { 'WWW-Authenticate': 'Bearer error="invalid_token"' }).end();
    });
    this.stranger = new Site((_, response) => json(response, 200, 'stranger'));
  }

  static async begin(): Promise<World> {
    const world = new World();
    await Promise.all([world.issuer.start(), world.api.start(), world.stranger.start()]);
    return world;
  }

  async end(): Promise<void> {
    for (const session of this.#tabs) session.close();
    await Promise.all([this.issuer.stop(), this.api.stop(), this.stranger.stop()]);
  }

  get cookies(): string {
    return [...this.#jar].map(([name, value]) => `${name}=${value}`).join('; ');
  }

  deleteCookie(name: string): void {
    this.#jar.delete(name);
  }

  tab(support: Support = {}, options: Partial<SessionOptions> = {}): Tab {
    const { locks, indexedDB = true, BroadcastChannel: hasChannel = true } = support;
    const document = new Page();
    const window = new EventTarget();
    const env: Environment = {
      fetch: (request) => this.#fetch(request),
      locks,
      indexedDB: indexedDB ? (this.#database as unknown as IDBFactory) : undefined,
      BroadcastChannel: hasChannel ? (BroadcastChannel as unknown as Environment['BroadcastChannel']) : undefined,
      document,
      window: window as Environment['window'],
      isOffline: () => this.isOffline,
      now: () => this.#now,
      after: (ms, action) => this.#after(ms, action),
    };
    const session = createSessionIn(env, { issuer: this.issuer.origin, apis: [this.api.origin], ...options });
    this.#tabs.push(session);
    return { session, document, window };
  }

  /** A tab with a session of alice. */
  async signedIn(support: Support = {}, options: Partial<SessionOptions> = {}): Promise<Tab> {
    const tab = this.tab(support, options);
    await tab.session.login({ username: 'alice', password: 'right' });
    return tab;
  }

  /** Lets time pass, and runs the timers that are due. */
  pass(ms: number): void {
    const until = this.#now + ms;
    for (;;) {
      const due = this.#timers.filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)[0];
      if (!due) break;
      this.#timers = this.#timers.filter((timer) => timer !== due);
      this.#now = Math.max(this.#now, due.at);
      due.action();
    }
    this.#now = until;
  }

  /** Lets time pass while the computer sleeps: timers run late. */
  sleep(ms: number): void {
    this.#now += ms;
    for (const timer of this.#timers) timer.at += ms;
  }

  /** Short times, such as between two polls of a lease, are not of interest: they pass at once. */
  #after(ms: number, action: () => void): () => void {
    if (ms <= 150) {
      const timer = setTimeout(action, 1);
      return () => clearTimeout(timer);
    }
    const timer = { at: this.#now + ms, action };
    this.#timers.push(timer);
    return () => (this.#timers = this.#timers.filter((other) => other !== timer));
  }

  async #fetch(request: Request): Promise<Response> {
    this.network('before', request);
    if (this.isOffline) throw new TypeError('offline');
    // Browsers add `Cookie`; scripts may not.
    const headers = new Headers(request.headers);
    if (request.credentials === 'include' && this.#jar.size > 0) headers.set('Cookie', this.cookies);
    const body = request.body ? await request.text() : undefined;
    const { method, redirect, signal } = request;
    const response = await fetch(request.url, { method, redirect, signal, headers, ...(body !== undefined && { body }) });
    try {
      this.network('after', request);
    } catch (error) {
      await response.body?.cancel();
      throw error;
    }
    if (request.credentials === 'include') {
      for (const cookie of response.headers.getSetCookie()) {
        const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(cookie) ?? [];
        if (cookie.includes('Max-Age=0')) this.#jar.delete(name);
        else this.#jar.set(name, value);
      }
    }
    return response;
  }
}

/** Waits until a condition holds, for at most 5 s. */
export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const end = Date.now() + 5_000;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`timed out: ${what}`);
    await new Promise((done) => setTimeout(done, 2));
  }
}
