// What a package must be like to be published.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { afterAll, beforeAll, expect, it } from 'vitest';

interface Packed {
  readonly filename: string;
  readonly files: readonly { readonly path: string }[];
}

/** Packs the package of the current folder, and checks the tarball. `modules` are the files of `dist`, without suffix. */
export function checkPackage(modules: readonly string[]): void {
  const folder = mkdtempSync(join(tmpdir(), 'package-'));
  const run = (command: string, ...args: string[]): string =>
    execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  let packed: Packed;
  beforeAll(() => {
    // The build of `prepack` prints to the same stream.
    const printed = run('npm', 'pack', '--json', '--silent', '--pack-destination', folder);
    const list = JSON.parse(printed.slice(printed.indexOf('['))) as Packed[];
    if (!list[0]) throw new Error(printed);
    packed = list[0];
  }, 120_000);
  afterAll(() => rmSync(folder, { recursive: true }));

  it('has these files', () => {
    const built = modules.flatMap((name) => [`dist/${name}.d.ts`, `dist/${name}.js`]);
    const all = ['LICENSE-APACHE', 'LICENSE-MIT', 'README.md', 'package.json', ...built];
    expect(packed.files.map(({ path }) => path).sort()).toEqual(all.sort());
    for (const licence of ['LICENSE-APACHE', 'LICENSE-MIT']) {
      expect(readFileSync(licence, 'utf8')).toBe(readFileSync(`../../${licence}`, 'utf8'));
    }
  });

  it('has no run-time dependency', () => {
    expect(JSON.parse(readFileSync('package.json', 'utf8'))).not.toHaveProperty('dependencies');
  });

  it('has no `any` in its types', () => {
    for (const name of modules) {
      const types = readFileSync(`dist/${name}.d.ts`, 'utf8');
      const code = types.replace(/\/\*[^]*?\*\/|\/\/.*|'[^']*'/g, '');
      expect(code, name).not.toMatch(/\bany\b/);
    }
  });

  it('exports modules and types that bundlers and Node find', () => {
    const tarball = join(folder, packed.filename);
    const bin = '../node_modules/.bin';
    const problems = run(`${bin}/publint`, 'run', tarball, '--strict');
    expect(problems).toContain('All good');
    const resolved = run(`${bin}/attw`, tarball, '--profile', 'esm-only', '--format', 'ascii', '--no-color');
    expect(resolved).toContain('node16 (from ESM): 🟢 (ESM)');
    expect(resolved).toContain('bundler: 🟢');
  }, 120_000);
}

/** Returns the size of a module with all it imports, minified and compressed, in bytes. */
export async function compressedSize(entry: string, external: string[] = []): Promise<number> {
  const bundle = await build({
    bundle: true,
    entryPoints: [entry],
    external,
    format: 'esm',
    minify: true,
    target: 'es2022',
    write: false,
  });
  const code = bundle.outputFiles[0]?.contents;
  if (!code) throw new Error(`${entry}: no output`);
  return gzipSync(code, { level: 9 }).length;
}
