import { enrolTotp, type Enrolment, makeRecoveryCodes, removeTotp } from 'portcullis/account';
import { useState } from 'react';

import { Confirm } from './dialog';
import { fields } from './fields';
import { useAction } from './problem';
import { session } from './session';

/** Sets up and removes the authenticator app, and replaces the recovery codes. */
export function Authenticator({ onCodes }: { onCodes: (codes: readonly string[]) => void }) {
  const { problem, isBusy, run } = useAction();
  const [enrolment, setEnrolment] = useState<Enrolment | null>(null);
  const [question, setQuestion] = useState<'codes' | 'remove' | null>(null);
  const [notice, setNotice] = useState('');
  const act = (action: () => Promise<void>): void => {
    setNotice('');
    void run(action);
  };
  const close = (): void => setQuestion(null);
  return (
    <section className="card" aria-busy={isBusy}>
      <h2>Authenticator app and recovery codes</h2>
      {enrolment ? (
        <form
          id="confirm"
          onSubmit={(event) => {
            const field = fields(event);
            act(async () => {
              await session.stepUp(field('code').trim());
              setEnrolment(null);
              setNotice('The authenticator app is in use.');
            });
          }}
        >
          <p>
            Enter this secret in your app, or <a href={enrolment.otpauthUrl}>open it on this device</a>:
          </p>
          <p>
            <code id="secret">{enrolment.secret}</code>
          </p>
          <label>
            Code of the app
            {/* A recovery code is a step-up as well, but does not confirm that the app has the secret. */}
            <input
              name="code"
              autoComplete="one-time-code"
              inputMode="numeric"
              pattern="\s*[0-9]{6}\s*"
              title="The six digits that the app shows"
              required
            />
          </label>
          <p className="row">
            <button type="submit" disabled={isBusy}>
              Confirm
            </button>
            <button className="plain" type="button" onClick={() => setEnrolment(null)}>
              Cancel
            </button>
          </p>
        </form>
      ) : (
        <>
          <form
            id="enrol"
            onSubmit={(event) => {
              const field = fields(event);
              act(async () => {
                const enrolment = await enrolTotp(session, field('password'));
                setEnrolment(enrolment);
                onCodes(enrolment.recoveryCodes);
              });
            }}
          >
            <label>
              Your password
              <input name="password" type="password" autoComplete="current-password" required />
            </label>
            <button type="submit" disabled={isBusy}>
              Set up the app
            </button>
          </form>
          <p className="row">
            <button
              id="codes"
              className="plain"
              type="button"
              disabled={isBusy}
              onClick={() => setQuestion('codes')}
            >
              New recovery codes
            </button>
            <button
              id="remove"
              className="plain"
              type="button"
              disabled={isBusy}
              onClick={() => setQuestion('remove')}
            >
              Remove the app
            </button>
          </p>
        </>
      )}
      <p role="status">{notice}</p>
      <p className="problem" role="alert">
        {problem}
      </p>
      <Confirm
        id="confirm-codes"
        title="Make new recovery codes?"
        action="Make new codes"
        isOpen={question === 'codes'}
        onCancel={close}
        onConfirm={() => {
          close();
          act(async () => onCodes(await makeRecoveryCodes(session)));
        }}
      >
        <p>The codes that you have now are no longer valid then.</p>
      </Confirm>
      <Confirm
        id="confirm-remove"
        title="Remove the authenticator app?"
        action="Remove"
        isOpen={question === 'remove'}
        onCancel={close}
        onConfirm={() => {
          close();
          act(async () => {
            await removeTotp(session);
            setNotice('The authenticator app is removed.');
          });
        }}
      >
        <p>Its codes are no longer accepted then. Without a passkey, your recovery codes end with it.</p>
      </Confirm>
    </section>
  );
}
