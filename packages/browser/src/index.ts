export { createSession } from './session.js';
export {
  isSessionError,
  LaterError,
  PortcullisError,
  RedirectError,
  RefusedError,
  type SessionError,
  SignedOutError,
  StepUpNeededError,
  TimeoutError,
  UnexpectedError,
  UnreachableError,
} from './errors.js';
export type {
  Credentials,
  LoginResult,
  LogoutResult,
  Session,
  SessionInfo,
  SessionOptions,
  SessionRequestInit,
  SessionState,
  SignedOutReason,
  StepUpChallenge,
  StepUpHandler,
  User,
} from './types.js';
