/** `lethe echo HOST PORT`: C-ECHO. */
import { VERIFICATION } from '../dimse/negotiation.ts';
import { StorageScu } from '../dimse/storage-scu.ts';
import { type Command, EXIT, JSON_OPTION } from './command.ts';
import { PEER_OPTIONS, peerAddress, statusText } from './peer.ts';

export const command: Command = {
  summary: 'Sends a C-ECHO to a peer: is it there, does it speak DICOM, does it know us?',
  usage: 'HOST PORT [--calling AET] [--called AET] [--tls]',
  options: { ...PEER_OPTIONS, json: JSON_OPTION },
  async run(invocation) {
    const address = peerAddress(invocation);
    const started = performance.now();
    const scu = await StorageScu.connect({
      ...address,
      contexts: [{ abstractSyntax: VERIFICATION, transferSyntaxes: ['1.2.840.10008.1.2'] }],
    });
    const { status } = await scu.echo();
    await scu.release();
    const ms = Math.round(performance.now() - started);
    const { terminal } = invocation;
    terminal.out(
      terminal.json
        ? JSON.stringify({ status: statusText(status), ms })
        : `C-ECHO ${status === 0 ? 'answered' : `status ${statusText(status)}`} in ${ms} ms`,
    );
    return status === 0 ? EXIT.success : EXIT.failure;
  },
};
