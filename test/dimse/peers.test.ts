/** Foreign senders against the listener: DCMTK and Orthanc, plain and over TLS. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { generate } from 'selfsigned';
import { buildDataSet, buildPart10 } from '../build/data-set.ts';
import { CT_IMAGE_STORAGE, EXPLICIT_LITTLE } from '../build/pdu.ts';
import { type Orthanc, skipWithoutOrthanc, startOrthanc } from '../delivery/orthanc.ts';
import { skipWithoutProgram } from '../support/peers.ts';
import { startListener, until } from './listener.ts';

const folder = mkdtempSync(join(tmpdir(), 'lethe-dimse-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const TIMEOUT_MS = 30_000;

function elements(index: number, pixelBytes: number) {
  return [
    ['SOPClassUID', CT_IMAGE_STORAGE],
    ['SOPInstanceUID', `1.2.3.9.${index}`],
    ['Modality', 'CT'],
    ['PatientName', 'Nobody^Invented'],
    ['PatientID', 'X1'],
    ['StudyInstanceUID', '1.2.3.4'],
    ['SeriesInstanceUID', '1.2.3.4.5'],
    ['PixelData', 'OW', new Uint8Array(pixelBytes).fill(index)],
  ] as const;
}

function files(count: number, pixelBytes = 200_000): string[] {
  return Array.from({ length: count }, (_value, index) => {
    const path = join(folder, `${pixelBytes}-${index}.dcm`);
    writeFileSync(path, buildPart10(elements(index, pixelBytes), { transferSyntax: EXPLICIT_LITTLE }));
    return path;
  });
}

async function run(program: string, args: readonly string[]): Promise<{ code: number; output: string }> {
  const child = spawn(program, args, { env: { ...process.env, TCP_NODELAY: '1' }, timeout: TIMEOUT_MS });
  const output: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes: Buffer) => output.push(bytes));
  const [code] = await once(child, 'close');
  return { code: code ?? -1, output: Buffer.concat(output).toString() };
}

describe('DCMTK', { skip: skipWithoutProgram('storescu', 'echoscu', 'dcmsend'), timeout: TIMEOUT_MS }, () => {
  test('F19: echoscu is answered', async (context) => {
    const { port } = await startListener(context);
    const { code, output } = await run('echoscu', ['-v', '-aec', 'LETHE', '127.0.0.1', String(port)]);
    assert.equal(code, 0, output);
  });

  for (const [what, args] of [
    ['as it is', []],
    ['in PDUs of 4096 bytes', ['--max-pdu', '4096']],
    ['with every storage class proposed', ['--propose-implicit']],
  ] as const)
    test(`F5: storescu ${what} stores every byte`, async (context) => {
      const { port, stored, statuses } = await startListener(context);
      const { code, output } = await run('storescu', [
        ...args,
        '-aec',
        'LETHE',
        '127.0.0.1',
        String(port),
        ...files(5),
      ]);
      assert.equal(code, 0, output);
      assert.deepEqual(statuses, [0, 0, 0, 0, 0]);
      const first = stored.find(({ request }) => request.sopInstanceUid === '1.2.3.9.0');
      if (!args.includes('--propose-implicit' as never))
        assert.deepEqual(
          first?.bytes,
          Buffer.from(buildDataSet(elements(0, 200_000), { transferSyntax: EXPLICIT_LITTLE })),
        );
      assert.equal(first?.findings.studyInstanceUid, '1.2.3.4');
    });

  test('F15: dcmsend over several associations at once', async (context) => {
    const { port, stored, scp } = await startListener(context);
    const sent = files(10);
    const senders = [0, 1, 2, 3].map(() => run('dcmsend', ['-aec', 'LETHE', '127.0.0.1', String(port), ...sent]));
    for (const { code, output } of await Promise.all(senders)) assert.equal(code, 0, output);
    assert.equal(stored.length, 40);
    await until(() => scp.associationCount === 0);
  });

  test('F8: storescu that aborts instead of releasing loses nothing', async (context) => {
    const { port, stored } = await startListener(context);
    await run('storescu', ['--abort', '-aec', 'LETHE', '127.0.0.1', String(port), ...files(3)]);
    assert.equal(stored.length, 3);
  });

  test('F9: storescu to another AE title is told which of the two was wrong', async (context) => {
    const { port } = await startListener(context);
    const { code, output } = await run('storescu', ['-aec', 'OTHER', '127.0.0.1', String(port), ...files(1)]);
    assert.notEqual(code, 0);
    assert.match(output, /Called AE Title Not Recognized/i);
  });
});

interface Pair {
  readonly cert: string;
  readonly key: string;
}

describe('F26: DIMSE-TLS', { skip: skipWithoutProgram('storescu', 'echoscu'), timeout: TIMEOUT_MS }, () => {
  let ours: Pair;
  let theirs: Pair;
  before(async () => {
    ours = await pair('ours', 'lethe');
    theirs = await pair('theirs', 'modality');
  });

  async function pair(name: string, commonName: string): Promise<Pair> {
    const extensions = [{ name: 'subjectAltName' as const, altNames: [{ type: 7 as const, ip: '127.0.0.1' }] }];
    const made = await generate([{ name: 'commonName', value: commonName }], { keySize: 2048, extensions });
    const paths = { cert: join(folder, `${name}.pem`), key: join(folder, `${name}.key`) };
    writeFileSync(paths.cert, made.cert);
    writeFileSync(paths.key, made.private);
    return paths;
  }

  const tlsOf = (clientAuth: 'required' | 'optional' | 'none') => ({
    tls: { port: 0, cert: ours.cert, key: ours.key, ca: theirs.cert, clientAuth },
  });
  const sender = (port: number | undefined, ...more: string[]) =>
    run('storescu', [
      '+tls',
      theirs.key,
      theirs.cert,
      '+cf',
      ours.cert,
      '-aec',
      'LETHE',
      ...more,
      '127.0.0.1',
      String(port),
      ...files(3),
    ]);

  test('storescu +tls with both certificates stores, beside a plain port', async (context) => {
    const { scp, port, stored } = await startListener(context, {
      ...tlsOf('required'),
      peers: [{ aeTitle: 'STORESCU', tlsName: 'modality' }, { aeTitle: 'ECHOSCU' }],
    });
    const { code, output } = await sender(scp.ports.tls);
    assert.equal(code, 0, output);
    assert.equal(stored.length, 3);
    assert.equal(stored[0]?.facts.tls, true);
    assert.equal((await run('echoscu', ['-aec', 'LETHE', '127.0.0.1', String(port)])).code, 0);
    const plain = await run('storescu', ['-aec', 'LETHE', '127.0.0.1', String(port), ...files(1)]);
    assert.notEqual(plain.code, 0, 'the name of the certificate is part of who may send');
  });

  test('a client without a certificate is refused where one is required', async (context) => {
    const { scp, log } = await startListener(context, tlsOf('required'));
    const { code } = await run('echoscu', [
      '+tla',
      '+cf',
      ours.cert,
      '-aec',
      'LETHE',
      '127.0.0.1',
      String(scp.ports.tls),
    ]);
    assert.notEqual(code, 0);
    assert.ok(log.some(({ event }) => event === 'tls.failed'));
    const relaxed = await startListener(context, tlsOf('none'));
    const args = ['+tla', '+cf', ours.cert, '-aec', 'LETHE', '127.0.0.1', String(relaxed.scp.ports.tls)];
    assert.equal((await run('echoscu', args)).code, 0);
  });

  test('TLS 1.1 and cipher suites without forward secrecy are refused', async (context) => {
    const { scp } = await startListener(context, tlsOf('none'));
    for (const options of [
      { maxVersion: 'TLSv1.1', minVersion: 'TLSv1', ciphers: 'DEFAULT@SECLEVEL=0' },
      { maxVersion: 'TLSv1.2', ciphers: 'AES128-SHA:AES256-SHA@SECLEVEL=0' },
    ] as const) {
      const socket = connectTls({ port: scp.ports.tls ?? 0, host: '127.0.0.1', rejectUnauthorized: false, ...options });
      await assert.rejects(once(socket, 'secureConnect'));
    }
  });

  test('F4: handshakes that hang end by their own deadline and hold nobody up', async (context) => {
    const { scp, log } = await startListener(context, { ...tlsOf('required'), tlsHandshakeTimeoutMs: 500 });
    const hanging = Array.from({ length: 10 }, () => connectTcp(scp.ports.tls ?? 0, '127.0.0.1'));
    for (const socket of hanging) socket.on('error', () => undefined);
    assert.equal((await sender(scp.ports.tls)).code, 0);
    await Promise.all(hanging.map((socket) => (socket.closed ? undefined : once(socket, 'close'))));
    assert.equal(log.filter(({ event }) => event === 'tls.failed').length, 10);
  });

  test('a listener without a plain port is reached by TLS alone', async (context) => {
    const { scp } = await startListener(context, { ...tlsOf('required'), port: undefined });
    assert.equal(scp.ports.plain, 0);
    const args = ['+tls', theirs.key, theirs.cert, '+cf', ours.cert, '-aec', 'LETHE', '127.0.0.1'];
    assert.equal((await run('echoscu', [...args, String(scp.ports.tls)])).code, 0);
    const plain = await run('echoscu', ['-to', '2', '-aec', 'LETHE', '127.0.0.1', String(scp.ports.tls)]);
    assert.notEqual(plain.code, 0);
  });

  for (const [what, peer, accepted] of [
    ['its fingerprint', (sha256: string) => ({ tlsFingerprint: sha256 }), true],
    ['its alternative name', () => ({ aeTitle: 'STORESCU', tlsName: '127.0.0.1' }), true],
    ['its whole subject', () => ({ tlsName: 'CN=modality' }), true],
    ['another fingerprint', () => ({ tlsFingerprint: 'ab'.repeat(32) }), false],
    ['another name', () => ({ tlsName: 'modality2' }), false],
  ] as const)
    test(`F15: a peer known by ${what} is ${accepted ? 'let in' : 'refused'}`, async (context) => {
      const { fingerprint256 } = new X509Certificate(readFileSync(theirs.cert));
      const { scp, stored } = await startListener(context, { ...tlsOf('required'), peers: [peer(fingerprint256)] });
      const { code, output } = await sender(scp.ports.tls);
      assert.equal(code === 0, accepted, output);
      assert.equal(stored.length, accepted ? 3 : 0);
    });

  test('BCP 195 takes no finite-field Diffie-Hellman and no CBC; the Modified profile neither, and names CCM', async (context) => {
    const made = await generate([{ name: 'commonName', value: 'ec' }], { keyType: 'ec', curve: 'P-256' });
    const elliptic = { cert: join(folder, 'ec.pem'), key: join(folder, 'ec.key') };
    writeFileSync(elliptic.cert, made.cert);
    writeFileSync(elliptic.key, made.private);
    const works = async (profile: 'bcp195' | 'bcp195-modified', pair: Pair, ciphers: string) => {
      const { scp } = await startListener(context, { tls: { ...tlsOf('none').tls, ...pair, profile } });
      const where = { port: scp.ports.tls ?? 0, host: '127.0.0.1', rejectUnauthorized: false };
      const socket = connectTls({ ...where, maxVersion: 'TLSv1.2', ciphers: `${ciphers}@SECLEVEL=0` });
      const ok = await once(socket, 'secureConnect').then(
        () => true,
        () => false,
      );
      socket.destroy();
      return ok;
    };
    for (const profile of ['bcp195', 'bcp195-modified'] as const) {
      assert.equal(await works(profile, ours, 'ECDHE-RSA-AES256-GCM-SHA384'), true);
      assert.equal(await works(profile, ours, 'DHE-RSA-AES256-GCM-SHA384'), false);
      assert.equal(await works(profile, ours, 'ECDHE-RSA-AES256-SHA384'), false);
      assert.equal(await works(profile, elliptic, 'ECDHE-ECDSA-AES128-CCM'), profile === 'bcp195-modified');
    }
  });

  test('storescu in its non-downgrading BCP 195 profile reaches both profiles', async (context) => {
    for (const profile of ['bcp195', 'bcp195-modified'] as const) {
      const { scp, stored } = await startListener(context, { tls: { ...tlsOf('required').tls, profile } });
      const { code, output } = await sender(scp.ports.tls, '+py');
      assert.equal(code, 0, output);
      assert.equal(stored.length, 3);
    }
  });

  test('a client that asks for a name gets the certificate of that name, others the first', async (context) => {
    const other = await pair('other', 'research');
    const serverNames = [{ name: 'Research.Hospital', ...other }];
    const { scp } = await startListener(context, { tls: { ...tlsOf('none').tls, serverNames } });
    const served = async (servername: string) => {
      const where = { port: scp.ports.tls ?? 0, host: '127.0.0.1', rejectUnauthorized: false };
      const socket = connectTls({ ...where, servername });
      await once(socket, 'secureConnect');
      const name = socket.getPeerCertificate().subject.CN;
      socket.destroy();
      return name;
    };
    assert.equal(await served('research.hospital'), 'research');
    assert.equal(await served('elsewhere.hospital'), 'lethe');
    assert.equal(await served(''), 'lethe');
    const renewed = await pair('other', 'renewed');
    assert.equal(renewed.cert, other.cert);
    scp.reloadTls(Date.now());
    assert.equal(await served('research.hospital'), 'renewed');
  });

  test('F4: a handshake that stops half-way ends by its deadline too', async (context) => {
    const { scp, log } = await startListener(context, { ...tlsOf('none'), tlsHandshakeTimeoutMs: 300 });
    const socket = connectTcp(scp.ports.tls ?? 0, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write(Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03])); // a ClientHello, begun
    await once(socket, 'close');
    assert.ok(log.some(({ event }) => event === 'tls.failed'));
  });

  test('a new certificate is served without a restart', async (context) => {
    const options = tlsOf('none');
    const paths = { cert: join(folder, 'live.pem'), key: join(folder, 'live.key') };
    const install = async (name: string) => {
      const made = await generate([{ name: 'commonName', value: name }], { keySize: 2048 });
      writeFileSync(paths.cert, made.cert);
      writeFileSync(paths.key, made.private);
    };
    await install('before');
    const { scp, log } = await startListener(context, { tls: { ...options.tls, ...paths } });
    const served = async () => {
      const socket = connectTls({ port: scp.ports.tls ?? 0, host: '127.0.0.1', rejectUnauthorized: false });
      await once(socket, 'secureConnect');
      const name = socket.getPeerCertificate().subject.CN;
      socket.destroy();
      return name;
    };
    assert.equal(await served(), 'before');
    await install('after');
    scp.reloadTls(Date.now());
    assert.equal(await served(), 'after');
    assert.ok(log.some(({ event, fields }) => event === 'tls.reloaded' && 'expiresInDays' in fields));
    assert.ok((scp.tlsExpiresInDays(Date.now()) ?? 0) > 300);
  });
});

describe('Orthanc', { skip: skipWithoutOrthanc(), timeout: 60_000 }, () => {
  let orthanc: Orthanc;
  before(async () => {
    orthanc = await startOrthanc();
  });
  after(() => orthanc.kill());

  async function call(method: string, path: string, body: string | Buffer): Promise<string> {
    const response = await fetch(orthanc.dicomWeb.replace('/dicom-web', path), { method, body });
    return response.text();
  }

  test('sends what it has and is answered its C-ECHO', async (context) => {
    const { port, stored } = await startListener(context);
    const uploads = [0, 1, 2].map((index) =>
      Buffer.from(buildPart10(elements(index, 5000), { transferSyntax: EXPLICIT_LITTLE })),
    );
    const ids: string[] = [];
    for (const file of uploads) ids.push(JSON.parse(await call('POST', '/instances', file)).ID);
    await call('PUT', '/modalities/lethe', JSON.stringify({ AET: 'LETHE', Host: '127.0.0.1', Port: port }));
    assert.equal(await call('POST', '/modalities/lethe/echo', '{}'), '{}');
    const sent = JSON.parse(await call('POST', '/modalities/lethe/store', JSON.stringify(ids)));
    assert.equal(sent.FailedInstancesCount, 0);
    assert.deepEqual(stored.map(({ request }) => request.sopInstanceUid).toSorted(), [
      '1.2.3.9.0',
      '1.2.3.9.1',
      '1.2.3.9.2',
    ]);
  });
});
