/**
 * Generates the types of the backend contract from `contracts/backend.openapi.yaml`. The generator lives in its own
 * workspace (`tools/openapi`) because it needs an older TypeScript than the rest of the project.
 * `--check` changes nothing and fails when the committed file is not what the document gives.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const ROOT = resolve(import.meta.dirname, '..');
const DOCUMENT = join(ROOT, 'contracts/backend.openapi.yaml');
const OUTPUT = join(ROOT, 'src/delivery/image-api/contract.generated.ts');
const GENERATOR = join(ROOT, 'tools/openapi/node_modules/openapi-typescript/bin/cli.js');

/** The generated module's text. */
export function generateContractTypes(): string {
  const folder = mkdtempSync(join(tmpdir(), 'lethe-gen-'));
  try {
    const output = join(folder, 'contract.ts');
    const options = ['--immutable', '--alphabetize', '--root-types', '--root-types-no-schema-prefix'];
    execFileSync(process.execPath, [GENERATOR, DOCUMENT, '-o', output, ...options], {
      cwd: join(ROOT, 'tools/openapi'),
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    return `// Generated from contracts/backend.openapi.yaml by scripts/gen-contract.ts; do not edit.\n${readFileSync(output, 'utf8')}`;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

if (import.meta.main) {
  const text = generateContractTypes();
  if (!process.argv.includes('--check')) {
    writeFileSync(OUTPUT, text);
  } else if (readFileSync(OUTPUT, 'utf8') !== text) {
    console.error('src/delivery/image-api/contract.generated.ts is out of date: run scripts/gen-contract.ts');
    process.exitCode = 1;
  }
}
