import { createSession } from 'portcullis';

/** app.shop.example → auth.shop.example */
const at = (name: string): string => location.origin.replace('//app.', `//${name}.`);

export const api = at('api');
export const session = createSession({ issuer: at('auth'), apis: [api] });
