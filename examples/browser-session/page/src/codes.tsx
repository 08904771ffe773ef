interface Props {
  readonly codes: readonly string[];
  /** Called when the user has kept the codes. */
  readonly onKept?: () => void;
}

/** Shows recovery codes, which the issuer does not show again. */
export function Codes({ codes, onKept }: Props) {
  if (codes.length === 0) return null;
  return (
    <div className="kept">
      <p>Keep these recovery codes. Each is valid once, after your password, and they are not shown again:</p>
      <ul className="codes">
        {codes.map((code) => (
          <li key={code}>
            <code>{code}</code>
          </li>
        ))}
      </ul>
      {onKept && (
        <button className="plain" type="button" onClick={onKept}>
          I have kept them
        </button>
      )}
    </div>
  );
}
