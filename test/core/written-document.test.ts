/** A document that a person wrote: where things stand, and complaints about what was meant. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import Type from 'typebox';
import { Compile } from 'typebox/compile';
import { LetheError } from '../../src/core/errors.ts';
import { nearestName } from '../../src/core/nearest.ts';
import { type SchemaNode, WrittenDocument } from '../../src/core/written-document.ts';

const strict = { additionalProperties: false } as const;
const Shape = Type.Union([
  Type.Object({ type: Type.Literal('circle'), radius: Type.Number() }, strict),
  Type.Object({ type: Type.Literal('square'), side: Type.Number() }, strict),
]);
const Schema = Type.Object(
  {
    title: Type.String(),
    colour: Type.Optional(Type.Union([Type.Literal('red'), Type.Literal('green')])),
    shapes: Type.Optional(Type.Array(Shape)),
    names: Type.Optional(Type.Record(Type.String(), Type.String())),
    size: Type.Optional(Type.Union([Type.Number(), Type.String()])),
    many: Type.Optional(Type.Array(Type.Unsafe<string>({ enum: Array.from({ length: 41 }, (_, n) => `n${n}`) }))),
  },
  strict,
);
const validator = Compile(Schema);

function refused(text: string): string {
  const document = new WrittenDocument(text, { code: 'CONFIG_INVALID', path: 'a.yaml' });
  assert.ok(!validator.Check(document.value));
  const { message } = document.refusal(document.value, [...validator.Errors(document.value)], Schema as SchemaNode);
  return /\[path=a\.yaml (.*)\]$/.exec(message)?.[1] ?? message;
}

describe('a complaint', () => {
  const known = 'known=title, colour, shapes, names, size, many';
  const complaints: readonly (readonly [string, string, string])[] = [
    [
      'a value that is none of several',
      'title: a\ncolour: grene\n',
      'line=2 column=9 key=colour problem=not one of the allowed values didYouMean=green allowed=red, green',
    ],
    [
      'one that is like none',
      'title: a\ncolour: ultramarine\n',
      'line=2 column=9 key=colour problem=not one of the allowed values allowed=red, green',
    ],
    [
      'one of very many',
      'title: a\nmany: [n1, n4l]\n',
      'line=2 column=12 key=many.1 problem=not one of the allowed values didYouMean=n4',
    ],
    [
      'a key that there is not, at the key',
      'title: a\n  \ncolor:   red\n',
      `line=3 column=1 key=color problem=unknown key didYouMean=colour ${known}`,
    ],
    ['a key without a value', 'title: a\nxyzzyx:\n', `line=2 column=1 key=xyzzyx problem=unknown key ${known}`],
    [
      'a key of no kind of entry',
      'title: a\nshapes:\n  - type: circle\n    raduis: 1\n',
      'line=4 column=5 key=shapes.0.raduis problem=unknown key didYouMean=radius known=type, radius, side',
    ],
    [
      'a kind of entry that there is not',
      'title: a\nshapes:\n  - type: cirle\n    radius: 1\n',
      'line=3 column=11 key=shapes.0.type problem=not one of the allowed values didYouMean=circle allowed=circle, square',
    ],
    [
      'a key of another kind of entry',
      'title: a\nshapes: [{ type: square, side: 1, radius: 2 }]\n',
      'line=2 column=35 key=shapes.0.radius problem=a key that does not belong here',
    ],
    [
      'a value of the wrong kind',
      'title: a\nshapes: [{ type: square, side: long }]\n',
      'line=2 column=32 key=shapes.0.side problem=must be number',
    ],
    [
      'one that may be of two kinds',
      'title: a\nsize: [1]\n',
      'line=2 column=7 key=size problem=must be number or string',
    ],
    ['something that is not there', 'colour: red\n', 'key=(top) problem=must have required properties title'],
    ['nothing at all', '', 'key=(top) problem=must be object'],
    [
      "a value under a name of the writer's own, without the name",
      'title: a\nnames:\n  ~/a~0 x: 5\n',
      'line=3 column=12 key=names problem=must be string',
    ],
  ];
  for (const [what, text, words] of complaints) test(`about ${what}`, () => assert.equal(refused(text), words));
});

describe('a document', () => {
  const origin = { code: 'CONFIG_INVALID', path: 'a.yaml' } as const;
  const fault = (text: string): LetheError => {
    try {
      new WrittenDocument(text, origin);
    } catch (error) {
      assert.ok(error instanceof LetheError);
      return error;
    }
    assert.fail('it was taken');
  };

  test('that is no YAML, or has a key twice, is refused with its place', () => {
    assert.match(fault('a: [1,\nb: 2').message, /path=a\.yaml line=2 column=\d+ problem=/);
    assert.match(fault('a: 1\nb: 2\na: 3\n').message, /line=3 column=1 problem=Map keys must be unique/);
  });

  test('of which aliases stand for too many values is refused at the first of them', () => {
    const ten = (what: string) => `[${Array.from({ length: 10 }, () => what).join(', ')}]`;
    const bomb = `a: &a ${ten('x')}\nb: &b ${ten('*a')}\nc: &c ${ten('*b')}\nd: ${ten('*c')}\n`;
    assert.match(fault(bomb).message, /line=2 column=8 problem=aliases cannot be followed/);
    assert.deepEqual(new WrittenDocument('a: &a [1]\nb: *a\n', origin).value, { a: [1], b: [1] });
  });

  test('knows where each value stands, or what is around it', () => {
    const document = new WrittenDocument('a:\n  - b: 1\n    c: "x"\n', origin);
    assert.deepEqual(document.placeOf(['a', 0, 'c']), { line: 3, column: 8 });
    assert.deepEqual(document.placeOf(['a', '0', 'c']), { line: 3, column: 8 });
    assert.deepEqual(document.placeOf(['a', 0, 'd']), { line: 2, column: 5 });
    assert.deepEqual(document.placeOf(['z']), {});
  });

  test('tells what compiling found with the words that it was given', () => {
    const document = new WrittenDocument('a: 1\n', origin);
    const cause = new Error('why');
    const error = document.fault(['a'], { problem: 'bad' }, cause);
    assert.match(error.message, /\[path=a\.yaml line=1 column=4 problem=bad\]/);
    assert.equal(error.cause, cause);
  });
});

test('the nearest name is near enough to be meant, whatever its case', () => {
  assert.equal(nearestName('retainuids', ['retainUIDs', 'cleanGraphics']), 'retainUIDs');
  assert.equal(nearestName('abc', ['abd', 'xyz']), 'abd');
  assert.equal(nearestName('abc', ['xyz']), undefined);
  assert.equal(nearestName('abc', []), undefined);
});
