/** rsyslog as an audit repository: TLS (RFC 5425) with its own certificate, or UDP (RFC 5426); what it took is a file. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { generate } from 'selfsigned';
import { findProgram } from './peers.ts';

export interface Rsyslog {
  readonly port: number;
  /** PEM file of the authority that signed it. */
  readonly ca: string;
  start(): Promise<void>;
  stop(): Promise<void>;
  /** The text of each message, without its syslog header. */
  messages(): string[];
}

const START_MS_MAX = 15_000;

export async function rsyslog(dir: string, protocol: 'tls' | 'udp', port: number): Promise<Rsyslog> {
  mkdirSync(dir, { recursive: true });
  const { cert, private: key } = await generate([{ name: 'commonName', value: 'localhost' }], {
    algorithm: 'sha256',
    extensions: [
      {
        name: 'subjectAltName',
        altNames: [
          { type: 7, ip: '127.0.0.1' },
          { type: 2, value: 'localhost' },
        ],
      },
    ],
  });
  const file = (name: string, text: string) => {
    writeFileSync(join(dir, name), text);
    return join(dir, name);
  };
  const ca = file('cert.pem', cert);
  const output = join(dir, 'messages');
  const input =
    protocol === 'udp'
      ? `module(load="imudp")\ninput(type="imudp" address="127.0.0.1" port="${port}" ruleset="audit")`
      : `module(load="imtcp" StreamDriver.Name="gtls" StreamDriver.Mode="1" StreamDriver.AuthMode="anon")
input(type="imtcp" address="127.0.0.1" port="${port}" ruleset="audit" supportOctetCountedFraming="on")`;
  const configuration = file(
    'rsyslog.conf',
    `global(workDirectory="${dir}" maxMessageSize="256k" DefaultNetstreamDriverCAFile="${ca}"
  DefaultNetstreamDriverCertFile="${ca}" DefaultNetstreamDriverKeyFile="${file('key.pem', key)}" parser.escapeControlCharactersOnReceive="off")
template(name="text" type="string" string="%APP-NAME% %MSGID% %msg%\\n")
ruleset(name="audit") { action(type="omfile" file="${output}" template="text") }
${input}
`,
  );
  let child: ChildProcess | undefined;
  return {
    port,
    ca,
    async start() {
      child = spawn(findProgram('rsyslogd') ?? 'rsyslogd', ['-n', '-f', configuration, '-i', join(dir, 'pid')], {
        stdio: 'ignore',
      });
      await listening(protocol, port);
    },
    async stop() {
      const running = child;
      child = undefined;
      if (running === undefined || running.exitCode !== null) return;
      const ended = new Promise((resolve) => running.once('exit', resolve));
      running.kill('SIGTERM'); // it writes what it has
      await ended;
    },
    messages() {
      if (!existsSync(output)) return [];
      const lines = readFileSync(output, 'utf8')
        .split('\n')
        .filter((line) => line !== '');
      return lines.map((line) => /^lethe DICOM\+RFC3881 \uFEFF?(.*)$/.exec(line)?.[1] ?? line);
    },
  };
}

async function listening(protocol: 'tls' | 'udp', port: number): Promise<void> {
  const endMs = performance.now() + START_MS_MAX;
  while (performance.now() < endMs) {
    if (await (protocol === 'tls' ? takesConnections(port) : isBound(port))) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('rsyslog did not start');
}

function takesConnections(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

/** The port cannot be had any more. */
function isBound(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    socket.once('error', () => resolve(true));
    socket.bind(port, '127.0.0.1', () => socket.close(() => resolve(false)));
  });
}
