// A session with the issuer, as a page has it: the tokens are in cookies that no script can read,
// so there is nothing to keep here but what happened.

/** The session is over: the user has to log in (again). */
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
   * Like `fetch`, with the session's cookies. When the access token has expired it is refreshed,
   * and the request is sent once more: the caller notices nothing.
   */
  async fetch(url, options = {}) {
    let began = Date.now();
    let answer = await this.#send(url, options);
    // The refresh of another tab counts as well; if it failed, this tab's own follows.
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

  /** One refresh, however many requests of this tab wait for it … */
  #refresh(since) {
    this.#refreshing ??= this.#refreshInTurn(since).finally(() => (this.#refreshing = null));
    return this.#refreshing;
  }

  /** … and of all tabs. Returns whether this tab need not try again, whatever comes of it. */
  async #refreshInTurn(since) {
    const own = await navigator.locks.request('refresh', { ifAvailable: true }, async (lock) => {
      if (!lock) return false;
      if (Number(localStorage.getItem('refreshed')) >= since) return true;
      const answer = await this.#send(`${this.#issuer}/v1/auth/refresh`, { method: 'POST' });
      // 400 is no refresh token at all, 401 one whose session is over.
      if (answer.status === 400 || answer.status === 401) throw new SignedOut();
      if (!answer.ok) throw new Error(`the refresh was answered ${answer.status}`);
      localStorage.setItem('refreshed', Date.now());
      return true;
    });
    // Another tab is at it. What it writes into `localStorage` may be seen here a little later than
    // the end of its lock, so that the lock alone tells that it is done.
    if (!own) await navigator.locks.request('refresh', () => {});
    return own;
  }

  async #send(url, options) {
    const answer = await fetch(url, { ...options, credentials: 'include' });
    this.#listener({ method: options.method ?? 'GET', url, status: answer.status });
    return answer;
  }
}
