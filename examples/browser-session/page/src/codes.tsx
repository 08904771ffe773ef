import { useEffect, useRef } from 'react';

interface Props {
  readonly codes: readonly string[];
  /** Called when the user has kept the codes. */
  readonly onKept: () => void;
}

/** Shows recovery codes, which the issuer does not show again. */
export function Codes({ codes, onKept }: Props) {
  const box = useRef<HTMLElement>(null);
  // The button that made them may be far below.
  useEffect(() => box.current?.focus(), [codes]);
  if (codes.length === 0) return null;
  return (
    <section ref={box} className="card kept" tabIndex={-1} aria-labelledby="kept">
      <p id="kept">Keep these recovery codes. Each is valid once, after your password, and they are not shown again:</p>
      <ul className="codes">
        {codes.map((code) => (
          <li key={code}>
            <code>{code}</code>
          </li>
        ))}
      </ul>
      <button className="plain" type="button" onClick={onKept}>
        I have kept them
      </button>
    </section>
  );
}
