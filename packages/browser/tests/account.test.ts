import { afterEach, beforeEach, expect, it } from 'vitest';

import { changePassword, enrolTotp, makeRecoveryCodes, removeTotp } from '../src/account.js';
import { json, problem, World } from './world.js';

let world: World;
beforeEach(async () => {
  world = await World.begin();
});
afterEach(() => world.end());

it('password is changed, and a wrong one is reported', async () => {
  const { session } = await world.signedIn();
  world.issuer.faults.set('/v1/auth/password', [
    (_, response) => problem(response, 403, 'wrong-password'),
    (_, response) => response.writeHead(204).end(),
  ]);
  await expect(changePassword(session, 'a', 'b')).rejects.toMatchObject({ code: 'refused', problem: 'wrong-password' });
  await changePassword(session, null, 'c');
  expect(world.issuer.requests.slice(-2).map(({ body }) => body)).toEqual([
    '{"password":"a","new_password":"b"}',
    '{"password":null,"new_password":"c"}',
  ]);
});

it('authenticator app is enrolled and removed', async () => {
  const { session } = await world.signedIn();
  const secret = { secret: 'AAAA', otpauth_url: 'otpauth://totp/x', recovery_codes: ['1', '2'] };
  world.issuer.faults.set('/v1/auth/totp', [
    (_, response) => json(response, 201, secret),
    (_, response) => json(response, 201, { ...secret, recovery_codes: 7 }),
    (_, response) => json(response, 201, {}),
    (_, response) => response.writeHead(204).end(),
    (_, response) => problem(response, 409, 'no-second-factor'),
  ]);
  const enrolment = { secret: 'AAAA', otpauthUrl: 'otpauth://totp/x', recoveryCodes: ['1', '2'] };
  expect(await enrolTotp(session, 'right')).toEqual(enrolment);
  await expect(enrolTotp(session, 'right')).rejects.toMatchObject({ code: 'unexpected' });
  await expect(enrolTotp(session, 'right')).rejects.toMatchObject({ code: 'unexpected' });
  await removeTotp(session);
  await expect(removeTotp(session)).rejects.toMatchObject({ problem: 'no-second-factor' });
  expect(world.issuer.requests.at(-1)?.line).toBe('DELETE /v1/auth/totp');
});

it.each(['ambiguous-cookie', 'unmatched-cookie'])('%s signs out, as the issuer has deleted the cookies', async (kind) => {
  const { session } = await world.signedIn();
  world.issuer.faults.set('/v1/auth/totp', [(_, response) => problem(response, 400, kind)]);
  const error = await removeTotp(session).catch((error: unknown) => error);
  expect(error).toMatchObject({ code: 'signed-out', reason: 'cookies-rejected' });
  expect(session.state).toEqual({ status: 'signed-out', reason: 'cookies-rejected' });
});

it('new recovery codes start a step-up', async () => {
  const { session } = await world.signedIn();
  world.issuer.faults.set('/v1/auth/recovery-codes', [
    (_, response) =>
      response.writeHead(401, { 'WWW-Authenticate': 'Bearer error="insufficient_user_authentication"' }).end(),
    (_, response) => json(response, 201, { recovery_codes: ['3'] }),
  ]);
  session.onStepUp(async () => session.stepUp('123456').then(() => true));
  expect(await makeRecoveryCodes(session)).toEqual(['3']);
});
