import { isSupported } from 'portcullis/passkeys';
import { useStepUp } from 'portcullis-react';

import { Dialog } from './dialog';
import { fields } from './fields';
import { textOf } from './problem';

/** Asks for a passkey or a code when an API or the issuer requires a step-up. */
export function StepUpDialog() {
  const { challenge, error, isBusy, submit, submitPasskey, cancel } = useStepUp();
  return (
    <Dialog title="Confirm that it is you" isOpen={challenge !== null} onCancel={cancel}>
      <form
        id="step-up"
        aria-busy={isBusy}
        onSubmit={(event) => {
          const field = fields(event);
          void submit(field('code').trim());
        }}
      >
        <label>
          Code of your authenticator app, or a recovery code
          <input
            name="code"
            autoComplete="one-time-code"
            autoCapitalize="none"
            spellCheck={false}
            required
            aria-describedby="step-up-problem"
          />
        </label>
        <small>
          No second factor yet? <a href="#security" onClick={cancel}>Add a passkey</a> first.
        </small>
        <p id="step-up-problem" className="problem" role="alert">
          {error && textOf(error)}
        </p>
        <p className="row">
          <button type="submit" disabled={isBusy}>
            Continue
          </button>
          {isSupported() && (
            <button type="button" className="plain" disabled={isBusy} onClick={() => void submitPasskey()}>
              Use a passkey
            </button>
          )}
          <button type="button" className="plain" onClick={cancel}>
            Cancel
          </button>
        </p>
      </form>
    </Dialog>
  );
}
