import { Authenticator } from './authenticator';
import { Passkeys } from './passkeys';
import { Password } from './password';

export function Security() {
  return (
    <>
      <h1>Security</h1>
      <div className="columns">
        <Passkeys />
        <Authenticator />
        <Password />
      </div>
    </>
  );
}
