import { loginProblem, useStepUp } from 'portcullis-react';
import { useEffect, useRef } from 'react';

/** Asks for a code when an API requires one. */
export function StepUpDialog() {
  const { challenge, error, isBusy, submit, cancel } = useStepUp();
  const dialog = useRef<HTMLDialogElement>(null);
  const isOpen = challenge !== null;
  useEffect(() => {
    if (isOpen) dialog.current?.showModal();
    else dialog.current?.close();
  }, [isOpen]);
  return (
    <dialog ref={dialog} aria-labelledby="step-up-title" onCancel={cancel}>
      {isOpen && (
        <form
          id="step-up"
          aria-busy={isBusy}
          onSubmit={(event) => {
            event.preventDefault();
            void submit(String(new FormData(event.currentTarget).get('code')));
          }}
        >
          <h1 id="step-up-title">Confirm that it is you</h1>
          <label>
            Code of your authenticator app, or a recovery code
            <input name="code" autoComplete="one-time-code" spellCheck={false} required autoFocus />
          </label>
          <p className="problem" role="alert">
            {error?.code === 'refused' && error.problem === 'no-second-factor'
              ? 'Set up an authenticator app on the page "Security" first.'
              : error && loginProblem(error)}
          </p>
          <p className="row">
            <button type="submit" disabled={isBusy}>
              Continue
            </button>
            <button type="button" className="plain" onClick={cancel}>
              Cancel
            </button>
          </p>
        </form>
      )}
    </dialog>
  );
}
