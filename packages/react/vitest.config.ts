import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

const portcullis = { find: /^portcullis$/, replacement: at('../browser/src/index.ts') };
const old = at('tests/react-18/node_modules');
if (!existsSync(old)) throw new Error('run `npm ci` in packages/react/tests/react-18 first');

const shared = { environment: 'jsdom', testTimeout: 20_000, setupFiles: ['tests/setup.ts'] } as const;

export default defineConfig({
  test: {
    projects: [
      {
        resolve: { alias: [portcullis] },
        test: { ...shared, name: 'react 19', include: ['tests/*.test.tsx'], env: { REACT: '19' } },
      },
      {
        resolve: {
          alias: [
            portcullis,
            { find: /^react(\/.*)?$/, replacement: `${old}/react$1` },
            { find: /^react-dom(\/.*)?$/, replacement: `${old}/react-dom$1` },
            // Its default is CommonJS, in which aliases have no effect.
            {
              find: /^@testing-library\/react$/,
              replacement: at('../node_modules/@testing-library/react/dist/@testing-library/react.esm.js'),
            },
          ],
        },
        test: {
          ...shared,
          name: 'react 18',
          include: ['tests/*.test.tsx'],
          env: { REACT: '18' },
          // So that its imports of React are replaced, too.
          server: { deps: { inline: [/@testing-library\/react/] } },
        },
      },
      { test: { name: 'package', include: ['tests/package.test.ts'] } },
    ],
  },
});
