import { describe } from 'vitest';

import { checkPackage } from '../../checks.js';

describe('package', () => checkPackage(['components', 'context', 'hooks', 'index', 'login-form', 'provider']));
