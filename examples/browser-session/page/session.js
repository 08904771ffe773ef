// A page's session with the issuer. The tokens are in cookies that scripts cannot read, so the session has no
// secrets here.

/** Thrown if there is no session: the user must log in. */
export class SignedOut extends Error {}

export class Session {
  #issuer;
  #refreshing = null;
  #listener = () => {};

  constructor(issuer) {
    this.#issuer = issuer;
  }

  /** Calls `listener({ method, url, status })` for every request. */
  onRequest(listener) {
    this.#listener = listener;
  }

  async login(username, password) {
    const answer = await this.#send(`${this.#issuer}/v1/auth/login`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ username, password }),
    });
    if (!answer.ok) throw new Error((await answer.json()).detail);
  }

  /**
   * Like `fetch`, with the session's cookies. If the access token has expired, refreshes it and repeats the
   * request.
   */
  async fetch(url, options = {}) {
    let began = Date.now();
    let answer = await this.#send(url, options);
    // A refresh by another tab is sufficient. If that refresh failed, this tab refreshes.
    for (let own = false; answer.status === 401 && !own; ) {
      own = await this.#refresh(began);
      began = Date.now();
      answer = await this.#send(url, options);
    }
    if (answer.status === 401) throw new SignedOut();
    return answer;
  }

  async me() {
    return (await this.fetch(`${this.#issuer}/v1/users/me`)).json();
  }

  async sessions() {
    return (await (await this.fetch(`${this.#issuer}/v1/auth/sessions`)).json()).sessions;
  }

  async endSession(id) {
    await this.fetch(`${this.#issuer}/v1/auth/sessions/${encodeURIComponent(id)}`, {
      method: 'DELETE',
    });
  }

  async logout() {
    await this.#send(`${this.#issuer}/v1/auth/logout`, { method: 'POST' });
  }

  /** Refreshes once for all waiting requests of this tab. */
  #refresh(since) {
    this.#refreshing ??= this.#refreshInTurn(since).finally(() => (this.#refreshing = null));
    return this.#refreshing;
  }

  /** Refreshes once for all tabs. Returns `false` if another tab was refreshing, or else `true`. */
  async #refreshInTurn(since) {
    const own = await navigator.locks.request('refresh', { ifAvailable: true }, async (lock) => {
      if (!lock) return false;
      if (Number(localStorage.getItem('refreshed')) >= since) return true;
      const answer = await this.#send(`${this.#issuer}/v1/auth/refresh`, { method: 'POST' });
      // 400: no refresh token; 401: its session has ended.
      if (answer.status === 400 || answer.status === 401) throw new SignedOut();
      if (!answer.ok) throw new Error(`refresh failed: status ${answer.status}`);
      localStorage.setItem('refreshed', Date.now());
      return true;
    });
    // Another tab is refreshing. Its write to `localStorage` may become visible after it releases the lock, so
    // wait for the lock only.
    if (!own) await navigator.locks.request('refresh', () => {});
    return own;
  }

  async #send(url, options) {
    const answer = await fetch(url, { ...options, credentials: 'include' });
    this.#listener({ method: options.method ?? 'GET', url, status: answer.status });
    return answer;
  }
}
