export { SignedIn, type SignedInProps, SignedOut, type SignedOutProps } from './components.js';
export { type StepUp, type UserSessions, useSession, useSessions, useStepUp, useUser } from './hooks.js';
export { LoginForm, type LoginFormProps, loginProblem, type LoginTexts } from './login-form.js';
export { SessionProvider, type SessionProviderProps } from './provider.js';
