/** The journal record of a received instance, an association's CT image unless said otherwise. */
import { systemClock, systemRandom } from '../../src/core/clock.ts';
import { newInstanceId } from '../../src/core/identifier.ts';
import type { ReceivedRecord } from '../../src/queue/spool.ts';

export function receivedRecord(more: Partial<ReceivedRecord> = {}): ReceivedRecord {
  return {
    id: newInstanceId(systemClock, systemRandom),
    customer: 'default',
    sourceKind: 'dicom',
    sourceName: 'MODALITY',
    sopClassUid: '1.2.840.10008.5.1.4.1.1.2',
    sopInstanceUid: '2.25.1',
    transferSyntaxUid: '1.2.840.10008.1.2.1',
    receivedAtMs: 1,
    priority: 'normal',
    ...more,
  };
}
