/**
 * The rows below are PS3.8 Table 9-10 written out: a column a state, `-` a blank cell. Compared cell by cell with two
 * independent readings of the Standard: the transition table of pynetdicom (`fsm.py`, all 123 cells) and the state classes
 * of dcm4che (`State.java`, what it takes of A-ASSOCIATE, P-DATA and A-RELEASE PDUs).
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LetheError } from '../../src/core/errors.ts';
import {
  ACTIONS,
  type Conditions,
  type Event,
  isPossible,
  type State,
  step,
  TABLE,
} from '../../src/dimse/upper-layer.ts';

//          Sta1 Sta2 Sta3 Sta4 Sta5 Sta6 Sta7 Sta8 Sta9 Sta10 Sta11 Sta12 Sta13
const ROWS = `
Evt1        AE-1 -    -    -    -    -    -    -    -    -     -     -     -
Evt2        -    -    -    AE-2 -    -    -    -    -    -     -     -     -
Evt3        -    AA-1 AA-8 -    AE-3 AA-8 AA-8 AA-8 AA-8 AA-8  AA-8  AA-8  AA-6
Evt4        -    AA-1 AA-8 -    AE-4 AA-8 AA-8 AA-8 AA-8 AA-8  AA-8  AA-8  AA-6
Evt5        AE-5 -    -    -    -    -    -    -    -    -     -     -     -
Evt6        -    AE-6 AA-8 -    AA-8 AA-8 AA-8 AA-8 AA-8 AA-8  AA-8  AA-8  AA-7
Evt7        -    -    AE-7 -    -    -    -    -    -    -     -     -     -
Evt8        -    -    AE-8 -    -    -    -    -    -    -     -     -     -
Evt9        -    -    -    -    -    DT-1 -    AR-7 -    -     -     -     -
Evt10       -    AA-1 AA-8 -    AA-8 DT-2 AR-6 AA-8 AA-8 AA-8  AA-8  AA-8  AA-6
Evt11       -    -    -    -    -    AR-1 -    -    -    -     -     -     -
Evt12       -    AA-1 AA-8 -    AA-8 AR-2 AR-8 AA-8 AA-8 AA-8  AA-8  AA-8  AA-6
Evt13       -    AA-1 AA-8 -    AA-8 AA-8 AR-3 AA-8 AA-8 AR-10 AR-3  AA-8  AA-6
Evt14       -    -    -    -    -    -    -    AR-4 AR-9 -     -     AR-4  -
Evt15       -    -    AA-1 AA-2 AA-1 AA-1 AA-1 AA-1 AA-1 AA-1  AA-1  AA-1  -
Evt16       -    AA-2 AA-3 -    AA-3 AA-3 AA-3 AA-3 AA-3 AA-3  AA-3  AA-3  AA-2
Evt17       -    AA-5 AA-4 AA-4 AA-4 AA-4 AA-4 AA-4 AA-4 AA-4  AA-4  AA-4  AR-5
Evt18       -    AA-2 -    -    -    -    -    -    -    -     -     -     AA-2
Evt19       -    AA-1 AA-8 -    AA-8 AA-8 AA-8 AA-8 AA-8 AA-8  AA-8  AA-8  AA-7
`
  .trim()
  .split('\n')
  .map((line) => line.trim().split(/\s+/));

const ACCEPTOR: Conditions = { role: 'acceptor', acceptable: true };
const REQUESTOR: Conditions = { role: 'requestor', acceptable: true };

/** PS3.8 Tables 9-6 to 9-9: the state each action leads to. */
const NEXT: Readonly<Record<string, State>> = {
  'AE-1': 'Sta4',
  'AE-2': 'Sta5',
  'AE-3': 'Sta6',
  'AE-4': 'Sta1',
  'AE-5': 'Sta2',
  'AE-6': 'Sta3',
  'AE-7': 'Sta6',
  'AE-8': 'Sta13',
  'DT-1': 'Sta6',
  'DT-2': 'Sta6',
  'AR-1': 'Sta7',
  'AR-2': 'Sta8',
  'AR-3': 'Sta1',
  'AR-4': 'Sta13',
  'AR-5': 'Sta1',
  'AR-6': 'Sta7',
  'AR-7': 'Sta8',
  'AR-9': 'Sta11',
  'AR-10': 'Sta12',
  'AA-1': 'Sta13',
  'AA-2': 'Sta1',
  'AA-3': 'Sta1',
  'AA-4': 'Sta1',
  'AA-5': 'Sta1',
  'AA-6': 'Sta13',
  'AA-7': 'Sta13',
  'AA-8': 'Sta13',
};

test('F2: the list has 19 events of 13 states, 123 of the cells filled, as Table 9-10', () => {
  assert.equal(ROWS.length, 19);
  assert.ok(ROWS.every((row) => row.length === 14));
  assert.equal(ROWS.flatMap((row) => row.slice(1)).filter((cell) => cell !== '-').length, 123);
});

for (const [event, ...cells] of ROWS)
  test(`F2: ${event} does in every state what Table 9-10 says, and nothing where it is blank`, () => {
    for (const [index, cell] of cells.entries()) {
      const state = `Sta${index + 1}` as State;
      const at = `${state} ${event}`;
      assert.equal(TABLE[event as Event][state] ?? '-', cell, at);
      assert.equal(isPossible(state, event as Event), cell !== '-', at);
      if (cell === '-') {
        assert.throws(
          () => step(state, event as Event, ACCEPTOR),
          (error) => error instanceof LetheError && error.code === 'INVARIANT',
          at,
        );
      } else if (cell !== 'AR-8') assert.equal(step(state, event as Event, ACCEPTOR).next, NEXT[cell], at);
    }
  });

test('F8: a release collision depends on who asked for the association (AR-8)', () => {
  assert.equal(step('Sta7', 'Evt12', REQUESTOR).next, 'Sta9');
  assert.equal(step('Sta7', 'Evt12', ACCEPTOR).next, 'Sta10');
  assert.deepEqual(step('Sta9', 'Evt14', REQUESTOR).effects, ['send A-RELEASE-RP']);
  assert.deepEqual(step('Sta10', 'Evt13', ACCEPTOR).effects, ['confirm A-RELEASE']);
});

/** PS3.8 Tables 9-6 to 9-9, in the words of `Effect`: what each action sends and tells, and whether it closes. */
const WHAT: Readonly<Record<string, readonly string[]>> = {
  'AE-1': ['connect'],
  'AE-2': ['send A-ASSOCIATE-RQ'],
  'AE-3': ['confirm A-ASSOCIATE (accept)'],
  'AE-4': ['confirm A-ASSOCIATE (reject)', 'close'],
  'AE-5': [],
  'AE-6': ['indicate A-ASSOCIATE'],
  'AE-7': ['send A-ASSOCIATE-AC'],
  'AE-8': ['send A-ASSOCIATE-RJ'],
  'DT-1': ['send P-DATA-TF'],
  'DT-2': ['indicate P-DATA'],
  'AR-1': ['send A-RELEASE-RQ'],
  'AR-2': ['indicate A-RELEASE'],
  'AR-3': ['confirm A-RELEASE', 'close'],
  'AR-4': ['send A-RELEASE-RP'],
  'AR-5': [],
  'AR-6': ['indicate P-DATA'],
  'AR-7': ['send P-DATA-TF'],
  'AR-9': ['send A-RELEASE-RP'],
  'AR-10': ['confirm A-RELEASE'],
  'AA-1': ['send A-ABORT (user)'],
  'AA-2': ['close'],
  'AA-3': ['indicate A-ABORT', 'close'],
  'AA-4': ['indicate A-P-ABORT'],
  'AA-5': [],
  'AA-6': [],
  'AA-7': ['send A-ABORT (provider)'],
  'AA-8': ['send A-ABORT (provider)', 'indicate A-P-ABORT'],
};

test('F2: every action sends and tells what Tables 9-6 to 9-9 say, and nothing else', () => {
  for (const [name, expected] of Object.entries(WHAT)) {
    const effects: readonly string[] = ACTIONS[name as keyof typeof ACTIONS].effects;
    assert.deepEqual(
      effects.filter((effect) => !effect.endsWith('ARTIM')),
      expected,
      name,
    );
  }
});

test('a request that the provider cannot take is rejected without asking the user (AE-6)', () => {
  const { next, effects } = step('Sta2', 'Evt6', { role: 'acceptor', acceptable: false });
  assert.equal(next, 'Sta13');
  assert.deepEqual(effects, ['stop ARTIM', 'send A-ASSOCIATE-RJ', 'start ARTIM']);
});

test('F3: ARTIM starts with the connection and whenever the close of the peer is awaited, and stops as it comes', () => {
  const starting = Object.entries(ACTIONS).filter(([, { effects }]) => effects.includes('start ARTIM' as never));
  assert.deepEqual(
    starting.map(([name]) => name),
    ['AE-5', 'AE-6 (unacceptable)', 'AE-8', 'AR-4', 'AA-1', 'AA-8'],
  );
  const stopping = Object.entries(ACTIONS).filter(([, { effects }]) => effects.includes('stop ARTIM' as never));
  assert.deepEqual(
    stopping.map(([name]) => name),
    ['AE-6', 'AE-6 (unacceptable)', 'AR-5', 'AA-2', 'AA-5'],
  );
});
