/**
 * Expressions of a site: none can be made to loop, whatever is matched. The hostile ones are known from the literature on
 * denial of service by regular expressions (OWASP's list, Davis et al. 2018, Weideman et al. 2016); what a match is has to
 * be what the runtime's own engine says, for expressions that mean the same to both.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  compilePattern,
  MATCHED_CHARACTERS_MAX,
  PATTERN_CHARACTERS_MAX,
  PatternProblem,
} from '../../src/core/pattern.ts';

/** An engine that backtracks would not come back from any of these in the lifetime of a machine. */
const NEVER_ENDING: readonly (readonly [pattern: string, pump: string, matches: boolean])[] = [
  ['^(a+)+$', 'a', false],
  ['^(a|a)*$', 'a', false],
  ['^(a|aa)+$', 'a', false],
  ['^(a|a?)+$', 'a', false],
  ['^([a-zA-Z]+)*$', 'a', false],
  ['([a-z]+)*=', 'a', false],
  ['^(([a-z])+.)+[A-Z]([a-z])+$', 'a', false],
  ['^(\\w+\\s?)+$', 'word ', false],
  ['(x+x+)+y', 'x', false],
  ['(.*a){20}', 'a', true],
  ['^(.*?,){25}P', '1,', false],
  ['^(a?){50}a{50}$', 'a', false],
  ['^(([0-9]+)*[.-]?)*$', '1', false],
  [
    '^([a-zA-Z0-9])(([\\-.]|[_]+)?([a-zA-Z0-9]+))*(@){1}[a-z0-9]+[.]{1}(([a-z]{2,3})|([a-z]{2,3}[.]{1}[a-z]{2,3}))$',
    'a',
    false,
  ],
];

/** Squares and cubes of the length, there. */
const POLYNOMIAL: readonly (readonly [pattern: string, pump: string, matches: boolean])[] = [
  ['\\d+\\d+x', '1', false],
  ['^\\s+|\\s+$', ' ', true],
  ['.*foo.*bar', 'foo', false],
  ['^[0-9,]+(,[0-9]+)+$', '1,', false],
  ['a*a*a*a*a*b', 'a', false],
];

describe('an expression that would loop in an engine that backtracks', () => {
  for (const [pattern, pump, matches] of [...NEVER_ENDING, ...POLYNOMIAL]) {
    test(`${pattern} has an answer for ${pump} without end`, () => {
      const compiled = compilePattern(pattern);
      const hostile = `${pump.repeat(MATCHED_CHARACTERS_MAX / pump.length - 1)}!`;
      assert.equal(compiled.matches(hostile), matches);
      assert.equal(compiled.replaced(hostile, '$&'), hostile);
    });
  }
});

describe('how far a value is looked at', () => {
  const before = 'a'.repeat(10_239);

  test('a condition looks at as many characters as an LT may have, and no further', () => {
    assert.equal(compilePattern('x').matches(`${before}x`), true);
    assert.equal(compilePattern('x').matches(`${before}ax`), false);
  });

  test('a replacement that would have to look further is not made', () => {
    assert.equal(compilePattern('x').replaced(`${before}x`, 'y'), `${before}y`);
    assert.equal(compilePattern('x').replaced(`${before}xa`, 'y'), undefined);
  });
});

describe('a replacement', () => {
  test('puts groups, names and the match where JavaScript would', () => {
    const { replaced } = compilePattern('(?<room>[A-Z]+)-(\\d+)');
    assert.equal(replaced('CT-12 and MR-7', '[$2:$1:$<room>:$&:$$]'), '[12:CT:CT:CT-12:$] and [7:MR:MR:MR-7:$]');
  });

  test('that looks at the rest of a long value again and again is not made', () => {
    const rescanning = compilePattern('a.*b|a');
    assert.equal(rescanning.replaced('a'.repeat(2800), 'x'), 'x'.repeat(2800));
    assert.equal(rescanning.replaced('a'.repeat(3000), 'x'), undefined);
    assert.equal(rescanning.replaced('a'.repeat(MATCHED_CHARACTERS_MAX), 'x'), undefined);
  });
});

describe('what cannot be bounded is refused, with its place and what to write instead', () => {
  const refused: readonly (readonly [string, number | undefined, RegExp])[] = [
    ['CT(?=Room)', 3, /put it back as \$1/],
    ['CT(?!Room)', 3, /put it back as \$1/],
    ['^(?:a|b)+(?=c)$', 10, /put it back as \$1/],
    ['(?<y>a)(?<=a)b', 8, /put it back as \$1/],
    ['(?=C)CT', 1, /put it back as \$1/],
    ['a(?>b)', 2, /put it back as \$1/],
    ['a\\cA', 2, /\\x\{e4\}/],
    ['a\\P{Letter}', 2, /\\p\{Lu\}/],
    ...[2, 3, 4, 5, 6, 7, 8, 9].map((group) => [`(a)\\${group}`, 4, /write out the alternatives/] as const),
    ['x(?<=a)b', 2, /put it back as \$1/],
    ['x(?<!a)b', 2, /put it back as \$1/],
    ['(a)(b)\\1', 7, /write out the alternatives/],
    ['\\\\1(a)\\1', 7, /write out the alternatives/],
    ['(?<y>a)\\k<y>', 8, /write out the alternatives/],
    ['M\\u00fcller', 2, /\\x\{e4\}/],
    ['ab{1001}', 3, /1000 at most/],
    ['(ab{100}){100}', 10, /1000 at most/],
    ['a\\p{Letter}', 2, /\\p\{Lu\}/],
    ['ab[c', 3, /closing \]/],
    ['a**', 2, /repetition/],
    ['ab\\', 3, /backslash/],
    ['a(b', undefined, /closing \)/],
    ['.{500}.{600}', undefined, /1102 steps/],
    ['.{999}', undefined, /1001 steps/],
    ['a'.repeat(PATTERN_CHARACTERS_MAX + 1), undefined, /256 characters/],
  ];
  for (const [source, at, words] of refused) {
    test(`${source.slice(0, 20)}`, () => {
      assert.throws(
        () => compilePattern(source),
        (error: unknown) => {
          assert.ok(error instanceof PatternProblem);
          assert.match(error.message, words);
          assert.equal(/at its character (\d+)/.exec(error.message)?.[1], at === undefined ? undefined : String(at));
          return true;
        },
      );
    });
  }
});

test('what is as long and as costly as may be is taken', () => {
  assert.ok(compilePattern('a'.repeat(PATTERN_CHARACTERS_MAX)).matches('a'.repeat(PATTERN_CHARACTERS_MAX)));
  assert.ok(compilePattern('.{998}').matches('a'.repeat(998)));
});

describe('a match is what the runtime says it is', () => {
  const atom = fc.constantFrom('a', 'b', '[ab]', '[^a]', '.', '\\d', '\\w', '\\bb', 'ä', '^', '$', '(?:a|bc)', '(b)');
  const piece = fc.tuple(atom, fc.constantFrom('', '', '*', '+', '?', '{2}', '{1,3}', '*?', '+?'));
  const source = fc
    .array(piece, { minLength: 1, maxLength: 5 })
    .map((pieces) => pieces.map(([one, times]) => (/^[\^$]/.test(one) ? one : one + times)).join(''));
  const pattern = fc.array(source, { minLength: 1, maxLength: 3 }).map((branches) => branches.join('|'));
  const text = fc.string({ unit: fc.constantFrom('a', 'b', 'c', '1', ' ', 'ä', '-'), maxLength: 12 });

  test('for generated expressions and values', () => {
    fc.assert(
      fc.property(pattern, text, (one, value) => {
        const own = compilePattern(one);
        assert.equal(own.matches(value), new RegExp(one, 'u').test(value));
        assert.equal(own.replaced(value, '<$&>'), value.replace(new RegExp(one, 'gu'), '<$&>'));
      }),
      { numRuns: 1000 },
    );
  });
});
