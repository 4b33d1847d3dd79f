import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { framed, syslogMessage, syslogSender } from '../../src/audit/syslog.ts';
import { freePort } from '../delivery/orthanc.ts';
import { skipWithoutProgram } from '../support/peers.ts';
import { type Rsyslog, rsyslog } from '../support/rsyslog.ts';

const skip = skipWithoutProgram('rsyslogd');

async function repository(t: TestContext, protocol: 'tls' | 'udp'): Promise<Rsyslog> {
  const dir = mkdtempSync(join(tmpdir(), 'lethe-rsyslog-'));
  const receiver = await rsyslog(dir, protocol, await freePort());
  t.after(async () => {
    await receiver.stop();
    rmSync(dir, { recursive: true, force: true });
  });
  await receiver.start();
  return receiver;
}

test('a message has the header of RFC 5424 §6 and the identification of PS3.15 §A.6', () => {
  const text = syslogMessage('<AuditMessage/>', Date.parse('2026-03-02T21:30:00.120Z'), 'gate way');
  assert.equal(
    text,
    `<85>1 2026-03-02T21:30:00.120Z gateway lethe ${process.pid} DICOM+RFC3881 - \uFEFF<AuditMessage/>`,
  );
});

test('a frame counts octets and not characters (RFC 5425 §4.3.1)', () => {
  assert.equal(framed('ä').toString('utf8'), '2 ä');
});

for (const protocol of ['tls', 'udp'] as const) {
  test(`F27: rsyslog takes messages over ${protocol === 'tls' ? 'TLS (RFC 5425)' : 'UDP (RFC 5426)'}, whole and in order`, {
    skip,
  }, async (t) => {
    const receiver = await repository(t, protocol);
    const warnings: string[] = [];
    const warned = ({ name }: Error) => warnings.push(name);
    process.on('warning', warned);
    t.after(() => process.off('warning', warned));
    const host = '127.0.0.1';
    const { port } = receiver;
    const tls = { ca: readFileSync(receiver.ca, 'utf8') };
    const sender = syslogSender(protocol === 'udp' ? { protocol, host, port } : { protocol, host, port, tls });
    const texts = Array.from(
      { length: 20 },
      (_, index) => `<AuditMessage n="${index}">ä${'x'.repeat(index * 100)}</AuditMessage>`,
    );
    await sender.send(texts.map((text) => syslogMessage(text, 0)));
    sender.close();
    while (receiver.messages().length < texts.length) await new Promise((resolve) => setTimeout(resolve, 50));
    assert.deepEqual(receiver.messages(), texts);
    assert.ok(!warnings.includes('MaxListenersExceededWarning'), 'a message leaves nothing behind at the socket');
  });
}

test('F27: a repository whose certificate nobody we know signed is told nothing', { skip }, async (t) => {
  const receiver = await repository(t, 'tls');
  const sender = syslogSender({ protocol: 'tls', host: '127.0.0.1', port: receiver.port, tls: {} });
  await assert.rejects(sender.send([syslogMessage('<AuditMessage/>', 0)]), /AUDIT_SYSLOG_UNREACHABLE/);
  assert.deepEqual(receiver.messages(), []);
});
