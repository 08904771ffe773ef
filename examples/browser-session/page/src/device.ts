/** Shortens a browser's user agent. */
export function device(agent: string | null): string {
  const named = (names: string[]): string => names.find((name) => agent?.includes(name)) ?? '';
  const browser = named(['Firefox', 'Edg', 'Chrome', 'Safari']).replace('Edg', 'Edge') || 'A browser';
  const system = named(['Android', 'iPhone', 'Windows', 'Mac OS', 'Linux']);
  return system ? `${browser} on ${system}` : browser;
}
