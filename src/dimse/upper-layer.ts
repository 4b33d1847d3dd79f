/**
 * The state machine of the DICOM upper layer, PS3.8 §9.2: Table 9-10 and its actions (Tables 9-6 to 9-9), and nothing
 * else. `step(state, event)` answers the action, the effects to perform, in order, and the next state; `association.ts`
 * performs them. A blank cell of the table can only be our own fault: INVARIANT, never silence.
 *
 * Effects are data: `send` a PDU, `indicate` a primitive to the service-user, start or stop ARTIM, `close` the
 * transport connection.
 */
import { LetheError } from '../core/errors.ts';

/** PS3.8 Tables 9-1 to 9-5. */
export type State =
  | 'Sta1' // Idle
  | 'Sta2' // Transport connection open (awaiting A-ASSOCIATE-RQ PDU)
  | 'Sta3' // Awaiting local A-ASSOCIATE response primitive
  | 'Sta4' // Awaiting transport connection opening to complete
  | 'Sta5' // Awaiting A-ASSOCIATE-AC or A-ASSOCIATE-RJ PDU
  | 'Sta6' // Association established and ready for data transfer
  | 'Sta7' // Awaiting A-RELEASE-RP PDU
  | 'Sta8' // Awaiting local A-RELEASE response primitive
  | 'Sta9' // Release collision requestor side; awaiting A-RELEASE response primitive
  | 'Sta10' // Release collision acceptor side; awaiting A-RELEASE-RP PDU
  | 'Sta11' // Release collision requestor side; awaiting A-RELEASE-RP PDU
  | 'Sta12' // Release collision acceptor side; awaiting A-RELEASE response primitive
  | 'Sta13'; // Awaiting transport connection close indication

export type Event =
  | 'Evt1' // A-ASSOCIATE request (local user)
  | 'Evt2' // Transport connection confirmation (local transport service)
  | 'Evt3' // A-ASSOCIATE-AC PDU (received on transport connection)
  | 'Evt4' // A-ASSOCIATE-RJ PDU
  | 'Evt5' // Transport connection indication (local transport service)
  | 'Evt6' // A-ASSOCIATE-RQ PDU
  | 'Evt7' // A-ASSOCIATE response primitive (accept)
  | 'Evt8' // A-ASSOCIATE response primitive (reject)
  | 'Evt9' // P-DATA request primitive
  | 'Evt10' // P-DATA-TF PDU
  | 'Evt11' // A-RELEASE request primitive
  | 'Evt12' // A-RELEASE-RQ PDU
  | 'Evt13' // A-RELEASE-RP PDU
  | 'Evt14' // A-RELEASE response primitive
  | 'Evt15' // A-ABORT request primitive
  | 'Evt16' // A-ABORT PDU
  | 'Evt17' // Transport connection closed indication
  | 'Evt18' // Association reject/release timer (ARTIM) expired
  | 'Evt19'; // Unrecognized or invalid PDU received

export type Effect =
  | 'connect' // issue TRANSPORT CONNECT request
  | 'send A-ASSOCIATE-RQ'
  | 'send A-ASSOCIATE-AC'
  | 'send A-ASSOCIATE-RJ'
  | 'send P-DATA-TF'
  | 'send A-RELEASE-RQ'
  | 'send A-RELEASE-RP'
  | 'send A-ABORT (user)' // service-user source
  | 'send A-ABORT (provider)' // service-provider source
  | 'indicate A-ASSOCIATE'
  | 'confirm A-ASSOCIATE (accept)'
  | 'confirm A-ASSOCIATE (reject)'
  | 'indicate P-DATA'
  | 'indicate A-RELEASE'
  | 'confirm A-RELEASE'
  | 'indicate A-ABORT' // A-ABORT or A-P-ABORT, by the source in the received PDU
  | 'indicate A-P-ABORT'
  | 'start ARTIM'
  | 'stop ARTIM'
  | 'close';

export interface Action {
  readonly effects: readonly Effect[];
  readonly next: State;
}

/** What two actions depend on: AE-6 on the provider's own checks of the request, AR-8 on who asked for the association. */
export interface Conditions {
  readonly role: 'requestor' | 'acceptor';
  readonly acceptable: boolean;
}

/** PS3.8 Tables 9-6 to 9-9. AE-6 and AR-8 are two each, by their condition. */
export const ACTIONS = {
  // Table 9-6: association establishment related actions
  'AE-1': { effects: ['connect'], next: 'Sta4' },
  'AE-2': { effects: ['send A-ASSOCIATE-RQ'], next: 'Sta5' },
  'AE-3': { effects: ['confirm A-ASSOCIATE (accept)'], next: 'Sta6' },
  'AE-4': { effects: ['confirm A-ASSOCIATE (reject)', 'close'], next: 'Sta1' },
  'AE-5': { effects: ['start ARTIM'], next: 'Sta2' },
  'AE-6': { effects: ['stop ARTIM', 'indicate A-ASSOCIATE'], next: 'Sta3' },
  'AE-6 (unacceptable)': { effects: ['stop ARTIM', 'send A-ASSOCIATE-RJ', 'start ARTIM'], next: 'Sta13' },
  'AE-7': { effects: ['send A-ASSOCIATE-AC'], next: 'Sta6' },
  'AE-8': { effects: ['send A-ASSOCIATE-RJ', 'start ARTIM'], next: 'Sta13' },
  // Table 9-7: data transfer related actions
  'DT-1': { effects: ['send P-DATA-TF'], next: 'Sta6' },
  'DT-2': { effects: ['indicate P-DATA'], next: 'Sta6' },
  // Table 9-8: association release related actions
  'AR-1': { effects: ['send A-RELEASE-RQ'], next: 'Sta7' },
  'AR-2': { effects: ['indicate A-RELEASE'], next: 'Sta8' },
  'AR-3': { effects: ['confirm A-RELEASE', 'close'], next: 'Sta1' },
  'AR-4': { effects: ['send A-RELEASE-RP', 'start ARTIM'], next: 'Sta13' },
  'AR-5': { effects: ['stop ARTIM'], next: 'Sta1' },
  'AR-6': { effects: ['indicate P-DATA'], next: 'Sta7' },
  'AR-7': { effects: ['send P-DATA-TF'], next: 'Sta8' },
  'AR-8 (requestor)': { effects: ['indicate A-RELEASE'], next: 'Sta9' },
  'AR-8 (acceptor)': { effects: ['indicate A-RELEASE'], next: 'Sta10' },
  'AR-9': { effects: ['send A-RELEASE-RP'], next: 'Sta11' },
  'AR-10': { effects: ['confirm A-RELEASE'], next: 'Sta12' },
  // Table 9-9: association abort related actions
  'AA-1': { effects: ['send A-ABORT (user)', 'start ARTIM'], next: 'Sta13' },
  'AA-2': { effects: ['stop ARTIM', 'close'], next: 'Sta1' },
  'AA-3': { effects: ['indicate A-ABORT', 'close'], next: 'Sta1' },
  'AA-4': { effects: ['indicate A-P-ABORT'], next: 'Sta1' },
  'AA-5': { effects: ['stop ARTIM'], next: 'Sta1' },
  'AA-6': { effects: [], next: 'Sta13' },
  'AA-7': { effects: ['send A-ABORT (provider)'], next: 'Sta13' },
  'AA-8': { effects: ['send A-ABORT (provider)', 'indicate A-P-ABORT', 'start ARTIM'], next: 'Sta13' },
} as const satisfies Record<string, Action>;

export type ActionName = keyof typeof ACTIONS;
/** As Table 9-10 names them. */
export type CellName = Exclude<ActionName, 'AE-6 (unacceptable)' | 'AR-8 (requestor)' | 'AR-8 (acceptor)'> | 'AR-8';

type Row = Partial<Record<State, CellName>>;

/** Sta3 and Sta5 to Sta12: where a PDU that has no business there is answered with AA-8. */
const UNEXPECTED: Row = {
  Sta3: 'AA-8',
  Sta5: 'AA-8',
  Sta6: 'AA-8',
  Sta7: 'AA-8',
  Sta8: 'AA-8',
  Sta9: 'AA-8',
  Sta10: 'AA-8',
  Sta11: 'AA-8',
  Sta12: 'AA-8',
};

/** The same for what else every state of an association under way answers alike. */
function underWay(cell: CellName): Row {
  return {
    Sta3: cell,
    Sta5: cell,
    Sta6: cell,
    Sta7: cell,
    Sta8: cell,
    Sta9: cell,
    Sta10: cell,
    Sta11: cell,
    Sta12: cell,
  };
}

/** PS3.8 Table 9-10, a row an event. */
export const TABLE: Readonly<Record<Event, Row>> = {
  Evt1: { Sta1: 'AE-1' },
  Evt2: { Sta4: 'AE-2' },
  Evt3: { ...UNEXPECTED, Sta2: 'AA-1', Sta5: 'AE-3', Sta13: 'AA-6' },
  Evt4: { ...UNEXPECTED, Sta2: 'AA-1', Sta5: 'AE-4', Sta13: 'AA-6' },
  Evt5: { Sta1: 'AE-5' },
  Evt6: { ...UNEXPECTED, Sta2: 'AE-6', Sta13: 'AA-7' },
  Evt7: { Sta3: 'AE-7' },
  Evt8: { Sta3: 'AE-8' },
  Evt9: { Sta6: 'DT-1', Sta8: 'AR-7' },
  Evt10: { ...UNEXPECTED, Sta2: 'AA-1', Sta6: 'DT-2', Sta7: 'AR-6', Sta13: 'AA-6' },
  Evt11: { Sta6: 'AR-1' },
  Evt12: { ...UNEXPECTED, Sta2: 'AA-1', Sta6: 'AR-2', Sta7: 'AR-8', Sta13: 'AA-6' },
  Evt13: { ...UNEXPECTED, Sta2: 'AA-1', Sta7: 'AR-3', Sta10: 'AR-10', Sta11: 'AR-3', Sta13: 'AA-6' },
  Evt14: { Sta8: 'AR-4', Sta9: 'AR-9', Sta12: 'AR-4' },
  Evt15: { ...underWay('AA-1'), Sta4: 'AA-2' },
  Evt16: { ...underWay('AA-3'), Sta2: 'AA-2', Sta13: 'AA-2' },
  Evt17: { ...underWay('AA-4'), Sta2: 'AA-5', Sta4: 'AA-4', Sta13: 'AR-5' },
  Evt18: { Sta2: 'AA-2', Sta13: 'AA-2' },
  Evt19: { ...UNEXPECTED, Sta2: 'AA-1', Sta13: 'AA-7' },
};

export interface Step extends Action {
  readonly action: ActionName;
}

/** @throws INVARIANT for a cell that the table leaves blank */
export function step(state: State, event: Event, conditions: Conditions): Step {
  const cell = TABLE[event][state];
  if (cell === undefined) throw new LetheError('INVARIANT', { what: 'blank cell of PS3.8 Table 9-10', state, event });
  const action = actionOf(cell, conditions);
  return { action, ...ACTIONS[action] };
}

/** Does the table have a cell here? For primitives that a service-user may ask for at any time. */
export function isPossible(state: State, event: Event): boolean {
  return TABLE[event][state] !== undefined;
}

function actionOf(cell: CellName, { role, acceptable }: Conditions): ActionName {
  if (cell === 'AR-8') return role === 'requestor' ? 'AR-8 (requestor)' : 'AR-8 (acceptor)';
  if (cell === 'AE-6' && !acceptable) return 'AE-6 (unacceptable)';
  return cell;
}
