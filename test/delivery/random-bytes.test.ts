/** Whatever a destination answers, judging it ends in an outcome. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ERRORS } from '../../src/core/errors.ts';
import { codeOfStatus, failureOf, outcomeOfError, retryAfter } from '../../src/delivery/http-failure.ts';
import { parseContract } from '../../src/delivery/image-api/contract.ts';
import { outcomeOfStoreStatus } from '../../src/delivery/store-status.ts';
import { parseStoreResponse } from '../../src/delivery/stow-rs/store-response.ts';

test('response modules of any shape', () => {
  const keys = fc.constantFrom('00081198', '00081199', '00081155', '00081197', 'Value', 'vr');
  const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
    tree: fc.oneof(fc.jsonValue(), fc.dictionary(keys, tie('tree')), fc.array(tie('tree'), { maxLength: 3 })),
  }));
  fc.assert(fc.property(tree, (module) => void parseStoreResponse(Buffer.from(JSON.stringify(module)))));
});

test('every status is an outcome whose code is a row of the table', () => {
  fc.assert(
    fc.property(fc.nat(0xffff), (status) => {
      const outcome = outcomeOfStoreStatus(status);
      assert.ok(outcome.kind === 'delivered' || outcome.code in ERRORS);
    }),
  );
  fc.assert(fc.property(fc.integer(), (status) => assert.ok(codeOfStatus(status) in ERRORS)));
});

test('a Retry-After of any text is nothing or between now and a day', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.nat().map(String),
        fc.date({ noInvalidDate: true }).map((date) => date.toUTCString()),
      ),
      (text) => {
        const ms = retryAfter(text, 1_790_000_000_000);
        assert.ok(ms === undefined || (ms >= 0 && ms <= 86_400_000));
      },
    ),
  );
});

test('anything that is thrown is an outcome', () => {
  fc.assert(
    fc.property(fc.anything(), (thrown) => {
      assert.ok(outcomeOfError(failureOf(thrown, false)).code in ERRORS);
    }),
  );
});

test('a document of any text is refused as configuration', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      assert.throws(() => parseContract(text), { code: 'CONFIG_INVALID' });
    }),
  );
});
