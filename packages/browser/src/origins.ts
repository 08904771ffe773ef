// The URLs that may get credentials.

const page = (): string | undefined => globalThis.location?.href;

const isLoopback = (host: string): boolean =>
  /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(host) || host.endsWith('.localhost');

function read(what: string, value: string | URL): URL {
  let url: URL;
  try {
    url = new URL(value, page());
  } catch {
    throw new TypeError(`${what} "${value}" is not a URL`);
  }
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLoopback(url.hostname))) {
    throw new TypeError(`${what} "${value}" must begin with https:// (http:// only for loopback hosts)`);
  }
  if (url.username || url.password || url.search || url.hash) {
    throw new TypeError(`${what} "${value}" must have no user name, query or fragment`);
  }
  return url;
}

/** Returns the issuer's URL without a slash at the end. */
export function readIssuer(issuer: string | URL): string {
  return read('issuer', issuer).href.replace(/\/+$/, '');
}

/** Returns the origins that get credentials: the issuer's and the APIs'. */
export function readOrigins(issuer: string, apis: readonly (string | URL)[]): ReadonlySet<string> {
  const origins = apis.map((api) => {
    const { origin, pathname } = read('api', api);
    if (pathname !== '/') throw new TypeError(`api "${api}" must be an origin; did you mean "${origin}"?`);
    return origin;
  });
  return new Set([new URL(issuer).origin, ...origins]);
}
