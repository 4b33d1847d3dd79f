/**
 * Progress on stderr: a bar that redraws itself where stderr is a terminal, a line now and then where it is not (a log
 * of a CI run), nothing on stdout ever. Draws at most ten times a second, whatever the rate of updates.
 */
import { type Clock, systemClock } from '../core/clock.ts';
import type { Terminal } from './command.ts';
import { cellWidth, durationText } from './table.ts';

export interface ProgressOptions {
  /** `Sending`, `De-identifying`. */
  readonly label: string;
  /** How many there will be; undefined where that is not known, and then only the count is shown. */
  readonly total: number | undefined;
  /** `instances`, `files`. */
  readonly unit: string;
  readonly clock?: Clock;
  /** Columns of the terminal. */
  readonly width?: number;
}

const REDRAW_MS = 100;
const LINE_MS = 5_000;
const BAR_WIDTH_MAX = 30;
const WIDTH_DEFAULT = 80;
const ERASE_LINE = '\r\u001b[2K';

export class Progress {
  readonly #terminal: Pick<Terminal, 'raw' | 'note' | 'interactive'>;
  readonly #options: ProgressOptions;
  readonly #clock: Clock;
  readonly #startedMs: number;
  #drawnMs = Number.NEGATIVE_INFINITY;
  #drawn = false;
  #count = 0;

  constructor(terminal: Pick<Terminal, 'raw' | 'note' | 'interactive'>, options: ProgressOptions) {
    this.#terminal = terminal;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#startedMs = this.#clock.monotonicMs();
    if (!terminal.interactive) this.#drawnMs = this.#startedMs;
  }

  /** One more is done; `what` is a short word about the current one. */
  step(what = ''): void {
    this.update(this.#count + 1, what);
  }

  /** `count` are done. */
  update(count: number, what = ''): void {
    this.#count = count;
    const now = this.#clock.monotonicMs();
    if (now - this.#drawnMs < (this.#terminal.interactive ? REDRAW_MS : LINE_MS)) return;
    this.#drawnMs = now;
    if (!this.#terminal.interactive) {
      this.#terminal.note(`${this.#options.label}: ${this.#amount()} ${this.#options.unit}`);
      return;
    }
    this.#drawn = true;
    this.#terminal.raw(ERASE_LINE + this.#line(now, what));
  }

  /** A line above the bar; the bar is drawn again by the next update. */
  note(line: string): void {
    this.#erase();
    this.#terminal.note(line);
  }

  /** Takes the bar away and says in one line what was done and how long it took. */
  finish(summary?: string): void {
    this.#erase();
    const took = durationText(this.#clock.monotonicMs() - this.#startedMs);
    this.#terminal.note(summary ?? `${this.#options.label}: ${this.#count} ${this.#options.unit} in ${took}`);
  }

  #erase(): void {
    if (this.#drawn) this.#terminal.raw(ERASE_LINE);
    this.#drawn = false;
    this.#drawnMs = Number.NEGATIVE_INFINITY;
  }

  #amount(): string {
    return this.#options.total === undefined ? `${this.#count}` : `${this.#count}/${this.#options.total}`;
  }

  #line(nowMs: number, what: string): string {
    const { label, total, unit, width = WIDTH_DEFAULT } = this.#options;
    const elapsedMs = nowMs - this.#startedMs;
    const fraction = total === undefined || total === 0 ? undefined : Math.min(1, this.#count / total);
    const bar = fraction === undefined ? '' : `${barOf(fraction)} `;
    const left = fraction === undefined || this.#count === 0 ? undefined : (elapsedMs / fraction) * (1 - fraction);
    const rest = left === undefined || left < 1000 ? '' : `, ${durationText(left)} left`;
    const line = `${label} ${bar}${this.#amount()} ${unit}${rest}`;
    const room = width - 1 - cellWidth(line);
    return what !== '' && cellWidth(what) + 2 <= room ? `${line}  ${what}` : line;
  }
}

function barOf(fraction: number): string {
  const filled = Math.floor(fraction * BAR_WIDTH_MAX);
  return '█'.repeat(filled) + '░'.repeat(BAR_WIDTH_MAX - filled);
}
