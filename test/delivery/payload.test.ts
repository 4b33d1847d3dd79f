import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { uploadBody } from '../../src/delivery/image-api/body.ts';
import {
  idempotencyKey,
  membersOf,
  payloadOf,
  planUploads,
  splitByMember,
} from '../../src/delivery/image-api/payload.ts';
import { deliverable } from './deliverable.ts';

/** Batches of up to six instances over two series, with texts that JSON must escape and frames of every length. */
const batches = fc.array(
  fc.record({
    seriesInstanceUid: fc.constantFrom('1.1', '1.2'),
    patientId: fc.constantFrom('P', 'a"b\\c', '\u0000\u2028é漢😀'),
    frames: fc.array(
      fc.uint8Array({ minLength: 1, maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
      { maxLength: 5 },
    ),
  }),
  { maxLength: 6 },
);
const limits = fc.record({ imagesMax: fc.integer({ min: 1, max: 4 }), bytesMax: fc.integer({ min: 1, max: 100 }) });

test('every image is in exactly one request, in order, within the limits, with its own study and series', () => {
  fc.assert(
    fc.property(batches, limits, (fields, limit) => {
      const batch = fields.map((one) => deliverable(one));
      const plans = planUploads(
        batch.map((one) => one.manifest),
        limit,
      );
      for (const { study, series, parts } of plans) {
        const bytes = parts.reduce((sum, part) => sum + part.image.bytes, 0);
        assert.ok(parts.length >= 1 && parts.length <= limit.imagesMax);
        assert.ok(parts.length === 1 || bytes <= limit.bytesMax);
        for (const { manifest } of parts) {
          assert.equal(manifest.seriesInstanceUid, series.seriesInstanceUid);
          assert.equal(manifest.patientId, study.patientId);
        }
      }
      const planned = plans.flatMap((plan) => plan.parts.map((part) => part.image.imageInstanceUid));
      const all = batch.flatMap((one) => one.manifest.images.map((image) => image.imageInstanceUid));
      assert.deepEqual(planned.sort(), all.sort());
    }),
  );
});

test('the body is the JSON of the payload, byte for byte as long as announced', () => {
  fc.assert(
    fc.property(batches, (fields) => {
      const batch = fields.map((one) => deliverable(one));
      for (const plan of planUploads(
        batch.map((one) => one.manifest),
        { imagesMax: 100, bytesMax: 1e6 },
      )) {
        const body = uploadBody(plan, batch);
        const text = Buffer.concat([...body.chunks()]);
        assert.equal(text.length, body.length);
        const expected = payloadOf(plan, (part) =>
          (fields[part.member]?.frames[part.image.frame - 1] ?? Buffer.alloc(0)).toString('base64'),
        );
        assert.deepEqual(JSON.parse(text.toString('utf8')), expected);
      }
    }),
  );
});

test('taken apart, a request is one request a member with the same images', () => {
  fc.assert(
    fc.property(batches, (fields) => {
      const batch = fields.map((one) => deliverable(one));
      for (const plan of planUploads(
        batch.map((one) => one.manifest),
        { imagesMax: 100, bytesMax: 1e6 },
      )) {
        const apart = splitByMember(plan);
        assert.ok(apart.every((one) => membersOf(one).length === 1));
        assert.deepEqual(
          apart.flatMap((one) => one.parts),
          plan.parts,
        );
        assert.equal(new Set(apart.map(idempotencyKey)).size, apart.length);
      }
    }),
  );
});
