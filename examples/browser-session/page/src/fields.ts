import type { FormEvent } from 'react';

/** Returns a function that reads the fields of a submitted form. */
export function fields(event: FormEvent<HTMLFormElement>): (name: string) => string {
  event.preventDefault();
  const data = new FormData(event.currentTarget);
  return (name) => String(data.get(name) ?? '');
}
