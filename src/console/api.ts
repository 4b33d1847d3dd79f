/**
 * The console's API under `/api/v1`, described by its own OpenAPI document at `/api/v1/openapi.json`. Lists hold no value
 * of an element; what does (the ledger's Study Instance UIDs, explain) asks for the `privacy` role.
 */
import type { FastifyInstance, FastifyReply } from 'fastify';
import Type from 'typebox';
import { Compile } from 'typebox/compile';
import { LetheError } from '../core/errors.ts';
import { isInstanceId } from '../core/identifier.ts';
import type { GatewayAdmin, InstanceDetail } from '../gateway/admin.ts';
import { Delivery, Detail, Explained, Ledger, Reviewed, State, Status, Summary } from './api-schemas.ts';
import type { Principal } from './auth.ts';
import { type DescribedRoute, openApiOf } from './openapi.ts';
import type { Guard, Guarded } from './server.ts';

interface Route extends DescribedRoute {
  run(request: Asked, principal: Principal): Promise<unknown>;
}

interface Asked {
  readonly params: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, string | number | undefined>>;
  readonly reply: FastifyReply;
}

const PREFIX = '/api/v1';
const LIST_MAX = 500;
const Limit = Type.Optional(Type.Integer({ minimum: 1, maximum: LIST_MAX, default: 50 }));
const FrameNumber = Type.Object(
  { frame: Type.Optional(Type.Integer({ minimum: 1, maximum: 9_999_999, default: 1 })) },
  { additionalProperties: false },
);
const Text = Type.Optional(Type.String({ maxLength: 64 }));

export function registerApi(app: FastifyInstance, admin: GatewayAdmin, guard: Guard): void {
  const routes = routesOf(admin);
  for (const route of routes) {
    const check = route.query === undefined ? undefined : Compile(route.query);
    const handler: Guarded = async (request, reply, principal) => {
      const query = numbersIn(request.query as Record<string, string>);
      if (check !== undefined && !check.Check(query))
        throw new LetheError('HTTP_REQUEST_INVALID', { field: [...check.Errors(query)][0]?.instancePath ?? 'query' });
      const answer = await route.run({ params: request.params as Record<string, string>, query, reply }, principal);
      return reply.sent || answer === reply ? reply : reply.header('cache-control', 'no-store').send(answer);
    };
    app.route({
      method: route.method.toUpperCase() as 'GET' | 'POST',
      url: route.path,
      // What is not declared does not leave.
      ...(Array.isArray(route.answer) ? {} : { schema: { response: { 200: route.answer } } }),
      handler: guard(route.access, handler),
    });
  }
  app.get(
    `${PREFIX}/openapi.json`,
    guard('view', async (_request, reply) => reply.send(openApiOf(routes))),
  );
}

const NUMBERS: ReadonlySet<string> = new Set(['limit', 'frame']);

/** A query is text; these are numbers. What is none becomes NaN, which no schema takes. */
function numbersIn(query: Record<string, string>): Record<string, string | number> {
  return Object.fromEntries(
    Object.entries(query).map(([name, value]) => [name, NUMBERS.has(name) ? Number(value) : value]),
  );
}

function routesOf(admin: GatewayAdmin): Route[] {
  return [...overviewRoutes(admin), ...actionRoutes(admin), ...identifiedRoutes(admin)];
}

function overviewRoutes(admin: GatewayAdmin): Route[] {
  return [
    {
      method: 'get',
      path: `${PREFIX}/status`,
      operationId: 'status',
      answer: Status,
      access: 'view',
      summary: 'Counts, disk, listeners and destinations.',
      run: () => admin.status(),
    },
    {
      method: 'get',
      path: `${PREFIX}/instances`,
      operationId: 'listInstances',
      answer: Type.Object({ instances: Type.Array(Summary) }),
      access: 'view',
      summary: 'Instances, newest first.',
      query: Type.Object(
        {
          state: Type.Optional(State),
          deliveryState: Type.Optional(Delivery),
          customer: Text,
          destination: Text,
          beforeId: Text,
          limit: Limit,
        },
        { additionalProperties: false },
      ),
      run: async ({ query }) => ({ instances: await admin.list({ ...query, limit: Number(query['limit'] ?? 50) }) }),
    },
    {
      method: 'get',
      path: `${PREFIX}/instances/:id`,
      operationId: 'instance',
      answer: Detail,
      access: 'view',
      summary: 'One instance with its deliveries and history.',
      run: async ({ params }) => found(await admin.detail(idOf(params))),
    },
    {
      method: 'get',
      path: `${PREFIX}/instances/:id/preview`,
      operationId: 'preview',
      answer: ['image/jpeg', 'image/png'],
      access: 'view',
      summary: 'A rendered, de-identified frame.',
      query: FrameNumber,
      run: async ({ params, query, reply }) => {
        const image = await admin.preview(idOf(params), Number(query['frame'] ?? 1));
        if (image === undefined) throw new LetheError('HTTP_NOT_FOUND');
        return reply
          .type(image.mediaType)
          .header('cache-control', 'private, max-age=60')
          .send(Buffer.from(image.bytes));
      },
    },
  ];
}

function actionRoutes(admin: GatewayAdmin): Route[] {
  const act = (name: 'release' | 'retry' | 'hold' | 'discard', summary: string): Route => ({
    method: 'post',
    path: `${PREFIX}/instances/:id/${name}`,
    operationId: name,
    answer: Detail,
    access: 'act',
    summary,
    run: async ({ params }, principal) => {
      const id = idOf(params);
      await admin[name](id, principal.name);
      return found(await admin.detail(id));
    },
  });
  return [
    act('release', 'Processes a held instance again, or sends it when it was prepared.'),
    act('retry', 'Sends again at once what is deferred or held.'),
    act('hold', 'Holds an instance.'),
    act('discard', 'Discards an instance; on record.'),
    {
      method: 'get',
      path: `${PREFIX}/instances/:id/review`,
      operationId: 'review',
      answer: Reviewed,
      access: 'act',
      summary: 'What was found in the pixels of a held instance: boxes to accept, move, draw or drop.',
      run: ({ params }) => admin.review(idOf(params)),
    },
    {
      method: 'post',
      path: `${PREFIX}/instances/:id/review`,
      operationId: 'decideReview',
      answer: Detail,
      access: 'act',
      summary:
        'Processes a held instance again with just these boxes blanked (none: as it is); saveRule does the same to every image of its manufacturer, model and size from now on.',
      query: ReviewQuery,
      run: async ({ params, query }, principal) => {
        const id = idOf(params);
        const boxes = boxesIn(String(query['boxes'] ?? ''));
        await admin.decideReview(id, { boxes, saveRule: query['saveRule'] === 'true' }, principal.name);
        return found(await admin.detail(id));
      },
    },
  ];
}

/** `x,y,width,height`, several by semicolon: bodies are for streams, and this is short. */
const ReviewQuery = Type.Object(
  {
    boxes: Type.String({
      maxLength: 2400,
      pattern: '^(?:\\d{1,5},\\d{1,5},\\d{1,5},\\d{1,5}(?:;|$))*$',
      description: 'x,y,width,height in pixels of the stored image; several by semicolon; empty: nothing is blanked.',
    }),
    saveRule: Type.Optional(Type.Union([Type.Literal('true'), Type.Literal('false')])),
  },
  { additionalProperties: false },
);

function boxesIn(text: string): { x: number; y: number; width: number; height: number }[] {
  return text
    .split(';')
    .filter((part) => part !== '')
    .map((part) => {
      const [x = 0, y = 0, width = 0, height = 0] = part.split(',').map(Number);
      return { x, y, width, height };
    });
}

function identifiedRoutes(admin: GatewayAdmin): Route[] {
  return [
    {
      method: 'get',
      path: `${PREFIX}/instances/:id/received-preview`,
      operationId: 'receivedPreview',
      answer: ['image/png'],
      access: 'identified',
      summary: 'A frame as it was received, to decide about a held instance. May show names; each use is audited.',
      query: FrameNumber,
      run: async ({ params, query, reply }, principal) => {
        const bytes = await admin.receivedPreview(idOf(params), Number(query['frame'] ?? 1), principal.name);
        if (bytes === undefined) throw new LetheError('HTTP_NOT_FOUND');
        return reply.type('image/png').header('cache-control', 'no-store').send(Buffer.from(bytes));
      },
    },
    {
      method: 'get',
      path: `${PREFIX}/instances/:id/explain`,
      operationId: 'explain',
      answer: Type.Object({ elements: Type.Array(Explained) }),
      access: 'identified',
      summary:
        'Every element before and after, with the rule that decided. Shows identified values; each use is audited.',
      run: async ({ params }, principal) => ({ elements: found(await admin.explain(idOf(params), principal.name)) }),
    },
    {
      method: 'get',
      path: `${PREFIX}/ledger`,
      operationId: 'ledger',
      answer: Type.Object({ lines: Type.Array(Ledger) }),
      access: 'identified',
      summary: 'Per customer, source and study: received, delivered, held, discarded, on the way.',
      query: Type.Object({ customer: Text, limit: Limit }, { additionalProperties: false }),
      run: async ({ query }) => ({
        lines: await admin.ledger({
          limit: Number(query['limit'] ?? 50),
          ...(typeof query['customer'] === 'string' ? { customer: query['customer'] } : {}),
        }),
      }),
    },
  ];
}

function idOf(params: Readonly<Record<string, string>>): string {
  const id = params['id'] ?? '';
  if (!isInstanceId(id)) throw new LetheError('HTTP_NOT_FOUND');
  return id;
}

function found<Value extends InstanceDetail | readonly unknown[]>(value: Value | undefined): Value {
  if (value === undefined) throw new LetheError('HTTP_NOT_FOUND');
  return value;
}
