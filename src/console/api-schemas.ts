/**
 * What the API answers, field by field. The same schemas describe the answers in the OpenAPI document and write them:
 * a field that is not declared here does not leave, so a value that some floor below adds to a row stays inside until
 * somebody has decided that it may be shown. Times are milliseconds since the Unix epoch, sizes are bytes.
 */
import Type, { type TSchema } from 'typebox';
import type {
  DestinationStatus,
  ExplainLine,
  GatewayAdmin,
  GatewayStatus,
  InstanceDetail,
  InstanceSummary,
  Review,
} from '../gateway/admin.ts';

type DeliveryRow = InstanceDetail['deliveries'][number];
type LedgerLine = Awaited<ReturnType<GatewayAdmin['ledger']>>[number];

/** Every field of `Value` has to be named, so one that is new does not compile until it is declared or left out. */
type FieldsOf<Value> = Readonly<Record<keyof Value, TSchema>>;

function objectOf<Value>(properties: FieldsOf<Value>, description?: string): TSchema {
  return Type.Object(properties, description === undefined ? {} : { description });
}

const Text = Type.String();
const Count = Type.Integer({ minimum: 0 });
const Time = Type.Integer({ description: 'Milliseconds since the Unix epoch.' });
const Flag = Type.Boolean();
const Maybe = (schema: TSchema): TSchema => Type.Optional(schema);

const INSTANCE_STATES: Readonly<Record<InstanceSummary['state'], true>> = {
  received: true,
  prepared: true,
  held: true,
  discarded: true,
};
const DELIVERY_STATES: Readonly<Record<DeliveryRow['state'], true>> = {
  queued: true,
  claimed: true,
  inflight: true,
  delivered: true,
  deferred: true,
  rejected: true,
  held: true,
};
const enumOf = (values: readonly string[]): TSchema => Type.Unsafe<string>({ type: 'string', enum: values });

export const State = enumOf(Object.keys(INSTANCE_STATES));
export const Delivery = enumOf(Object.keys(DELIVERY_STATES));
const Priority = enumOf(['high', 'normal']);

const SUMMARY: FieldsOf<InstanceSummary> = {
  id: Text,
  customer: Text,
  sourceKind: Text,
  sourceName: Text,
  sopClassUid: Text,
  sopClassName: Text,
  bytes: Count,
  receivedAtMs: Time,
  state: State,
  delivered: Flag,
  reason: Maybe(Text),
  reasonDetail: Maybe(Text),
  advice: Maybe(Text),
  images: Count,
  pixels: Maybe(Text),
};

const DeliveryLine = objectOf<DeliveryRow>({
  id: Count,
  instance: Text,
  destination: Text,
  state: Delivery,
  attempts: Count,
  createdAtMs: Time,
  dueAtMs: Time,
  priority: Priority,
  reason: Maybe(Text),
  reasonDetail: Maybe(Text),
  receipt: Maybe(Text),
});

export const Summary = objectOf<InstanceSummary>(SUMMARY, 'An instance without a value that identifies.');

export const Detail = objectOf<InstanceDetail>({
  ...SUMMARY,
  deliveries: Type.Array(DeliveryLine),
  history: Type.Array(Type.Object({ atMs: Time, event: Text, detail: Text })),
});

const Box = Type.Object(
  { x: Count, y: Count, width: Count, height: Count },
  { description: 'In pixels of the stored image; the left top one is 0, 0.' },
);

export const Reviewed = objectOf<Review>({
  boxes: Type.Array(Box),
  complete: Type.Boolean({ description: 'False: there may be more boxes than are listed; draw larger ones.' }),
  rows: Count,
  columns: Count,
  frames: Count,
  canBeRule: Flag,
});

const Counts = objectOf<GatewayStatus['counts']>({
  received: Count,
  prepared: Count,
  held: Count,
  discarded: Count,
  deliveries: Type.Unsafe({
    type: 'object',
    description: 'By destination and state.',
    additionalProperties: { type: 'object', additionalProperties: { type: 'integer' } },
  }),
});

const Space = objectOf<GatewayStatus['space']>({ freeBytes: Count, limitBytes: Count, full: Flag, low: Flag });

const Destination = objectOf<DestinationStatus>({
  name: Text,
  type: Text,
  breaker: enumOf(['closed', 'open', 'half-open']),
  oldestOwedAtMs: Maybe(Time),
  lastError: Maybe(Text),
});

export const Status = objectOf<GatewayStatus>({
  version: Text,
  startedAtMs: Time,
  counts: Counts,
  space: Space,
  associations: Count,
  listeners: Type.Array(Type.Object({ kind: Text, host: Text, port: Count })),
  destinations: Type.Array(Destination),
});

export const Ledger = objectOf<LedgerLine>(
  {
    customer: Text,
    sourceName: Text,
    studyInstanceUid: Maybe(Text),
    received: Count,
    delivered: Count,
    held: Count,
    discarded: Count,
    onTheWay: Count,
    earlierStudies: Type.Optional(Count),
  },
  'received = delivered + held + discarded + onTheWay. The Study Instance UID is the sender’s own. `earlierStudies`: the line adds up so many studies that are too old for lines of their own.',
);

export const Explained = objectOf<ExplainLine>({
  path: Text,
  keyword: Text,
  vr: Text,
  before: Text,
  action: Text,
  rule: Text,
  clause: Text,
  after: Maybe(Text),
});

export const Problem = Type.Object(
  { type: Text, title: Text, status: Count, code: Text, detail: Maybe(Text) },
  { description: 'Problem details (RFC 9457); `code` is a row of docs/errors.md.' },
);

export const Intake = Type.Object({
  message: Text,
  instances: Type.Array(
    Type.Object({
      sopInstanceUid: Maybe(Text),
      status: enumOf(['accepted', 'duplicate', 'refused']),
      code: Maybe(Text),
    }),
  ),
});
