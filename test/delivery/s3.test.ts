import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { type DeliverableInstance, dicomFileOf } from '../../src/delivery/destination.ts';
import { type S3Options, s3Destination } from '../../src/delivery/s3/s3.ts';
import { encodeKey, type RequestToSign, type SigningKey, signedHeaders } from '../../src/delivery/s3/signature.ts';
import { deliverable, PICTURE } from './deliverable.ts';
import { destinationContract } from './destination.contract.ts';
import { fakeS3 } from './fake-s3.ts';

/** The key of the examples in the Amazon S3 API Reference. */
const KEY: SigningKey = {
  accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
  region: 'us-east-1',
};
const AT = Date.parse('2013-05-24T00:00:00Z');
const HOST = 'examplebucket.s3.amazonaws.com';
const signal = new AbortController().signal;

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const signatureOf = (headers: Record<string, string>) =>
  /Signature=([0-9a-f]{64})$/.exec(headers['authorization'] ?? '')?.[1];

test('the published examples of Signature Version 4 are met', () => {
  const examples: [Omit<RequestToSign, 'host'>, string][] = [
    [
      { method: 'GET', path: '/test.txt', headers: { range: 'bytes=0-9' }, payloadSha256: sha256('') },
      'f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41',
    ],
    [
      {
        method: 'PUT',
        path: encodeKey('/test$file.text'),
        headers: { date: 'Fri, 24 May 2013 00:00:00 GMT', 'x-amz-storage-class': 'REDUCED_REDUNDANCY' },
        payloadSha256: sha256('Welcome to Amazon S3.'),
      },
      '98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd',
    ],
    [
      { method: 'GET', path: '/', query: { lifecycle: '' }, payloadSha256: sha256('') },
      'fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543',
    ],
    [
      { method: 'GET', path: '/', query: { 'max-keys': '2', prefix: 'J' }, payloadSha256: sha256('') },
      '34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7',
    ],
  ];
  for (const [request, signature] of examples) {
    assert.equal(signatureOf(signedHeaders({ host: HOST, ...request }, KEY, AT)), signature);
  }
});

const BOTOCORE = spawnSync('python3', ['-c', 'import botocore']).status === 0;

test('odd keys, queries and session tokens are signed as botocore signs them', {
  skip: !BOTOCORE && 'no botocore',
}, () => {
  const path = encodeKey("/a b/ü+~(1)*'!=&.dcm");
  const query = { uploadId: 'a+b/c=d e', partNumber: '10' };
  const key = { ...KEY, sessionToken: 'token/+=' };
  const request: RequestToSign = { method: 'PUT', host: HOST, path, query, payloadSha256: sha256('x') };
  const script = `
import sys, json, datetime
import botocore.auth as a
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
q = json.load(sys.stdin)
class At(datetime.datetime):
    @classmethod
    def now(cls, tz=None): return cls(2013, 5, 24, tzinfo=datetime.timezone.utc)
    @classmethod
    def utcnow(cls): return cls(2013, 5, 24)
a.get_current_datetime = lambda *x, **y: At(2013, 5, 24)
a.datetime = datetime
signer = a.S3SigV4Auth(Credentials(q['id'], q['secret'], q['token']), 's3', 'us-east-1')
r = AWSRequest(method='PUT', url='https://' + q['host'] + q['path'] + '?' + q['query'], headers={'X-Amz-Content-SHA256': q['sha256']})
r.context['timestamp'] = '20130524T000000Z'
r.context['payload_signing_enabled'] = True
r.data = b'x'
signer.add_auth(r)
print(r.headers['Authorization'].rsplit('Signature=', 1)[1])
`;
  const input = JSON.stringify({
    id: KEY.accessKeyId,
    secret: KEY.secretAccessKey,
    token: key.sessionToken,
    host: HOST,
    path,
    query: 'partNumber=10&uploadId=a%2Bb%2Fc%3Dd%20e',
    sha256: sha256('x'),
  });
  const theirs = execFileSync('python3', ['-c', script], { input, encoding: 'utf8' }).trim();
  assert.equal(signatureOf(signedHeaders(request, key, AT)), theirs);
});

const fileOf = ({ manifest, open }: DeliverableInstance) => {
  const source = open(dicomFileOf(manifest));
  return Buffer.from(source.read(0, source.size));
};
const keyOf = ({ manifest }: DeliverableInstance, extension = 'dcm') =>
  `site/${manifest.studyInstanceUid}/${manifest.seriesInstanceUid}/${manifest.sopInstanceUid}.${extension}`;

async function opened(options: Partial<S3Options> = {}) {
  const s3 = await fakeS3();
  const { accessKeyId, secretAccessKey, region } = KEY;
  const destination = s3Destination('archive', {
    url: s3.url,
    prefix: 'site',
    accessKeyId,
    secretAccessKey,
    region,
    ...options,
  });
  return {
    s3,
    destination,
    stored: async (instance: DeliverableInstance) => s3.objects.get(keyOf(instance))?.bytes,
    expected: fileOf,
    count: async () => [...s3.objects.keys()].filter((key) => key.endsWith('.dcm')).length,
    down: () => s3.close(),
    dispose: () => s3.close(),
  };
}

destinationContract('s3', { instance: () => deliverable(), open: () => opened() });

test('images are put before the DICOM object, each with its media type', async () => {
  const { s3, destination, dispose } = await opened();
  const instance = deliverable();
  await destination.deliver([instance], signal);
  assert.deepEqual([...s3.objects.keys()], [keyOf(instance, 'jpg'), keyOf(instance)]);
  assert.deepEqual(
    [...s3.objects.values()].map((object) => object.contentType),
    ['image/jpeg', 'application/dicom'],
  );
  assert.ok(s3.objects.get(keyOf(instance, 'jpg'))?.bytes.equals(PICTURE));
  await destination.close();
  await dispose();
});

test('a large object goes in parts and arrives whole', async () => {
  const { s3, destination, stored, dispose } = await opened({ partBytes: 100_000, contents: 'dicom' });
  const dicom = Buffer.from(Array.from({ length: 250_001 }, (_value, index) => index % 253));
  const instance = deliverable({ dicom });
  const [outcome] = await destination.deliver([instance], signal);
  assert.equal(outcome?.kind, 'delivered');
  assert.deepEqual(s3.operations, ['POST uploads', 'PUT part', 'PUT part', 'PUT part', 'POST complete']);
  assert.ok((await stored(instance))?.equals(dicom));
  await destination.close();
  await dispose();
});

test('the parts of an upload that fails are removed, and it is owed again', async () => {
  const { s3, destination, dispose } = await opened({ partBytes: 100_000, contents: 'dicom' });
  for (const failing of ['PUT part', 'POST complete'] as const) {
    s3.fail(failing, 503, 'SlowDown');
    const [outcome] = await destination.deliver([deliverable({ dicom: Buffer.alloc(150_000) })], signal);
    assert.deepEqual(outcome, { kind: 'failed', code: 'DELIVERY_BUSY', detail: 'status=503 SlowDown' });
    assert.equal(s3.operations.at(-1), 'DELETE upload');
  }
  assert.equal(s3.uploads.size, 0);
  await destination.close();
  await dispose();
});

test('putting together that answers 200 and then says that it failed is owed again', async () => {
  const { s3, destination, dispose } = await opened({ partBytes: 100_000, contents: 'dicom' });
  s3.fail('POST complete', 200, 'InternalError');
  const [outcome] = await destination.deliver([deliverable({ dicom: Buffer.alloc(150_000) })], signal);
  assert.equal(outcome?.kind === 'failed' && outcome.code, 'DELIVERY_BUSY');
  await destination.close();
  await dispose();
});

const REFUSALS: readonly [number, string, string][] = [
  [403, 'AccessDenied', 'DELIVERY_AUTH_FAILED'],
  [403, 'RequestTimeTooSkewed', 'DELIVERY_AUTH_FAILED'],
  [404, 'NoSuchBucket', 'DELIVERY_UNREACHABLE'],
  [400, 'RequestTimeout', 'DELIVERY_BUSY'],
  [400, 'ExpiredToken', 'DELIVERY_AUTH_FAILED'],
  [503, 'SlowDown', 'DELIVERY_BUSY'],
  [400, 'EntityTooLarge', 'DELIVERY_REJECTED'],
];

for (const [status, s3Code, code] of REFUSALS) {
  test(`${status} ${s3Code} is ${code}`, async () => {
    const { s3, destination, dispose } = await opened();
    s3.fail('PUT object', status, s3Code);
    const [outcome] = await destination.deliver([deliverable()], signal);
    assert.deepEqual(outcome, { kind: 'failed', code, detail: `status=${status} ${s3Code}` });
    await destination.close();
    await dispose();
  });
}
