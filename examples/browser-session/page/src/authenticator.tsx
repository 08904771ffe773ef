import { enrolTotp, type Enrolment, makeRecoveryCodes, removeTotp } from 'portcullis/account';
import { useState } from 'react';

import { Codes } from './codes';
import { fields } from './fields';
import { useAction } from './problem';
import { session } from './session';

/** Sets up and removes the authenticator app, and replaces the recovery codes. */
export function Authenticator() {
  const { problem, isBusy, run } = useAction();
  const [enrolment, setEnrolment] = useState<Enrolment | null>(null);
  const [codes, setCodes] = useState<readonly string[]>([]);
  const [notice, setNotice] = useState('');
  const act = (action: () => Promise<void>): void => {
    setNotice('');
    void run(action);
  };
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
          <Codes codes={enrolment.recoveryCodes} />
          <label>
            Code of the app
            <input name="code" autoComplete="one-time-code" inputMode="numeric" required />
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
                setEnrolment(await enrolTotp(session, field('password')));
                setCodes([]);
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
              onClick={() => act(async () => setCodes(await makeRecoveryCodes(session)))}
            >
              New recovery codes
            </button>
            <button
              id="remove"
              className="plain"
              type="button"
              disabled={isBusy}
              onClick={() =>
                act(async () => {
                  await removeTotp(session);
                  setCodes([]);
                  setNotice('The authenticator app is removed.');
                })
              }
            >
              Remove the app
            </button>
          </p>
          <Codes codes={codes} onKept={() => setCodes([])} />
        </>
      )}
      <p role="status">{notice}</p>
      <p className="problem" role="alert">
        {problem}
      </p>
    </section>
  );
}
