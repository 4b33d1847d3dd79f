/**
 * The backend contract in force: an OpenAPI 3.0 or 3.1 document, ours (`contracts/backend.openapi.yaml`) or a newer one
 * that a customer brings. Everything sent is checked against it first, so that a refusal is ours, with a path, before
 * it is the backend's.
 *
 * References are resolved inside the document only; nothing is fetched. `images[].data` is special: hundreds of
 * megabytes of base64 are not worth a regular expression, so its length limits are checked by arithmetic and its
 * pattern on the first characters of the real value.
 *
 * API: `readContract(path?)`, `parseContract(text)` -> `BackendContract { imagesMax, receiptStatuses, check }`.
 */
import { fileURLToPath } from 'node:url';
import { Compile } from 'typebox/schema';
import { parse } from 'yaml';
import { readTextFile } from '../../core/bounded-file.ts';
import { LetheError } from '../../core/errors.ts';
import type { UploadPayload } from './payload.ts';

/** Where a backend takes images, relative to the destination's URL. */
export const UPLOAD_PATH = '/v1/images/upload';

const OUR_DOCUMENT = fileURLToPath(new URL('../../../contracts/backend.openapi.yaml', import.meta.url));
const DOCUMENT_BYTES_MAX = 4 * 1024 * 1024;
/** Deeper documents than any real one; guards the walk over a customer's file. */
const DEPTH_MAX = 100;
const FINDINGS_SHOWN = 5;

export interface BackendContract {
  /** `images.maxItems` of the document. */
  readonly imagesMax: number | undefined;
  /** The 2xx statuses the document declares: each is a receipt. */
  readonly receiptStatuses: ReadonlySet<number>;
  /**
   * What is wrong, by path and keyword and never by value; undefined when all is well. `data` of each image holds the
   * first characters only, `dataLengths` the lengths of the whole texts.
   */
  check(payload: UploadPayload, dataLengths: readonly number[]): string | undefined;
}

type Json = null | boolean | number | string | readonly Json[] | JsonObject;
type JsonObject = { readonly [name: string]: Json };

/** Reads the document in force; ours without a path. @throws CONFIG_UNREADABLE, CONFIG_INVALID */
export function readContract(path: string = OUR_DOCUMENT): BackendContract {
  return parseContract(readTextFile(path, DOCUMENT_BYTES_MAX));
}

/** Compiles a document (YAML or JSON). @throws CONFIG_INVALID */
export function parseContract(text: string): BackendContract {
  if (text.length > DOCUMENT_BYTES_MAX) throw invalid('the document is larger than 4 MiB');
  const root = parseDocument(text);
  const operation = objectAt(root, 'paths', UPLOAD_PATH, 'post');
  if (operation === undefined) throw invalid(`no operation POST ${UPLOAD_PATH}`);
  const resolved = asObject(resolve(operation, root, [], 0)) ?? {};
  const schema = objectAt(resolved, 'requestBody', 'content', 'application/json', 'schema');
  if (schema === undefined) throw invalid(`POST ${UPLOAD_PATH} declares no application/json body`);
  return compile(schema, receiptStatuses(resolved));
}

function compile(schema: JsonObject, statuses: ReadonlySet<number>): BackendContract {
  const images = objectAt(schema, 'properties', 'images') ?? {};
  const data = objectAt(images, 'items', 'properties', 'data') ?? {};
  const lengthMin = numberOf(data['minLength']) ?? 0;
  const lengthMax = numberOf(data['maxLength']) ?? Number.POSITIVE_INFINITY;
  const validator = compileSchema(withoutLengths(schema));
  return {
    imagesMax: numberOf(images['maxItems']),
    receiptStatuses: statuses,
    check(payload, dataLengths) {
      const badLength = dataLengths.findIndex((length) => length < lengthMin || length > lengthMax);
      if (badLength >= 0) return `/images/${badLength}/data length`;
      return validator.Check(payload) ? undefined : findings(validator.Errors(payload)[1]);
    },
  };
}

function compileSchema(schema: JsonObject) {
  try {
    return Compile(schema);
  } catch (cause) {
    throw new LetheError('CONFIG_INVALID', { what: 'openapi: the request schema does not compile' }, { cause });
  }
}

interface Finding {
  readonly keyword: string;
  readonly instancePath: string;
  readonly params: object;
}

/** `/study required patientId; /images/0/rescaleSlope type`: names from the document, nothing from the payload. */
function findings(errors: readonly Finding[]): string {
  const lines = errors.slice(0, FINDINGS_SHOWN).map((error) => {
    const missing = 'requiredProperties' in error.params ? ` ${String(error.params.requiredProperties)}` : '';
    return `${error.instancePath} ${error.keyword}${missing}`;
  });
  const more = errors.length > FINDINGS_SHOWN ? `; ${errors.length - FINDINGS_SHOWN} more` : '';
  return lines.join('; ') + more;
}

function receiptStatuses(operation: JsonObject): ReadonlySet<number> {
  const declared = Object.keys(objectAt(operation, 'responses') ?? {}).filter((status) => /^2\d\d$/.test(status));
  return new Set([200, ...declared.map(Number)]);
}

/** The schema without the length limits of `images[].data`, which `check` applies to the true length. */
function withoutLengths(schema: JsonObject): JsonObject {
  return change(schema, ['properties', 'images', 'items', 'properties', 'data'], (data) => {
    const { minLength: _minLength, maxLength: _maxLength, ...rest } = data;
    return rest;
  });
}

function change(node: JsonObject, path: readonly string[], edit: (node: JsonObject) => JsonObject): JsonObject {
  const [name, ...rest] = path;
  if (name === undefined) return edit(node);
  const child = asObject(node[name]);
  return child === undefined ? node : { ...node, [name]: change(child, rest, edit) };
}

/** Replaces every reference by what it names and OpenAPI 3.0's own keywords by those of JSON Schema. */
function resolve(node: Json, root: JsonObject, open: readonly string[], depth: number): Json {
  if (depth > DEPTH_MAX) throw invalid('the document is nested too deeply');
  if (isList(node)) return node.map((item) => resolve(item, root, open, depth + 1));
  const object = asObject(node);
  if (object === undefined) return node;
  const reference = object['$ref'];
  if (typeof reference === 'string') {
    if (open.includes(reference)) throw invalid(`${reference} refers to itself`);
    return resolve(lookUp(reference, root), root, [...open, reference], depth + 1);
  }
  const entries = Object.entries(object).map(([name, value]) => [name, resolve(value, root, open, depth + 1)] as const);
  return asJsonSchema(Object.fromEntries(entries));
}

/** OpenAPI 3.0.3 §4.7.24: `nullable`, and the boolean `exclusiveMinimum` and `exclusiveMaximum` of an older draft. */
function asJsonSchema(schema: JsonObject): JsonObject {
  const { nullable, exclusiveMinimum, exclusiveMaximum, ...rest } = schema;
  const result: Record<string, Json> = rest;
  if (typeof exclusiveMinimum !== 'boolean' && exclusiveMinimum !== undefined)
    result['exclusiveMinimum'] = exclusiveMinimum;
  if (typeof exclusiveMaximum !== 'boolean' && exclusiveMaximum !== undefined)
    result['exclusiveMaximum'] = exclusiveMaximum;
  if (exclusiveMinimum === true) moveBound(result, 'minimum', 'exclusiveMinimum');
  if (exclusiveMaximum === true) moveBound(result, 'maximum', 'exclusiveMaximum');
  if (nullable === true && typeof result['type'] === 'string') result['type'] = [result['type'], 'null'];
  return result;
}

function moveBound(schema: Record<string, Json>, from: string, to: string): void {
  const bound = schema[from];
  if (bound === undefined) return;
  delete schema[from];
  schema[to] = bound;
}

/** A JSON pointer (RFC 6901) into the document. */
function lookUp(reference: string, root: JsonObject): Json {
  if (!reference.startsWith('#/')) throw invalid(`${reference} points outside the document`);
  const names = reference
    .slice(2)
    .split('/')
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
  const target = objectAt(root, ...names);
  if (target === undefined) throw invalid(`${reference} names nothing`);
  return target;
}

function parseDocument(text: string): JsonObject {
  let document: Json;
  try {
    document = parse(text, { maxAliasCount: 100, logLevel: 'error' });
  } catch (cause) {
    throw new LetheError('CONFIG_INVALID', { what: 'openapi: neither YAML nor JSON' }, { cause });
  }
  const root = asObject(document);
  const version = root?.['openapi'];
  if (root === undefined || typeof version !== 'string' || !version.startsWith('3.'))
    throw invalid('not an OpenAPI 3 document');
  return root;
}

function objectAt(node: JsonObject, ...names: string[]): JsonObject | undefined {
  let current: JsonObject | undefined = node;
  for (const name of names) {
    if (current === undefined || !Object.hasOwn(current, name)) return undefined;
    current = asObject(current[name]);
  }
  return current;
}

function asObject(node: Json | undefined): JsonObject | undefined {
  return typeof node === 'object' && node !== null && !isList(node) ? node : undefined;
}

function isList(node: Json): node is readonly Json[] {
  return Array.isArray(node);
}

function numberOf(node: Json | undefined): number | undefined {
  return typeof node === 'number' ? node : undefined;
}

function invalid(what: string): LetheError {
  return new LetheError('CONFIG_INVALID', { what: `openapi: ${what}` });
}
