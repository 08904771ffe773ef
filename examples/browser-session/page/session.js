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
    const began = Date.now();
    const answer = await this.#send(url, options);
    if (answer.status !== 401) return answer;
    await this.#refresh(began);
    const second = await this.#send(url, options);
    if (second.status === 401) throw new SignedOut();
    return second;
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

  /** … and of all tabs: who waited while another one refreshed has what it wanted. */
  #refreshInTurn(since) {
    return navigator.locks.request('refresh', async () => {
      if (Number(localStorage.getItem('refreshed')) >= since) return;
      const answer = await this.#send(`${this.#issuer}/v1/auth/refresh`, { method: 'POST' });
      // 400 is no refresh token at all, 401 one whose session is over.
      if (answer.status === 400 || answer.status === 401) throw new SignedOut();
      if (!answer.ok) throw new Error(`the refresh was answered ${answer.status}`);
      localStorage.setItem('refreshed', Date.now());
    });
  }

  async #send(url, options) {
    const answer = await fetch(url, { ...options, credentials: 'include' });
    this.#listener({ method: options.method ?? 'GET', url, status: answer.status });
    return answer;
  }
}
