import { describe, expect, it } from 'vitest';

import { checkPackage, compressedSize } from '../../checks.js';

describe('package', () => {
  checkPackage([
    'account',
    'environment',
    'errors',
    'exclusive',
    'http',
    'index',
    'origins',
    'refresh',
    'session',
    'shared',
    'types',
    'values',
  ]);
});

describe('size, minified and compressed', () => {
  it('of the core is at most 6 kB', async () => {
    const size = await compressedSize('src/index.ts');
    console.log(`core: ${size} bytes`);
    expect(size).toBeLessThanOrEqual(6_000);
  });
});
