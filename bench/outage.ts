/**
 * A backend that is down while instances keep coming. In turns, a window with the backend up and one with it down, the same
 * number of instances sent as fast as they are taken: what receiving costs then. Afterwards the backend comes back:
 * how fast what waited is delivered beside the rate with everything well, in which order the studies arrive, and how
 * many requests the backend saw while it was down and in the first second after.
 *
 *   node bench/outage.ts [--rounds N] [--json]
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { connect, flowOf, Instances, type LoadedGateway, look, owedIn, quantile, startGateway, store } from './load.ts';

const WINDOW_INSTANCES = 240;
const SENDERS = 2;

/** As little of a backend as possible, so that it does not measure itself: it takes all, or is down. */
class Door {
  readonly #server = createServer((request, response) => void this.#serve(request, response));
  isDown = false;
  /** When requests came while it was down or up (monotonic), and studies in the order of their first and last image. */
  readonly refusedAtMs: number[] = [];
  readonly takenAtMs: number[] = [];
  readonly studies: string[] = [];
  open = 0;
  openMax = 0;

  async listen(): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return (this.#server.address() as AddressInfo).port;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.open++;
    this.openMax = Math.max(this.openMax, this.open);
    const chunks: Buffer[] = [];
    for await (const chunk of request) if (chunks.length === 0) chunks.push(chunk as Buffer);
    this.open--;
    if (this.isDown) {
      this.refusedAtMs.push(performance.now());
      response.writeHead(503).end();
      return;
    }
    this.takenAtMs.push(performance.now());
    const study = /"studyInstanceUid":"([0-9.]+)"/.exec(chunks[0]?.toString('latin1', 0, 4096) ?? '')?.[1];
    if (study !== undefined) this.studies.push(study);
    response.writeHead(200, { 'content-type': 'application/json' }).end('{"success":"ok"}');
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}

class Sender {
  readonly #instances = new Instances();
  readonly #gateway: LoadedGateway;
  #next = 0;

  constructor(gateway: LoadedGateway) {
    this.#gateway = gateway;
  }

  /** Instances a second taken by the gateway. */
  async window(): Promise<number> {
    const startMs = performance.now();
    const end = this.#next + WINDOW_INSTANCES;
    const send = async () => {
      const scu = await connect(this.#gateway.port);
      while (this.#next < end) await store(scu, this.#instances, this.#next++);
      await scu.release();
    };
    await Promise.all(Array.from({ length: SENDERS }, send));
    return WINDOW_INSTANCES / ((performance.now() - startMs) / 1000);
  }
}

async function settled(gateway: LoadedGateway, owed: number): Promise<number> {
  const startMs = performance.now();
  while (owedIn(await flowOf(gateway)) > owed) await sleep(50);
  return (performance.now() - startMs) / 1000;
}

/** Prepared and only waiting for the backend. */
async function prepared(gateway: LoadedGateway): Promise<void> {
  while ((await flowOf(gateway)).received > 0) await sleep(50);
}

export async function run({ rounds, log }: { rounds: number; log(line: string): void }) {
  const folder = mkdtempSync(join(tmpdir(), 'lethe-outage-'));
  const door = new Door();
  const backend = { port: await door.listen() };
  const gateway = await startGateway(folder, backend);
  try {
    const sender = new Sender(gateway);
    const [up, down, memory]: [number[], number[], number[]] = [[], [], []];
    await sender.window();
    await settled(gateway, 0);
    const steadyMs = performance.now();
    up.push(await sender.window());
    await settled(gateway, 0);
    const steady = WINDOW_INSTANCES / ((performance.now() - steadyMs) / 1000);
    door.isDown = true;
    for (let round = 0; round < rounds; round++) {
      down.push(await sender.window());
      await prepared(gateway);
      memory.push((await look(gateway)).residentMegabytes);
    }
    const waiting = owedIn(await flowOf(gateway));
    const refused = door.refusedAtMs.length;
    [door.studies.length, door.takenAtMs.length, door.openMax] = [0, 0, 0];
    door.isDown = false;
    const recoveryMs = performance.now();
    await settled(gateway, 0);
    const drainSeconds = ((door.takenAtMs.at(-1) ?? 0) - (door.takenAtMs[0] ?? 0)) / 1000;
    const drained = [...door.studies];
    const firstSecond = door.takenAtMs.filter((atMs) => atMs < (door.takenAtMs[0] ?? 0) + 1000).length;
    for (let round = 1; round < rounds; round++) {
      up.push(await sender.window());
      await settled(gateway, 0);
    }
    const figures = {
      receivingUp: quantile(up, 0.5),
      receivingDown: quantile(down, 0.5),
      memoryFirst: memory[0] ?? 0,
      memoryLast: memory.at(-1) ?? 0,
      waiting,
      requestsWhileDown: refused,
      secondsToFirstDelivery: ((door.takenAtMs[0] ?? 0) - recoveryMs) / 1000,
      drainPerSecond: waiting / drainSeconds,
      steadyPerSecond: steady,
      requestsInFirstSecond: firstSecond,
      requestsAtOnce: door.openMax,
      studies: new Set(drained).size,
      studiesOutOfOrder: outOfOrder(drained),
    };
    for (const [name, value] of Object.entries(figures)) log(`${name.padEnd(24)} ${value.toFixed(1)}`);
    return figures;
  } finally {
    await gateway.end();
    door.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Studies of which something came again after a later study had begun and ended. */
function outOfOrder(studies: readonly string[]): number {
  const runs = studies.filter((study, index) => study !== studies[index - 1]);
  return [...Map.groupBy(runs, (study) => study).values()].filter((times) => times.length > 2).length;
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { rounds: { type: 'string', default: '3' }, json: { type: 'boolean' } } });
  const figures = await run({ rounds: Number(values.rounds), log: (line) => process.stderr.write(`${line}\n`) });
  if (values.json === true) process.stdout.write(`${JSON.stringify({ bench: 'outage', figures })}\n`);
}
