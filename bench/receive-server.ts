/**
 * The receiver of the benchmark, in a process of its own: the listener with the gateway's custody (segments, fdatasync,
 * a row in the store) and nothing behind it, so that what is measured is receiving. Started by bench/receive.ts; says its
 * port on the IPC channel.
 */
import { join } from 'node:path';
import { systemClock, systemRandom } from '../src/core/clock.ts';
import { silentLogger } from '../src/core/log.ts';
import { StorageScp } from '../src/dimse/storage-scp.ts';
import { Receiver } from '../src/gateway/receive.ts';
import { storageHandler } from '../src/gateway/storage-handler.ts';
import { LocalSpool } from '../src/queue/local-spool.ts';
import { SqliteStore } from '../src/queue/sqlite-store.ts';

const GIGABYTE = 1024 ** 3;
const ASSOCIATIONS_MAX = 100;

const dataDir = process.argv[2] ?? '';
const spool = await LocalSpool.open(
  { dataDir, minFreeDiskBytes: GIGABYTE },
  { clock: systemClock, random: systemRandom },
);
const store = new SqliteStore(join(dataDir, 'lethe.db'), systemClock);
const receiver = new Receiver(
  { duplicates: 'keep', instanceBytesMax: 8 * GIGABYTE, onAccepted: () => undefined },
  { spool, store, clock: systemClock, random: systemRandom, logger: silentLogger },
);
const scp = await StorageScp.listen(
  {
    host: '127.0.0.1',
    port: 0,
    aeTitles: [{ aeTitle: 'BENCH' }],
    peers: 'any',
    maxAssociations: ASSOCIATIONS_MAX,
    maxAssociationsPerPeer: ASSOCIATIONS_MAX,
    negotiation: {
      maxPduLengthBytes: 256 * 1024,
      unknownSopClasses: 'accept',
      unknownTransferSyntaxes: 'accept',
      preferredTransferSyntaxes: [],
      operationsPerformedMax: 8,
      furtherSopClasses: new Set(),
    },
  },
  { handler: storageHandler(receiver, 8 * GIGABYTE), logger: silentLogger },
);
process.send?.({ port: scp.ports.plain });
