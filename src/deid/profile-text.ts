/**
 * A profile as a site writes it, in YAML: checked against the schema and compiled, so that a mistake is an error with
 * line and reason when the gateway starts and never at the thousandth instance.
 */
import { Compile } from 'typebox/compile';
import { type Document, isSeq, LineCounter, parseDocument, visit } from 'yaml';
import { LetheError } from '../core/errors.ts';
import { type ProfileDocument, ProfileSchema } from './profile-schema.ts';

const TEXT_CHARACTERS_MAX = 1024 * 1024; // a profile is written by hand
let validator: ReturnType<typeof compileSchema> | undefined;

function compileSchema() {
  return Compile(ProfileSchema);
}

/** @throws DEID_PROFILE_INVALID with line, key and problem, also of what `compile` finds wrong */
export function parseProfile<Compiled>(text: string, compile: (document: ProfileDocument) => Compiled): Compiled {
  if (text.length > TEXT_CHARACTERS_MAX) {
    throw new LetheError('DEID_PROFILE_INVALID', { problem: 'too long', charactersMax: TEXT_CHARACTERS_MAX });
  }
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true });
  const [fault] = document.errors;
  if (fault !== undefined) {
    const problem = fault.message.split('\n', 1)[0] ?? '';
    throw new LetheError('DEID_PROFILE_INVALID', { line: lines.linePos(fault.pos[0]).line, problem });
  }
  const value = valuesIn(document, lines);
  validator ??= compileSchema();
  if (!validator.Check(value)) throw invalid([...validator.Errors(value)], document, lines);
  try {
    return compile(value);
  } catch (error) {
    throw located(error, document, lines);
  }
}

/** Aliases are followed here, of which a few lines can make millions of values: the parser refuses too many of them. */
function valuesIn(document: Document, lines: LineCounter): unknown {
  try {
    return document.toJS();
  } catch (error) {
    let line: number | undefined;
    visit(document, {
      Alias: (_key, { range }) => {
        if (range) line = lines.linePos(range[0]).line;
        return visit.BREAK;
      },
    });
    throw new LetheError('DEID_PROFILE_INVALID', { line, problem: 'aliases cannot be followed' }, { cause: error });
  }
}

interface SchemaError {
  readonly instancePath: string;
  readonly schemaPath: string;
  readonly keyword: string;
  readonly message: string;
}

function invalid(errors: readonly SchemaError[], document: Document, lines: LineCounter): LetheError {
  const unknown = errors.find(
    ({ keyword, schemaPath }) => keyword === 'boolean' && schemaPath.endsWith('/additionalProperties'),
  );
  const furthest = errors.toSorted((a, b) => b.instancePath.split('/').length - a.instancePath.split('/').length)[0];
  const chosen = unknown ?? furthest;
  const keys = chosen?.instancePath.split('/').slice(1) ?? [];
  const problem = unknown === undefined ? (chosen?.message ?? 'is not valid') : 'unknown key';
  return new LetheError('DEID_PROFILE_INVALID', {
    line: lineOf(keys, document, lines),
    key: keys.join('.') || '(top)',
    problem,
  });
}

/** What compiling found carries the rule's number: its line is added. */
function located(error: unknown, document: Document, lines: LineCounter): unknown {
  if (!(error instanceof LetheError) || error.code !== 'DEID_PROFILE_INVALID') return error;
  const { rule, key } = error.detail;
  const keys = typeof rule === 'number' ? ['rules', String(rule - 1)] : typeof key === 'string' ? [key] : [];
  return new LetheError(
    'DEID_PROFILE_INVALID',
    { line: lineOf(keys, document, lines), ...error.detail },
    { cause: error },
  );
}

function lineOf(keys: readonly string[], document: Document, lines: LineCounter): number | undefined {
  for (let depth = keys.length; depth > 0; depth--) {
    const path = keys
      .slice(0, depth)
      .map((key, index) => (isSeq(document.getIn(keys.slice(0, index), true)) ? Number(key) : key));
    const node = document.getIn(path, true) as { range?: readonly [number, number, number] } | undefined;
    if (node?.range !== undefined && node.range !== null) return lines.linePos(node.range[0]).line;
  }
  return undefined;
}
