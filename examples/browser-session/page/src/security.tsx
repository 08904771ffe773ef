import { changePassword, enrolTotp, type Enrolment, makeRecoveryCodes, removeTotp } from 'portcullis/account';
import { type FormEvent, useState } from 'react';

import { useAction } from './problem';
import { session } from './session';

/** Reads the fields of a submitted form. */
function fields(event: FormEvent<HTMLFormElement>): (name: string) => string {
  event.preventDefault();
  const data = new FormData(event.currentTarget);
  return (name) => String(data.get(name) ?? '');
}

export function Security() {
  return (
    <div className="columns">
      <Authenticator />
      <Password />
    </div>
  );
}

function Codes({ codes }: { codes: readonly string[] }) {
  return (
    <>
      <p>Keep these recovery codes. Each counts once, and they are not shown again:</p>
      <ul className="codes">
        {codes.map((code) => (
          <li key={code}>
            <code>{code}</code>
          </li>
        ))}
      </ul>
    </>
  );
}

function Authenticator() {
  const { problem, isBusy, run } = useAction();
  const [enrolment, setEnrolment] = useState<Enrolment | null>(null);
  const [codes, setCodes] = useState<readonly string[]>([]);
  const [notice, setNotice] = useState('');
  return (
    <section className="card" aria-busy={isBusy}>
      <h1>Authenticator app</h1>
      {enrolment ? (
        <form
          id="confirm"
          onSubmit={(event) => {
            const field = fields(event);
            void run(async () => {
              await session.stepUp(field('code'));
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
          <button type="submit">Confirm</button>
        </form>
      ) : (
        <>
          <form
            id="enrol"
            onSubmit={(event) => {
              const field = fields(event);
              void run(async () => setEnrolment(await enrolTotp(session, field('password'))));
            }}
          >
            <label>
              Your password
              <input name="password" type="password" autoComplete="current-password" required />
            </label>
            <button type="submit">Set up</button>
          </form>
          <p className="row">
            <button
              id="codes"
              className="plain"
              type="button"
              onClick={() => void run(async () => setCodes(await makeRecoveryCodes(session)))}
            >
              New recovery codes
            </button>
            <button
              id="remove"
              className="plain"
              type="button"
              onClick={() =>
                void run(async () => {
                  await removeTotp(session);
                  setCodes([]);
                  setNotice('The authenticator app is removed.');
                })
              }
            >
              Remove
            </button>
          </p>
          {codes.length > 0 && <Codes codes={codes} />}
        </>
      )}
      <p role="status">{notice}</p>
      <p className="problem" role="alert">
        {problem}
      </p>
    </section>
  );
}

function Password() {
  const { problem, isBusy, run } = useAction();
  const [notice, setNotice] = useState('');
  return (
    <section className="card" aria-busy={isBusy}>
      <h1>Password</h1>
      <form
        id="password"
        onSubmit={(event) => {
          const field = fields(event);
          const form = event.currentTarget;
          setNotice('');
          void run(async () => {
            await changePassword(session, field('current'), field('next'));
            form.reset();
            setNotice('The password is changed, and your other sessions have ended.');
          });
        }}
      >
        <label>
          Current password
          <input name="current" type="password" autoComplete="current-password" required />
        </label>
        <label>
          New password
          <input name="next" type="password" autoComplete="new-password" minLength={8} required />
        </label>
        <button type="submit">Change</button>
      </form>
      <p role="status">{notice}</p>
      <p className="problem" role="alert">
        {problem}
      </p>
    </section>
  );
}
