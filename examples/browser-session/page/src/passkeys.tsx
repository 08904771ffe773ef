import { isSupported, type Passkey } from 'portcullis/passkeys';
import { usePasskeys } from 'portcullis-react';
import { useRef, useState } from 'react';

import { device } from './device';
import { Confirm, Dialog } from './dialog';
import { fields } from './fields';
import { textOf } from './problem';

/** Tells passkeys of the same name apart. */
function facts({ createdAt, lastUsedAt, synced }: Passkey): string {
  const time = (date: Date): string => date.toLocaleString([], { dateStyle: 'medium', timeStyle: 'short' });
  const used = lastUsedAt ? `last used ${time(lastUsedAt)}` : 'not used yet';
  return [`added ${time(createdAt)}`, used, synced ? 'on your synced devices' : 'on one device'].join(' · ');
}

/** The passkey that a dialog is about. */
interface Question {
  readonly kind: 'rename' | 'remove';
  readonly passkey: Passkey;
}

/** Lists, adds, renames and removes passkeys. The dialog of a step-up opens when the issuer requires it. */
export function Passkeys({ onCodes }: { onCodes: (codes: readonly string[]) => void }) {
  const { passkeys, error, isLoading, register, rename, remove } = usePasskeys();
  const [question, setQuestion] = useState<Question | null>(null);
  const [notice, setNotice] = useState('');
  const heading = useRef<HTMLHeadingElement>(null);
  const problem = error?.code === 'refused' ? error.problem : null;
  const needsPassword = problem === 'login-too-old' || problem === 'wrong-password';

  async function add(password?: string): Promise<void> {
    setNotice('');
    const name = device(navigator.userAgent);
    const added = await register(password === undefined ? { name } : { name, password });
    if (!added) return;
    setNotice(`The passkey “${added.name}” is added.`);
    // A further passkey has no codes, and those of the first one stay valid.
    if (added.recoveryCodes) onCodes(added.recoveryCodes);
  }
  async function removeAsked(passkey: Passkey): Promise<void> {
    if (await remove(passkey.id)) setNotice(`The passkey “${passkey.name}” is removed.`);
    // The focus was on a button that is gone.
    if (document.activeElement === document.body) heading.current?.focus();
  }
  const close = (): void => setQuestion(null);
  const ask = (kind: Question['kind'], passkey: Passkey): void => {
    setNotice('');
    setQuestion({ kind, passkey });
  };
  const shown = question && <small>{facts(question.passkey)}</small>;

  return (
    <section className="card wide" id="passkeys" aria-busy={isLoading}>
      <h2 ref={heading} tabIndex={-1}>
        Passkeys
        <small>Log in with your fingerprint, face or PIN instead of the password.</small>
      </h2>
      <ul>
        {passkeys?.map((passkey) => (
          <li key={passkey.id}>
            <span className="facts">
              <strong>{passkey.name}</strong>
              <small>{facts(passkey)}</small>
            </span>
            <span className="actions">
              <button className="plain" type="button" onClick={() => ask('rename', passkey)}>
                Rename <span className="hidden">{`${passkey.name}, ${facts(passkey)}`}</span>
              </button>
              <button className="plain" type="button" onClick={() => ask('remove', passkey)}>
                Remove <span className="hidden">{`${passkey.name}, ${facts(passkey)}`}</span>
              </button>
            </span>
          </li>
        ))}
      </ul>
      {passkeys?.length === 0 && <p>You have no passkey yet.</p>}
      {!isSupported() && <p>This browser has no passkeys.</p>}
      {isSupported() &&
        (needsPassword ? (
          <form
            id="passkey-password"
            onSubmit={(event) => {
              const field = fields(event);
              void add(field('password'));
            }}
          >
            <label>
              Your password, because your login was a while ago
              <input name="password" type="password" autoComplete="current-password" required autoFocus />
            </label>
            <button type="submit" disabled={isLoading}>
              Add a passkey
            </button>
          </form>
        ) : (
          <p className="row">
            <button id="add-passkey" type="button" disabled={isLoading} onClick={() => void add()}>
              Add a passkey
            </button>
          </p>
        ))}
      <p role="status">{notice}</p>
      <p className="problem" role="alert">
        {error && textOf(error)}
      </p>
      <Dialog title="Rename the passkey" isOpen={question?.kind === 'rename'} onCancel={close}>
        <form
          id="rename-passkey"
          onSubmit={(event) => {
            const name = fields(event)('name').trim();
            if (question) void rename(question.passkey.id, name);
            close();
          }}
        >
          {shown}
          <label>
            Name
            <input name="name" defaultValue={question?.passkey.name} maxLength={100} required pattern=".*\S.*" />
          </label>
          <p className="row">
            <button type="submit">Rename</button>
            <button className="plain" type="button" onClick={close}>
              Cancel
            </button>
          </p>
        </form>
      </Dialog>
      <Confirm
        id="remove-passkey"
        title={`Remove “${question?.passkey.name}”?`}
        action="Remove"
        isOpen={question?.kind === 'remove'}
        onCancel={close}
        onConfirm={() => {
          if (question) void removeAsked(question.passkey);
          close();
        }}
      >
        {shown}
        <p>You can no longer log in with it, and other sessions that began with it end.</p>
        {passkeys?.length === 1 && (
          <p>It is your only passkey. Without an authenticator app, your recovery codes end with it.</p>
        )}
      </Confirm>
    </section>
  );
}
