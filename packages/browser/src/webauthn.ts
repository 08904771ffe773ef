// The JSON of WebAuthn level 3 (section 5.1), also for browsers without it.

/** What the browser may lack. */
const api = (): Partial<typeof PublicKeyCredential> => globalThis.PublicKeyCredential ?? {};

function decode(text: string): ArrayBuffer {
  const binary = atob(text.replace(/-/g, '+').replace(/_/g, '/'));
  return Uint8Array.from(binary, (character) => character.charCodeAt(0)).buffer;
}

function encode(buffer: ArrayBuffer): string {
  const binary = Array.from(new Uint8Array(buffer), (byte) => String.fromCharCode(byte)).join('');
  return btoa(binary).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
}

const descriptors = (list: PublicKeyCredentialDescriptorJSON[] = []): PublicKeyCredentialDescriptor[] =>
  list.map((one) => ({ ...one, id: decode(one.id) }) as PublicKeyCredentialDescriptor);

export function requestOptions(json: PublicKeyCredentialRequestOptionsJSON): PublicKeyCredentialRequestOptions {
  const parse = api().parseRequestOptionsFromJSON;
  if (parse) return parse.call(PublicKeyCredential, json);
  const { challenge, allowCredentials } = json;
  return {
    ...(json as object),
    challenge: decode(challenge),
    allowCredentials: descriptors(allowCredentials),
  };
}

export function creationOptions(json: PublicKeyCredentialCreationOptionsJSON): PublicKeyCredentialCreationOptions {
  const parse = api().parseCreationOptionsFromJSON;
  if (parse) return parse.call(PublicKeyCredential, json);
  const { challenge, user, excludeCredentials } = json;
  return {
    ...(json as object as PublicKeyCredentialCreationOptions),
    challenge: decode(challenge),
    user: { ...user, id: decode(user.id) },
    excludeCredentials: descriptors(excludeCredentials),
  };
}

/** Returns the `AuthenticationResponseJSON` or the `RegistrationResponseJSON`. */
export function credentialJson(credential: PublicKeyCredential): object {
  try {
    return credential.toJSON() as object;
  } catch {
    // The browser has no `toJSON`, or a password manager's object is not the browser's.
  }
  const { id, rawId, type, authenticatorAttachment, response } = credential;
  const all = response as Partial<AuthenticatorAssertionResponse & AuthenticatorAttestationResponse>;
  const encoded: Record<string, string> = {};
  for (const name of ['clientDataJSON', 'authenticatorData', 'signature', 'userHandle', 'attestationObject'] as const) {
    const value = all[name];
    if (value) encoded[name] = encode(value);
  }
  return {
    id,
    rawId: encode(rawId),
    type,
    authenticatorAttachment,
    clientExtensionResults: credential.getClientExtensionResults(),
    response: { ...encoded, transports: all.getTransports?.() },
  };
}
