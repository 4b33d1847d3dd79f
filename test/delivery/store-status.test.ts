import assert from 'node:assert/strict';
import { test } from 'node:test';
import { outcomeOfStoreStatus } from '../../src/delivery/store-status.ts';

/** PS3.4 Table B.2-1, PS3.7 Annex C, PS3.18 Table I.2-2; ranges by their ends. */
const STATUSES: readonly [number, string][] = [
  [0x0000, 'delivered'], // Success
  [0xb000, 'delivered'], // Coercion of data elements
  [0xb006, 'delivered'], // Elements discarded
  [0xb007, 'delivered'], // Data set does not match SOP class (warning)
  [0x0107, 'delivered'], // Attribute list error
  [0x0116, 'delivered'], // Attribute value out of range
  [0x0111, 'delivered'], // Duplicate SOP Instance
  [0xa700, 'DELIVERY_BUSY'], // Out of resources
  [0xa7ff, 'DELIVERY_BUSY'],
  [0x0110, 'DELIVERY_BUSY'], // Processing failure
  [0x0213, 'DELIVERY_BUSY'], // Resource limitation
  [0x0122, 'DIMSE_NO_CONTEXT'], // SOP Class not supported
  [0x0124, 'DELIVERY_AUTH_FAILED'], // Not authorized
  [0xa900, 'DELIVERY_REJECTED'], // Data set does not match SOP class
  [0xa9ff, 'DELIVERY_REJECTED'],
  [0xc000, 'DELIVERY_REJECTED'], // Cannot understand
  [0xcfff, 'DELIVERY_REJECTED'],
  [0xc122, 'DELIVERY_REJECTED'], // Transfer syntax not supported
  [0x0117, 'DELIVERY_REJECTED'], // Invalid SOP Instance
  [0x0210, 'DELIVERY_REJECTED'], // Duplicate invocation
  [0xfe00, 'DELIVERY_REJECTED'],
];

for (const [status, expected] of STATUSES) {
  const text = status.toString(16).toUpperCase().padStart(4, '0');
  test(`status ${text}H is ${expected}`, () => {
    const outcome = outcomeOfStoreStatus(status);
    assert.equal(outcome.kind === 'failed' ? outcome.code : outcome.kind, expected);
    assert.ok((outcome.kind === 'failed' ? outcome.detail : outcome.receipt)?.includes(`${text}H`));
  });
}

test('F29: what a status means is policy of the destination: the first list that has it decides', () => {
  const policy = { delivered: ['C2xx'], retry: ['0124', 'A9XX'], hold: ['A7xx', 'A900', 'C2FF'] };
  const kinds = [0xc201, 0xc2ff, 0x0124, 0xa900, 0xa9ff, 0xa700, 0x0110].map((status) => {
    const outcome = outcomeOfStoreStatus(status, policy);
    return outcome.kind === 'failed' ? outcome.code : outcome.kind;
  });
  assert.deepEqual(kinds, [
    'delivered',
    'delivered',
    'DELIVERY_BUSY',
    'DELIVERY_BUSY',
    'DELIVERY_BUSY',
    'DELIVERY_REJECTED',
    'DELIVERY_BUSY',
  ]);
  assert.equal(outcomeOfStoreStatus(0, policy).kind, 'delivered');
});
