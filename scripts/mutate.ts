/**
 * Mutation testing of the modules on which safety rests: each mutant changes one place of one file, and some test of that
 * file must fail. Works on a copy of the tree, so that nothing of the checkout is ever changed.
 *
 *   npm run mutation [-- FILE...] [--share I/N]
 *
 * Operators (as StrykerJS has them, on the text of the program; types, comments and imports are left alone): comparison
 * to its neighbour and its opposite, && and ||, ?? to its right side, arithmetic, shifts, removal of !, booleans, numbers
 * plus one, strings emptied, `return x` to `return undefined`, conditions to true and false, some and every, and in
 * regular expressions anchors removed and classes inverted. Exit 1 below 90 % killed.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';

/** What is mutated, and the tests that must notice. */
const TARGETS: Readonly<Record<string, readonly string[]>> = {
  'src/deid/actions.ts': ['deid/actions'],
  'src/deid/dates.ts': ['deid/dates'],
  'src/deid/pseudonym.ts': ['deid/pseudonym'],
  'src/deid/leak-check.ts': ['deid/leak-check', 'deid/checked-outputs'],
  'src/deid/rule-checks.ts': ['deid/profile'],
  'src/core/pattern.ts': ['core/pattern'],
};
const KILLED_SHARE_MIN = 0.9;
const TEST_MS_MAX = 60_000;

interface Mutant {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

type Kind = 'code' | 'string' | 'regex' | 'skip';

interface Piece {
  readonly kind: Kind;
  readonly start: number;
  readonly end: number;
}

const REGEX_FOLLOWS = /(?:^|[(,=:[!&|?{};]|=>|return)\s*$/;

/** The program in pieces of one kind each. */
function pieces(text: string): Piece[] {
  const found: Piece[] = [];
  const push = (kind: Kind, start: number, end: number): void => {
    if (end > start) found.push({ kind, start, end });
  };
  let start = 0;
  let at = 0;
  const take = (kind: Kind, pattern: RegExp): void => {
    push('code', start, at);
    pattern.lastIndex = at;
    const end = at + (pattern.exec(text)?.[0].length ?? 1);
    push(kind, at, end);
    at = end;
    start = end;
  };
  while (at < text.length) {
    const two = text.slice(at, at + 2);
    if (two === '//') take('skip', /[^\n]*/y);
    else if (two === '/*') take('skip', /[\s\S]*?\*\//y);
    else if (text[at] === "'") take('string', /'(?:[^'\\\n]|\\.)*'/y);
    else if (text[at] === '`') take('skip', /`(?:[^`\\]|\\.)*`/y);
    else if (text[at] === '/' && REGEX_FOLLOWS.test(text.slice(Math.max(0, at - 12), at)))
      take('regex', /\/(?:[^/\\\n[]|\\.|\[(?:[^\]\\]|\\.)*\])+\/[a-z]*/y);
    else at++;
  }
  push('code', start, at);
  return found;
}

/** Ranges of imports, types and interfaces: they are gone when the program runs. */
function typeRanges(text: string): { start: number; end: number }[] {
  const patterns = [
    /^import [\s\S]*?;$/gm,
    /^export (?:\{|\*)[\s\S]*?;$/gm,
    /^(?:export )?type [\s\S]*?;$/gm,
    /^(?:export )?interface [\s\S]*?^\}$/gm,
    /(?<=[\w)]): [^=;{}()]+(?=[,;)=])/g,
    /\bas (?:const|\w+)/g,
  ];
  return patterns.flatMap((pattern) =>
    [...text.matchAll(pattern)].map((match) => ({ start: match.index, end: match.index + match[0].length })),
  );
}

const CODE_OPERATORS: readonly (readonly [RegExp, (match: string) => readonly string[]])[] = [
  [/ (?:===|!==) /g, (match) => [match.includes('!') ? ' === ' : ' !== ']],
  [/ <=? /g, (match) => [match === ' < ' ? ' <= ' : ' < ', ' >= ']],
  [/ >=? /g, (match) => [match === ' > ' ? ' >= ' : ' > ', ' <= ']],
  [/ (?:&&|\|\|) /g, (match) => [match.includes('&') ? ' || ' : ' && ']],
  [/ \?\? /g, () => [' && ']],
  [/ [+-] /g, (match) => [match === ' + ' ? ' - ' : ' + ']],
  [/ [*/] /g, (match) => [match === ' * ' ? ' / ' : ' * ']],
  [/ % /g, () => [' * ']],
  [/ (?:<<|>>>) /g, (match) => [match === ' << ' ? ' >>> ' : ' << ']],
  [/ & /g, () => [' | ']],
  [/ \| /g, () => [' & ']],
  [/!(?=[\w(#])/g, () => ['']],
  [/\b(?:true|false)\b/g, (match) => [match === 'true' ? 'false' : 'true']],
  [/(?<![\w.#])(?:0x[0-9a-f_]+|\d[\d_]*)\b(?!\.)/g, (match) => [String(Number(match.replaceAll('_', '')) + 1)]],
  [/\breturn (?!undefined|true|false)[^;\n]+;/g, () => ['return undefined;']],
  [/\.(?:some|every)\(/g, (match) => [match === '.some(' ? '.every(' : '.some(']],
];

function mutantsOf(text: string): Mutant[] {
  const types = typeRanges(text);
  const isType = (at: number): boolean => types.some(({ start, end }) => at >= start && at < end);
  const mutants: Mutant[] = [];
  const add = (start: number, end: number, replacement: string): void => {
    if (!isType(start) && text.slice(start, end) !== replacement) mutants.push({ start, end, text: replacement });
  };
  for (const { kind, start, end } of pieces(text)) {
    const piece = text.slice(start, end);
    if (kind === 'string' && piece.length > 2) add(start, end, "''");
    if (kind === 'regex') {
      for (const match of piece.matchAll(/\^(?!\])|\$(?=\/|\|)|\\d|\\p|\+(?!\])/g)) {
        const opposite = { '\\d': '\\D', '\\p': '\\P' }[match[0]] ?? '';
        add(start + match.index, start + match.index + match[0].length, opposite);
      }
    }
    if (kind !== 'code') continue;
    for (const [pattern, replacements] of CODE_OPERATORS) {
      for (const match of piece.matchAll(pattern)) {
        for (const one of replacements(match[0])) add(start + match.index, start + match.index + match[0].length, one);
      }
    }
  }
  for (const match of text.matchAll(/\bif \(/g)) {
    const end = closing(text, match.index + 3);
    add(match.index + 4, end, 'true');
    add(match.index + 4, end, 'false');
  }
  return mutants.toSorted((a, b) => a.start - b.start);
}

/** Where the bracket that opens at `at` closes. */
function closing(text: string, at: number): number {
  let depth = 0;
  for (let position = at; position < text.length; position++) {
    if (text[position] === '(') depth++;
    if (text[position] === ')' && --depth === 0) return position;
  }
  return text.length;
}

function main(): number {
  const { values, positionals } = parseArgs({ options: { share: { type: 'string' } }, allowPositionals: true });
  const [part = 0, parts = 1] = (values.share ?? '').split('/').filter(Boolean).map(Number);
  const tree = mkdtempSync(join(tmpdir(), 'lethe-mutants-'));
  try {
    for (const name of ['src', 'test', 'package.json']) cpSync(name, join(tree, name), { recursive: true });
    for (const name of ['node_modules', 'profiles', 'contracts']) symlinkSync(resolve(name), join(tree, name));
    let isEnough = true;
    for (const file of positionals.length > 0 ? positionals : Object.keys(TARGETS)) {
      const tests = (TARGETS[file] ?? []).map((name) => `test/${name}.test.ts`);
      isEnough = tried(tree, { file, tests, part, parts }) && isEnough;
    }
    return isEnough ? 0 : 1;
  } finally {
    rmSync(tree, { recursive: true, force: true });
  }
}

function tried(tree: string, of: { file: string; tests: readonly string[]; part: number; parts: number }): boolean {
  const { file, tests, part, parts } = of;
  const path = join(tree, file);
  const text = readFileSync(file, 'utf8');
  const passes = (): boolean =>
    spawnSync(process.execPath, ['--test', '--test-timeout=20000', ...tests], { cwd: tree, timeout: TEST_MS_MAX })
      .status === 0;
  if (!passes()) throw new Error(`${file}: the tests fail without a mutant`);
  const mutants = mutantsOf(text).filter((_, index) => index % parts === part);
  let killed = 0;
  for (const { start, end, text: replacement } of mutants) {
    writeFileSync(path, text.slice(0, start) + replacement + text.slice(end));
    if (!passes()) killed++;
    else {
      const line = text.slice(0, start).split('\n').length;
      console.log(`survived ${file}:${line} ${text.slice(start, end)} -> ${replacement || '(nothing)'}`);
    }
  }
  writeFileSync(path, text);
  const share = mutants.length === 0 ? 1 : killed / mutants.length;
  console.log(`${file}: ${killed} of ${mutants.length} mutants killed, ${(share * 100).toFixed(1)} %`);
  return share >= KILLED_SHARE_MIN;
}

process.exitCode = main();
