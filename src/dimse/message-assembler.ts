/**
 * Messages out of PDVs: PS3.7 §6.3.1 and PS3.8 Annex E. The fragments of one message follow each other; a command set is
 * collected (it is small), a data set is passed on slice by slice. What breaks the order of fragments is refused with
 * the abort reason that answers it. Pure.
 */
import { LetheError } from '../core/errors.ts';
import { COMMAND_BYTES_MAX, type CommandSet, hasDataSet, parseCommand } from './command.ts';
import { ABORT_REASON, type PdvSlice } from './pdu.ts';

export interface MessageUser {
  /** A whole command set; `contextId` is the presentation context it came in. */
  onCommand(command: CommandSet, contextId: number): void;
  onData(bytes: Uint8Array): void;
  /** The data set of the last command is complete. */
  onDataEnd(): void;
}

export class MessageAssembler {
  readonly #user: MessageUser;
  #command: Uint8Array[] = [];
  #commandBytes = 0;
  /** Of the message that has begun; undefined between messages. */
  #contextId: number | undefined;
  #expectsData = false;

  constructor(user: MessageUser) {
    this.#user = user;
  }

  /** A message has begun and is not complete. */
  get busy(): boolean {
    return this.#contextId !== undefined;
  }

  /** @throws DIMSE_PDU_UNEXPECTED, DIMSE_COMMAND_MALFORMED */
  push(slice: PdvSlice): void {
    if (this.#contextId !== undefined && slice.contextId !== this.#contextId)
      throw unexpected('presentation context changed inside a message');
    if (slice.command === this.#expectsData)
      throw unexpected(slice.command ? 'command fragment inside a data set' : 'data fragment without a command');
    this.#contextId = slice.contextId;
    if (slice.command) this.#commandSlice(slice);
    else this.#dataSlice(slice);
  }

  #commandSlice(slice: PdvSlice): void {
    this.#commandBytes += slice.bytes.length;
    if (this.#commandBytes > COMMAND_BYTES_MAX)
      throw new LetheError('DIMSE_COMMAND_MALFORMED', { length: this.#commandBytes, max: COMMAND_BYTES_MAX });
    // Copied: the bytes are ours during the call alone. Empty ones are nothing to keep.
    if (slice.bytes.length > 0) this.#command.push(new Uint8Array(slice.bytes));
    if (!slice.last || !slice.end) return;
    const command = parseCommand(Buffer.concat(this.#command));
    this.#command = [];
    this.#commandBytes = 0;
    this.#expectsData = hasDataSet(command);
    if (!this.#expectsData) this.#contextId = undefined;
    this.#user.onCommand(command, slice.contextId);
  }

  #dataSlice(slice: PdvSlice): void {
    if (slice.bytes.length > 0) this.#user.onData(slice.bytes);
    if (!slice.last || !slice.end) return;
    this.#expectsData = false;
    this.#contextId = undefined;
    this.#user.onDataEnd();
  }
}

function unexpected(what: string): LetheError {
  return new LetheError('DIMSE_PDU_UNEXPECTED', { what, abortReason: ABORT_REASON.unexpectedPdu });
}
