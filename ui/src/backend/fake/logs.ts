import type { ErrorInfo, LogBatch, LogLevel, LogLine, LogQuery } from '../types';
import { generator } from './pictures';

const CAPACITY = 10_000;

type Sample = [program: string, level: LogLevel, text: string];

const LIFE: Sample[] = [
  ['forge', 'info', 'Device: cuda:0 NVIDIA GeForce RTX 3090 : native'],
  ['forge', 'info', 'Using cudaMallocAsync backend.'],
  ['forge', 'info', 'Moving model(s) has taken 1.92 seconds'],
  ['forge', 'unknown', '100%|██████████| 20/20 [00:06<00:00,  3.21it/s]'],
  [
    'caddy',
    'info',
    '{"level":"info","msg":"handled request","uri":"/sdapi/v1/progress","status":200}',
  ],
  [
    'caddy',
    'info',
    '{"level":"info","msg":"handled request","uri":"/sdapi/v1/sd-models","status":200}',
  ],
  ['forge', 'info', 'Startup time: 11.4s (prepare: 1.9s, import torch: 4.4s, scripts: 3.1s).'],
  ['cron', 'debug', 'tick'],
  ['forge', 'warning', 'FutureWarning: You are using `torch.load` with `weights_only=False`'],
  ['forge', 'error', '*** Error loading script: attention.py'],
  ['forge', 'error', "ModuleNotFoundError: No module named 'ldm'"],
  [
    'forge',
    'info',
    '[Memory Management] Target: KModel, Free GPU: 22713.26 MB, All loaded to GPU.',
  ],
  ['forge', 'unknown', '<img src=x onerror=alert(1)> is only text here'],
  [
    'forge',
    'info',
    'Civitai Browser+: a very long line that has to wrap or to be scrolled sideways, because programs print whole requests: ' +
      'parameters='.repeat(18),
  ],
];

/** One service's log, growing as time moves. */
export class FakeLog {
  lines: LogLine[] = [];
  rotated = 0;
  private seq = 0;
  private readonly random: () => number;
  private readonly readers = new Set<(lines: LogLine[]) => void>();

  constructor(name: string, start: number, count: number) {
    this.random = generator(name);
    for (let index = count; index > 0; index--) this.write(start - index * 700);
  }

  write(at: number, sample?: Sample): void {
    const pick = LIFE[Math.floor(this.random() ** 1.6 * LIFE.length)] ?? LIFE[0];
    const [program, level, text] = sample ?? (pick as Sample);
    this.seq += 1;
    const line: LogLine = {
      seq: this.seq,
      at: new Date(at).toISOString(),
      stream: level === 'error' ? 'stderr' : 'stdout',
      program,
      level,
      text,
      cut_bytes: 0,
    };
    this.lines.push(line);
    if (this.lines.length > CAPACITY) {
      this.lines.shift();
      this.rotated += 1;
    }
    for (const reader of this.readers) reader([line]);
  }

  subscribe(query: LogQuery, receive: (batch: LogBatch) => void): () => void {
    const matches = matcher(query);
    const batch = (lines: LogLine[]): LogBatch => ({
      lines,
      held: this.lines.length,
      matched: this.lines.filter(matches).length,
      dropped: 0,
    });
    const held = this.lines.filter(matches);
    receive(batch(query.tail === null ? held : held.slice(-query.tail)));
    const reader = (lines: LogLine[]) => receive(batch(lines.filter(matches)));
    this.readers.add(reader);
    return () => this.readers.delete(reader);
  }
}

function matcher(query: LogQuery): (line: LogLine) => boolean {
  const text = query.filter.toLowerCase();
  let test = (line: string) => text === '' || line.toLowerCase().includes(text);
  if (query.regex && query.filter !== '') {
    try {
      const expression = new RegExp(query.filter, 'i');
      test = (line) => expression.test(line);
    } catch (cause) {
      const error: ErrorInfo = {
        code: 'bad_filter',
        message: cause instanceof Error ? cause.message : String(cause),
        hint: null,
        detail: null,
      };
      throw error;
    }
  }
  return (line) =>
    test(line.text) &&
    (!query.problems || ['warning', 'error', 'fatal'].includes(line.level)) &&
    (query.program === null || line.program === query.program);
}
