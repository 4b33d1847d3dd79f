/**
 * A profile as a site writes it, in YAML: checked against the schema and compiled, so that a mistake is an error with
 * file, line, column and reason when the gateway starts and never at the thousandth instance.
 */
import { Compile } from 'typebox/compile';
import { LetheError } from '../core/errors.ts';
import { type SchemaNode, WrittenDocument } from '../core/written-document.ts';
import { type ProfileDocument, ProfileSchema } from './profile-schema.ts';

const TEXT_CHARACTERS_MAX = 1024 * 1024; // a profile is written by hand
let validator: ReturnType<typeof compileSchema> | undefined;

function compileSchema() {
  return Compile(ProfileSchema);
}

/** @throws DEID_PROFILE_INVALID with path, line, column, key and problem, also of what `compile` finds wrong */
export function parseProfile<Compiled>(
  text: string,
  path: string | undefined,
  compile: (document: ProfileDocument) => Compiled,
): Compiled {
  if (text.length > TEXT_CHARACTERS_MAX) {
    throw new LetheError('DEID_PROFILE_INVALID', { path, problem: 'too long', charactersMax: TEXT_CHARACTERS_MAX });
  }
  const document = new WrittenDocument(text, { code: 'DEID_PROFILE_INVALID', path });
  const { value } = document;
  validator ??= compileSchema();
  if (!validator.Check(value)) throw document.refusal(value, [...validator.Errors(value)], ProfileSchema as SchemaNode);
  try {
    return compile(value);
  } catch (error) {
    if (!(error instanceof LetheError) || error.code !== 'DEID_PROFILE_INVALID') throw error;
    const { key } = error.detail;
    throw document.fault(typeof key === 'string' ? key.split('.') : [], error.detail, error);
  }
}
