import { type ReactNode, useEffect, useId, useRef } from 'react';

interface Props {
  readonly title: string;
  readonly isOpen: boolean;
  /** Called when the user closes the dialog, for example with Escape. */
  readonly onCancel: () => void;
  readonly children: ReactNode;
}

/** A modal dialog. The browser keeps the focus inside, and gives it back at the end. */
export function Dialog({ title, isOpen, onCancel, children }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    if (isOpen) dialog.current?.showModal();
    else dialog.current?.close();
  }, [isOpen]);
  return (
    <dialog
      ref={dialog}
      aria-labelledby={id}
      onClose={() => {
        // Not an earlier dialog, whose event comes late.
        if (isOpen && !dialog.current?.open) onCancel();
      }}
    >
      {isOpen && (
        <>
          <h2 id={id}>{title}</h2>
          {children}
        </>
      )}
    </dialog>
  );
}

interface ConfirmProps extends Props {
  /** The id of the button that confirms. */
  readonly id: string;
  /** The text of the button that confirms. */
  readonly action: string;
  readonly onConfirm: () => void;
}

/** Asks before an action that cannot be undone. */
export function Confirm({ id, action, onConfirm, children, ...props }: ConfirmProps) {
  return (
    <Dialog {...props}>
      {children}
      <p className="row">
        <button id={id} className="bad" type="button" onClick={onConfirm}>
          {action}
        </button>
        <button className="plain" type="button" onClick={props.onCancel}>
          Cancel
        </button>
      </p>
    </Dialog>
  );
}
