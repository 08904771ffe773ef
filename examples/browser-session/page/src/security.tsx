import { Authenticator } from './authenticator';
import { Passkeys } from './passkeys';
import { Password } from './password';

/** `onCodes` is called with new recovery codes, which replace all former ones. */
export function Security({ onCodes }: { onCodes: (codes: readonly string[]) => void }) {
  return (
    <>
      <h1>Security</h1>
      <div className="columns">
        <Passkeys onCodes={onCodes} />
        <Authenticator onCodes={onCodes} />
        <Password />
      </div>
    </>
  );
}
