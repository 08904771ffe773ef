import { changePassword } from 'portcullis/account';
import { useState } from 'react';

import { fields } from './fields';
import { useAction } from './problem';
import { session } from './session';

export function Password() {
  const { problem, isBusy, run } = useAction();
  const [notice, setNotice] = useState('');
  return (
    <section className="card" aria-busy={isBusy}>
      <h2>Password</h2>
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
        <button type="submit" disabled={isBusy}>
          Change
        </button>
      </form>
      <p role="status">{notice}</p>
      <p className="problem" role="alert">
        {problem}
      </p>
    </section>
  );
}
