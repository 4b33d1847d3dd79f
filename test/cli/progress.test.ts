import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Progress } from '../../src/cli/progress.ts';

function recorder(interactive: boolean) {
  const raw: string[] = [];
  const notes: string[] = [];
  let now = 0;
  return {
    raw,
    notes,
    advance: (ms: number) => {
      now += ms;
    },
    clock: { nowMs: () => now, monotonicMs: () => now },
    terminal: {
      interactive,
      raw: (text: string) => void raw.push(text),
      note: (line: string) => void notes.push(line),
    },
  };
}

describe('progress', () => {
  it('redraws one line on a terminal, at most ten times a second, and ends in one summary', () => {
    const { raw, notes, advance, clock, terminal } = recorder(true);
    const progress = new Progress(terminal, { label: 'Sending', total: 4, unit: 'instances', clock });
    progress.step('CT 1');
    progress.step('CT 2');
    advance(2_000);
    progress.step('CT 3');
    progress.finish();
    const bars = raw.map((text) => text.replace('\r\u001b[2K', ''));
    assert.deepEqual(bars, [
      'Sending ███████░░░░░░░░░░░░░░░░░░░░░░░ 1/4 instances  CT 1',
      'Sending ██████████████████████░░░░░░░░ 3/4 instances  CT 3',
      '',
    ]);
    assert.deepEqual(notes, ['Sending: 3 instances in 2.0 s']);
  });

  it('says how long is left once that is more than a second', () => {
    const { raw, advance, clock, terminal } = recorder(true);
    const progress = new Progress(terminal, { label: 'Sending', total: 10, unit: 'instances', clock });
    advance(5_000);
    progress.update(5);
    assert.match(raw.join(''), /5\/10 instances, 5\.0 s left$/);
  });

  it('writes a plain line now and then where stderr is no terminal', () => {
    const { raw, notes, advance, clock, terminal } = recorder(false);
    const progress = new Progress(terminal, { label: 'Reading', total: undefined, unit: 'files', clock });
    progress.step();
    advance(6_000);
    progress.step();
    progress.finish('done');
    assert.deepEqual({ raw, notes }, { raw: [], notes: ['Reading: 2 files', 'done'] });
  });
});
