/**
 * The declared schema of a profile: types, the published `profiles/profile.schema.json`, and the checks of what a site
 * writes all come from here. Unknown keys are refused.
 */
import Type, { type Static } from 'typebox';
import { PATTERN_CHARACTERS_MAX } from '../core/pattern.ts';
import type { ProfileOption } from './profile-options.ts';

const strict = { additionalProperties: false } as const;

export const OPTIONS: readonly ProfileOption[] = [
  'cleanPixelData',
  'cleanRecognizableVisualFeatures',
  'cleanGraphics',
  'cleanStructuredContent',
  'cleanDescriptors',
  'retainLongitudinalFullDates',
  'retainLongitudinalModifiedDates',
  'retainPatientCharacteristics',
  'retainDeviceIdentity',
  'retainUIDs',
  'retainSafePrivate',
  'retainInstitutionIdentity',
];

export const ACTIONS = [
  'keep',
  'remove',
  'empty',
  'dummy',
  'clean',
  'pseudonym',
  'shift',
  'replace',
  'regexReplace',
  'truncate',
  'generalise',
  'lookup',
  'encrypt',
] as const;

const Texts = Type.Union([Type.String(), Type.Array(Type.String(), { minItems: 1 })]);

const Condition = Type.Object(
  {
    element: Type.String({ description: 'Keyword or tag of a top-level element.' }),
    equals: Type.Optional(Texts),
    matches: Type.Optional(
      Type.String({
        maxLength: PATTERN_CHARACTERS_MAX,
        description: 'Regular expression (RE2; `(?i)` in front ignores case) on any of its values.',
      }),
    ),
    exists: Type.Optional(Type.Boolean()),
  },
  { ...strict, description: 'All that is given must hold.' },
);

const Rule = Type.Object(
  {
    name: Type.Optional(Type.String({ maxLength: 64, description: 'How explain names the rule.' })),
    element: Type.Optional(
      Type.Union([Type.String(), Type.Array(Type.String(), { minItems: 1 })], {
        description: 'Keyword, tag, or tag pattern such as (50xx,xxxx); one or several.',
      }),
    ),
    vr: Type.Optional(Type.String({ pattern: '^[A-Z]{2}$', description: 'Value Representation.' })),
    privateCreator: Type.Optional(
      Type.String({ description: 'Creator of the private block; element then is (gggg,xxee) with any block.' }),
    ),
    inside: Type.Optional(
      Type.String({
        description: 'Sequences around, outermost first, by keyword or tag, joined by dots; `top` for none.',
      }),
    ),
    sopClass: Type.Optional(Texts),
    source: Type.Optional(Type.String({ description: 'Configured name of the sender.' })),
    when: Type.Optional(Type.Array(Condition, { minItems: 1, description: 'Conditions on other elements.' })),
    action: Type.Unsafe<(typeof ACTIONS)[number]>({
      type: 'string',
      enum: ACTIONS,
      description: 'What is done with the element.',
    }),
    value: Type.Optional(Type.String({ description: 'Of replace and regexReplace: the new text ($1 for groups).' })),
    pattern: Type.Optional(
      Type.String({
        maxLength: PATTERN_CHARACTERS_MAX,
        description: 'Of regexReplace: regular expression (RE2; `(?i)` in front ignores case) of what is replaced.',
      }),
    ),
    length: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 10240, description: 'Of truncate: characters that stay.' }),
    ),
    to: Type.Optional(
      Type.Union([Type.Literal('year'), Type.Literal('month'), Type.Literal('decade')], {
        description: 'Of generalise: year or month of dates, decade of ages.',
      }),
    ),
    table: Type.Optional(
      Type.Record(Type.String(), Type.String(), {
        description: 'Of lookup: value to new value; a value not in it holds.',
      }),
    ),
  },
  strict,
);

export const ProfileSchema = Type.Object(
  {
    name: Type.String({ minLength: 1, maxLength: 32, pattern: '^[A-Za-z0-9][A-Za-z0-9 ._-]*$' }),
    description: Type.Optional(Type.String()),
    warning: Type.Optional(Type.String({ description: 'Said at start-up and beside every report.' })),
    base: Type.Union([Type.Literal('ps3.15'), Type.Literal('none')], {
      description: 'The Basic Profile of PS3.15 Annex E, or nothing but the rules.',
    }),
    options: Type.Optional(
      Type.Array(Type.Unsafe<ProfileOption>({ type: 'string', enum: OPTIONS }), {
        uniqueItems: true,
        description: 'Options of PS3.15 §E.3.',
      }),
    ),
    faces: Type.Optional(
      Type.Union([Type.Literal('ignore'), Type.Literal('flag'), Type.Literal('hold')], {
        description: 'What to do with volumes of the head that may show a face.',
      }),
    ),
    redact: Type.Optional(
      Type.Union([Type.Literal('all-text'), Type.Literal('identifiers'), Type.Literal('regions')], {
        description:
          'What of the text in pixels goes: all but harmless markings (default), only what names somebody known or was not read surely, or known regions alone.',
      }),
    ),
    documents: Type.Optional(
      Type.Union([Type.Literal('hold'), Type.Literal('remove')], {
        description:
          'Instances with an encapsulated document (PDF, CDA, STL, OBJ, MTL): held (the default), or delivered with an empty document.',
      }),
    ),
    issuer: Type.Optional(
      Type.Union([Type.Literal('ignore'), Type.Literal('distinguish')], {
        description:
          'Whether equal patient IDs of different issuers are different patients; ignored by default, since images of one patient often differ in it.',
      }),
    ),
    rules: Type.Optional(
      Type.Array(Rule, { maxItems: 1000, description: 'The first that matches an element decides.' }),
    ),
  },
  { ...strict, title: 'De-identification profile', $schema: 'https://json-schema.org/draft/2020-12/schema' },
);

export type ProfileDocument = Static<typeof ProfileSchema>;
export type RuleDocument = Static<typeof Rule>;
export type ConditionDocument = Static<typeof Condition>;
