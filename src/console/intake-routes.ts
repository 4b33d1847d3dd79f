/** The routes by which instances come in: `POST /receive_dicom` and STOW-RS. Who sends, for which customer, how much. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { LetheError } from '../core/errors.ts';
import type { GatewayAdmin, ReceiveOrigin } from '../gateway/admin.ts';
import type { Principal } from './auth.ts';
import { type IntakeAnswer, type IntakeRequest, receiveInstances } from './intake.ts';
import { bodyOf, contentTypeOf } from './request-body.ts';
import type { Guard } from './server.ts';
import { type StowAnswer, storeInstances } from './stow.ts';

export const RETRY_AFTER_SECONDS = 30;
const DEFAULT_CUSTOMER = 'default';
/** Never `.` or `..`: destinations may make folders of it. */
const CUSTOMER = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,63}$/;

export function registerIntake(
  app: FastifyInstance,
  admin: GatewayAdmin,
  options: { readonly guard: Guard; readonly bodyLimitBytes: number },
): void {
  const { guard, bodyLimitBytes } = options;
  const intake = (request: FastifyRequest, reply: FastifyReply, origin: ReceiveOrigin): IntakeRequest => {
    const length = request.headers['content-length'];
    return {
      contentType: contentTypeOf(request),
      contentLength: length === undefined ? undefined : Number(length),
      contentEncoding: request.headers['content-encoding'],
      body: bodyOf(request, reply),
      origin,
      bodyLimitBytes,
    };
  };
  app.post(
    '/receive_dicom',
    guard('send', async (request, reply, principal) => {
      const origin = originOf(request, principal, 'http');
      const answer = await receiveInstances(intake(request, reply, origin), admin);
      return send(reply, answer, answer.status < 400 ? 'application/json' : 'application/problem+json');
    }),
  );
  for (const path of ['/dicom-web/studies', '/dicom-web/studies/:study']) {
    app.post(
      path,
      guard('send', async (request, reply, principal) => {
        const { study } = request.params as { study?: string };
        const origin = originOf(request, principal, 'stow');
        const expected = study === undefined ? origin : { ...origin, studyInstanceUid: study };
        return send(reply, await storeInstances(intake(request, reply, expected), admin), 'application/dicom+json');
      }),
    );
  }
}

/** As bytes, so that the framework adds no charset: the media type of DICOM JSON has none (PS3.18 §8.7.3.2). */
function send(reply: FastifyReply, answer: IntakeAnswer | StowAnswer, type: string): FastifyReply {
  if (answer.status === 503) reply.header('retry-after', String(RETRY_AFTER_SECONDS));
  return reply
    .status(answer.status)
    .type(type)
    .send(Buffer.from(JSON.stringify(answer.body)));
}

/** Customer: the user's own, else what the request names (`customer` in the query), else the default one. */
function originOf(request: FastifyRequest, principal: Principal, kind: ReceiveOrigin['kind']): ReceiveOrigin {
  const asked = (request.query as { customer?: unknown }).customer;
  if (asked !== undefined && (typeof asked !== 'string' || !CUSTOMER.test(asked)))
    throw new LetheError('HTTP_CUSTOMER_UNKNOWN');
  if (principal.customer !== undefined && asked !== undefined && asked !== principal.customer)
    throw new LetheError('HTTP_CUSTOMER_UNKNOWN');
  const name = principal.authenticated ? principal.name : request.ip;
  return { kind, name, customer: principal.customer ?? asked ?? DEFAULT_CUSTOMER };
}
