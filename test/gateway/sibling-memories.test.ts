/** A worker's memories: one for each profile and key, few of them, and none of a patient that left long ago. */
import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { bytesSource, MemorySink } from '../../src/core/bytes.ts';
import { deidentify } from '../../src/deid/deidentify.ts';
import { compileProfile } from '../../src/deid/profile.ts';
import { SiblingMemories } from '../../src/gateway/sibling-memories.ts';
import { buildPart10 } from '../build/data-set.ts';
import { INSTANCE, KEY } from '../deid/support/instance.ts';

const DEFAULT = compileProfile('default');
const BASIC = compileProfile('basic');
const OTHER_KEY = { bytes: new Uint8Array(32).fill(7), generation: 1 };

test('one for each profile, key and generation', () => {
  const memories = new SiblingMemories();
  const first = memories.of(DEFAULT, KEY);
  assert.equal(memories.of(DEFAULT, { bytes: new Uint8Array(KEY.bytes), generation: 1 }), first, 'a key is its bytes');
  const others = [
    memories.of(BASIC, KEY),
    memories.of(DEFAULT, OTHER_KEY),
    memories.of(DEFAULT, { ...KEY, generation: 2 }),
    memories.of(compileProfile('name: own\nbase: ps3.15\n'), KEY),
  ];
  assert.equal(new Set([first, ...others]).size, 5);
  assert.equal(memories.of(DEFAULT, KEY), first);
});

test('of many customers the last few are kept', () => {
  const memories = new SiblingMemories();
  const of = (customer: number) => memories.of(DEFAULT, { bytes: new Uint8Array(32).fill(customer), generation: 1 });
  const [first, second] = [of(1), of(2)];
  for (let customer = 3; customer <= 8; customer++) of(customer);
  assert.equal(of(1), first);
  of(9);
  assert.equal(of(1), first);
  assert.notEqual(of(2), second);
});

test('what is known of instances goes when nothing came for a minute, and can be learned again', () => {
  mock.timers.enable({ apis: ['setTimeout'] });
  try {
    const memories = new SiblingMemories();
    const file = buildPart10(INSTANCE);
    const reads = (): number => {
      let count = 0;
      const whole = bytesSource(file);
      const read = (...of: Parameters<typeof whole.read>) => {
        count++;
        return whole.read(...of);
      };
      memories.of(DEFAULT, KEY).read({ size: whole.size, read });
      return count;
    };
    const learn = () =>
      deidentify(bytesSource(file), new MemorySink(), {
        profile: DEFAULT,
        key: KEY,
        memory: memories.of(DEFAULT, KEY),
      });
    learn();
    mock.timers.tick(59_000);
    assert.equal(reads(), 1);
    mock.timers.tick(59_000);
    assert.equal(reads(), 1, 'the minute began anew');
    mock.timers.tick(60_000);
    assert.ok(reads() > 5);
    learn();
    assert.equal(reads(), 1);
  } finally {
    mock.timers.reset();
  }
});
