// A fake authenticator: `navigator.credentials` answers the challenge that it gets.

import { vi } from 'vitest';

const bytes = (text: string): ArrayBuffer => new Uint8Array(Buffer.from(text)).buffer;
const base64url = (buffer: BufferSource): string =>
  Buffer.from(buffer instanceof ArrayBuffer ? new Uint8Array(buffer) : new Uint8Array(buffer.buffer)).toString('base64url');

export interface Asked {
  readonly kind: 'get' | 'create';
  readonly conditional: boolean;
  readonly publicKey: PublicKeyCredentialRequestOptions & Partial<PublicKeyCredentialCreationOptions>;
  readonly signal: AbortSignal | undefined;
}

export class Authenticator {
  readonly asked: Asked[] = [];
  /** The name of the browser's next error, instead of an answer. */
  error: string | null = null;
  /** The id of the passkey that is used or created. */
  id = 'cGFzc2tleQ';
  /** Whether requests that are not conditional wait for the user as well. */
  holds = false;
  /** The user chooses the passkey that a waiting request offers. */
  choose = (): void => {};
  /** The number of requests that wait for the user. */
  pending = 0;

  /** `hasJson`: whether the browser has the JSON functions of level 3. */
  constructor(hasJson: boolean) {
    const parse = (json: { challenge: string; user?: { id: string } }): object => ({
      ...json,
      challenge: bytes(''),
      ...(json.user && { user: { ...json.user, id: bytes('') } }),
      parsed: json.challenge,
    });
    const statics = { isConditionalMediationAvailable: async () => true };
    const functions = hasJson ? { parseRequestOptionsFromJSON: parse, parseCreationOptionsFromJSON: parse } : {};
    vi.stubGlobal('PublicKeyCredential', Object.assign(class {}, statics, functions));
    const ask =
      (kind: Asked['kind']) =>
      async (options: CredentialRequestOptions & CredentialCreationOptions): Promise<unknown> => {
        const publicKey = options.publicKey as Asked['publicKey'] & { parsed?: string };
        const conditional = options.mediation === 'conditional';
        this.asked.push({ kind, conditional, publicKey, signal: options.signal ?? undefined });
        options.signal?.throwIfAborted();
        if (this.pending > 0) throw new DOMException('A request is already pending.', 'OperationError');
        if (this.error !== null) {
          const name = this.error;
          this.error = null;
          throw new DOMException('the browser says so', name);
        }
        if (conditional || this.holds) await this.#chosen(options.signal ?? undefined);
        const challenge = publicKey.parsed ?? base64url(publicKey.challenge);
        const clientDataJSON = bytes(JSON.stringify({ type: `webauthn.${kind}`, challenge }));
        return this.#credential(kind, clientDataJSON, hasJson);
      };
    // Node 20 has no navigator.
    if (!('navigator' in globalThis)) vi.stubGlobal('navigator', {});
    Object.defineProperty(globalThis.navigator, 'credentials', {
      configurable: true,
      value: { get: ask('get'), create: ask('create') },
    });
  }

  #chosen(signal: AbortSignal | undefined): Promise<void> {
    this.pending += 1;
    return new Promise<void>((resolve, reject) => {
      this.choose = resolve;
      signal?.addEventListener('abort', () => reject(new DOMException('aborted', 'AbortError')));
    }).finally(() => (this.pending -= 1));
  }

  #credential(kind: Asked['kind'], clientDataJSON: ArrayBuffer, hasJson: boolean): object {
    const { id } = this;
    if (hasJson) {
      const signature = kind === 'get' ? { signature: 'c2lnbmVk' } : {};
      return { toJSON: () => ({ id, response: { clientDataJSON: base64url(clientDataJSON), ...signature } }) };
    }
    const signed = { authenticatorData: bytes('data'), signature: bytes('signed'), userHandle: new Uint8Array([0xfb, 0xff]).buffer };
    const attested = { attestationObject: bytes('object'), getTransports: () => ['internal'] };
    return {
      id,
      rawId: new Uint8Array(Buffer.from(id, 'base64url')).buffer,
      type: 'public-key',
      authenticatorAttachment: 'platform',
      getClientExtensionResults: () => ({}),
      response: { clientDataJSON, ...(kind === 'get' ? signed : attested) },
    };
  }

  remove(): void {
    if (!('navigator' in globalThis)) return;
    Reflect.deleteProperty(globalThis.navigator, 'credentials');
    vi.unstubAllGlobals();
  }
}
