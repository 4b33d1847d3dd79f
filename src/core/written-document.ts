/**
 * A YAML document that a person wrote (configuration, profile): its values, where each of them stands, and what is wrong
 * with it in words that help: file, line and column, the values that are allowed, and the name that was probably meant.
 */
import { type Document, isMap, isScalar, isSeq, LineCounter, parseDocument, visit } from 'yaml';
import { type ErrorCode, type ErrorDetail, LetheError } from './errors.ts';
import { nearestName } from './nearest.ts';

export interface Origin {
  /** Of every fault that is found. */
  readonly code: ErrorCode;
  /** As the person knows the file; undefined where there is none. */
  readonly path?: string | undefined;
}

/** From 1, columns in UTF-16 code units. */
export interface Place {
  readonly line?: number;
  readonly column?: number;
}

/** What a compiled schema tells of one value. */
export interface SchemaError {
  readonly instancePath: string;
  readonly schemaPath: string;
  readonly keyword: string;
  readonly message: string;
  readonly params: object;
}

/** As much of JSON Schema as the declared schemas use. */
export interface SchemaNode {
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly items?: SchemaNode;
  readonly anyOf?: readonly SchemaNode[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
}

type Keys = readonly (string | number)[];

const NAMES_SHOWN_MAX = 40;

export class WrittenDocument {
  readonly #document: Document;
  readonly #lines = new LineCounter();
  readonly #origin: Origin;
  /** An empty document is null. */
  readonly value: unknown;

  /** @throws the origin's code where it is not YAML, writes a key twice, or its aliases stand for too many values */
  constructor(text: string, origin: Origin) {
    this.#origin = origin;
    this.#document = parseDocument(text, { lineCounter: this.#lines, uniqueKeys: true });
    const [fault] = this.#document.errors;
    if (fault !== undefined) {
      const problem = fault.message.split('\n', 1)[0] ?? '';
      throw this.#error({ ...this.#at(fault.pos[0]), problem });
    }
    this.value = this.#values();
  }

  /** Aliases are followed here, of which a few lines can make millions of values: the parser refuses too many of them. */
  #values(): unknown {
    try {
      return this.#document.toJS();
    } catch (cause) {
      let place: Place = {};
      visit(this.#document, {
        Alias: (_key, { range }) => {
          if (range) place = this.#at(range[0]);
          return visit.BREAK;
        },
      });
      throw this.#error({ ...place, problem: 'aliases cannot be followed' }, cause);
    }
  }

  /** Of the value under the keys, or of what is nearest around it; empty where nothing of it is written. */
  placeOf(keys: Keys): Place {
    for (let depth = keys.length; depth > 0; depth--) {
      const node = this.#nodeAt(keys.slice(0, depth));
      const range = (node as { range?: readonly [number, number, number] | null } | undefined)?.range;
      if (range !== undefined && range !== null) return this.#at(range[0]);
    }
    return {};
  }

  /** What a schema complains of that `value` (what was written, or what became of it) does not meet, as one error. */
  refusal(value: unknown, errors: readonly SchemaError[], schema: SchemaNode): LetheError {
    const { keys, isOfKey, ...words } = faultIn(value, errors, schema);
    const place = isOfKey === true ? this.#placeOfKey(keys) : this.placeOf(keys);
    const shown = isOfKey === true ? keys : namesOf(schema, keys);
    return this.#error({ ...place, key: shown.join('.') || '(top)', ...words });
  }

  /** An error of the origin's code for what compiling found wrong under `keys`. */
  fault(keys: Keys, detail: ErrorDetail, cause?: unknown): LetheError {
    return this.#error({ ...this.placeOf(keys), ...detail }, cause);
  }

  #error(detail: ErrorDetail, cause?: unknown): LetheError {
    const options = cause === undefined ? undefined : { cause };
    return new LetheError(this.#origin.code, { path: this.#origin.path, ...detail }, options);
  }

  #nodeAt(keys: Keys): unknown {
    const path = keys.map((key, index) =>
      isSeq(this.#document.getIn(keys.slice(0, index), true)) ? Number(key) : key,
    );
    return this.#document.getIn(path, true);
  }

  #placeOfKey(keys: readonly string[]): Place {
    const parent = keys.length === 1 ? this.#document.contents : this.#nodeAt(keys.slice(0, -1));
    const key = isMap(parent)
      ? parent.items.map((pair) => pair.key).find((one) => isScalar(one) && String(one.value) === keys.at(-1))
      : undefined;
    return isScalar(key) && key.range ? this.#at(key.range[0]) : this.placeOf(keys);
  }

  #at(offset: number): Place {
    const { line, col } = this.#lines.linePos(offset);
    return { line, column: col };
  }
}

interface Fault {
  readonly keys: readonly string[];
  /** It is the last of the keys that is wrong, not what stands under it. */
  readonly isOfKey?: true;
  readonly problem: string;
  readonly didYouMean?: string;
  readonly allowed?: string;
  readonly known?: string;
}

const OF_ANOTHER_BRANCH = ['boolean', 'additionalProperties', 'const', 'enum', 'anyOf'];

/**
 * The complaint about what was meant. In a union every branch complains: first counts a value that no branch allows, then
 * a key that no branch knows, then what is furthest inside.
 */
function faultIn(value: unknown, errors: readonly SchemaError[], schema: SchemaNode): Fault {
  const located = errors.map((error) => ({ error, keys: error.instancePath.split('/').slice(1).map(unescaped) }));
  for (const { error, keys } of located) {
    if (error.keyword !== 'const' && error.keyword !== 'enum') continue;
    const allowed = allowedAt(schema, keys);
    const written = valueAt(value, keys);
    if (allowed.length === 0 || allowed.includes(String(written))) continue;
    return {
      keys,
      problem: 'not one of the allowed values',
      ...meant(written, allowed),
      ...listed('allowed', allowed),
    };
  }
  for (const { error, keys } of located) {
    if (error.keyword !== 'boolean' || !error.schemaPath.endsWith('/additionalProperties')) continue;
    const known = knownKeys(schema, keys.slice(0, -1));
    const key = keys.at(-1) ?? '';
    if (!known.includes(key))
      return { keys, isOfKey: true, problem: 'unknown key', ...meant(key, known), ...listed('known', known) };
  }
  // What is left of these: a key or a kind that one branch of a union does not have, and another has.
  const left = located.filter(({ error }) => !OF_ANOTHER_BRANCH.includes(error.keyword));
  const isKept = ofMeantBranches(errors);
  const misplaced = located.find(({ error }) => error.keyword === 'boolean' && isKept(error));
  if (left.length === 0 && misplaced !== undefined)
    return { keys: misplaced.keys, isOfKey: true, problem: 'a key that does not belong here' };
  const [furthest] = left.toSorted((a, b) => b.keys.length - a.keys.length);
  if (furthest === undefined) return { keys: [], problem: 'is not valid' };
  const beside = errors.filter((error) => error.instancePath === furthest.error.instancePath);
  const types = beside.flatMap(({ params }) => ('type' in params ? [String(params.type)] : []));
  const problem = types.length > 1 ? `must be ${[...new Set(types)].join(' or ')}` : furthest.error.message;
  return { keys: furthest.keys, problem };
}

/** Not those of branches of which a constant is another one, such as the type. */
function ofMeantBranches(errors: readonly SchemaError[]): (error: SchemaError) => boolean {
  const others = errors.flatMap(({ keyword, schemaPath }) =>
    keyword === 'const' ? (/^(.*\/anyOf\/\d+\/)properties\/[^/]+$/.exec(schemaPath)?.[1] ?? []) : [],
  );
  return ({ schemaPath }) => !others.some((branch) => schemaPath.startsWith(branch));
}

/** As far as the schema knows the names: below may stand what is the site's own, such as a value that is looked up. */
function namesOf(schema: SchemaNode, keys: readonly string[]): readonly string[] {
  const own = keys.findIndex((key, at) => !/^\d+$/.test(key) && !knownKeys(schema, keys.slice(0, at)).includes(key));
  return own < 0 ? keys : keys.slice(0, own);
}

function meant(written: unknown, names: readonly string[]): Pick<Fault, 'didYouMean'> {
  const didYouMean = typeof written === 'string' ? nearestName(written, names) : undefined;
  return didYouMean === undefined ? {} : { didYouMean };
}

function listed(as: 'allowed' | 'known', names: readonly string[]): Pick<Fault, 'allowed' | 'known'> {
  return names.length === 0 || names.length > NAMES_SHOWN_MAX ? {} : { [as]: names.join(', ') };
}

function knownKeys(schema: SchemaNode, path: readonly string[]): string[] {
  return [...new Set(nodesAt(schema, path).flatMap((node) => Object.keys(node.properties ?? {})))];
}

function allowedAt(schema: SchemaNode, path: readonly string[]): string[] {
  const values = nodesAt(schema, path).flatMap((node) => [
    ...(node.enum ?? []),
    ...(node.const === undefined ? [] : [node.const]),
  ]);
  return [...new Set(values.map(String))];
}

/** Every branch that may stand there. */
function nodesAt(schema: SchemaNode, path: readonly string[]): readonly SchemaNode[] {
  let nodes = branches(schema);
  for (const key of path)
    nodes = nodes
      .flatMap((node) => [node.properties?.[key], /^\d+$/.test(key) ? node.items : undefined])
      .filter((node) => node !== undefined)
      .flatMap(branches);
  return nodes;
}

function branches(node: SchemaNode): readonly SchemaNode[] {
  return node.anyOf === undefined ? [node] : node.anyOf.flatMap(branches);
}

function valueAt(value: unknown, keys: readonly string[]): unknown {
  let at = value;
  for (const key of keys) at = typeof at === 'object' && at !== null ? Reflect.get(at, key) : undefined;
  return at;
}

/** RFC 6901 §4. */
function unescaped(key: string): string {
  return key.replaceAll('~1', '/').replaceAll('~0', '~');
}
