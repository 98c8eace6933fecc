import type {
  ErrorInfo,
  LogBatch,
  LogLevel,
  LogLine,
  LogMarker,
  LogQuery,
  LogRun,
  LogSearchBatch,
  TracePart,
} from '../types';
import { generator } from './pictures';
import { runOf, UNKNOWN_LINE } from './said';

const CAPACITY = 10_000;

type Sample = [
  program: string,
  level: LogLevel,
  text: string,
  signature?: string,
  trace?: TracePart,
  spans?: LogLine['spans'],
];

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
  [
    'forge',
    'warning',
    'FutureWarning: You are using `torch.load` with `weights_only=False`',
    'torch.load-futurewarning',
  ],
  ['forge', 'error', '*** Error loading script: attention.py', 'ext.script-load'],
  ['forge', 'error', 'Traceback (most recent call last):', undefined, 'head'],
  [
    'caddy',
    'info',
    'été 🔥 INFO ready: 4 workers, 0 errors',
    undefined,
    undefined,
    [
      // In bytes: each accented letter takes two, the picture four.
      { start: 11, end: 15, colour: 'green', bold: true },
      { start: 23, end: 24, colour: 'cyan', bold: false },
      { start: 34, end: 35, colour: 'magenta', bold: false },
    ],
  ],
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

/** What follows the head of a traceback, one line at a time. */
const FRAMES: Sample[] = [
  [
    'forge',
    'unknown',
    '  File "/opt/forge/modules/scripts.py", line 525, in load_scripts',
    '',
    'body',
  ],
  [
    'forge',
    'unknown',
    '    script_module = script_loading.load_module(scriptfile.path)',
    '',
    'body',
  ],
  [
    'forge',
    'unknown',
    '  File "/opt/forge/modules/script_loading.py", line 13, in load_module',
    '',
    'body',
  ],
  ['forge', 'unknown', '    module_spec.loader.exec_module(module)', '', 'body'],
  [
    'forge',
    'unknown',
    '  File "extensions/attention/scripts/attention.py", line 4, in <module>',
    '',
    'body',
  ],
  ['forge', 'unknown', '    from ldm.modules.attention import CrossAttention', '', 'body'],
  [
    'forge',
    'error',
    "ModuleNotFoundError: No module named 'ldm'",
    'ext.ldm-missing-cause',
    'cause',
  ],
];

/** What happened to the container in the middle of what is held. */
const HAPPENED: LogMarker[] = [
  { stopped: { exit_code: 137 } },
  { recreated: { container: '4f1c0d7e9a2b', other_image: true } },
  { started: { container: '4f1c0d7e9a2b' } },
  { replayed: { lines: 512 } },
  { lost: { lines: 3 } },
];
/** Lines before now at which it happened. */
const HAPPENED_AT = 40;

/** One service's log, growing as time moves. */
export class FakeLog {
  lines: LogLine[] = [];
  rotated = 0;
  private seq = 0;
  /** What is left of a traceback. */
  private frames: Sample[] = [];
  private readonly random: () => number;
  private readonly readers = new Set<(lines: LogLine[]) => void>();

  constructor(name: string, start: number, count: number) {
    this.random = generator(name);
    // One line in the middle is an error that no rule knows.
    const unknown = Math.floor(count / 2);
    for (let index = count; index > 0; index--) {
      const marker = HAPPENED[HAPPENED_AT - index];
      const at = start - index * 700;
      if (count > HAPPENED_AT && marker) this.add(at, ['', 'unknown', ''], marker);
      else this.write(at, index === unknown ? ['forge', 'error', UNKNOWN_LINE] : undefined);
    }
  }

  write(at: number, sample?: Sample): void {
    const next = sample ?? this.frames.shift() ?? this.pick();
    if (next[4] === 'head') this.frames = [...FRAMES];
    this.add(at, next);
  }

  private pick(): Sample {
    return LIFE[Math.floor(this.random() ** 1.6 * LIFE.length)] ?? (LIFE[0] as Sample);
  }

  private add(at: number, sample: Sample, marker: LogMarker | null = null): void {
    const [program, level, text, signature, trace, spans] = sample;
    this.seq += 1;
    const line: LogLine = {
      seq: this.seq,
      at: new Date(at).toISOString(),
      stream: level === 'error' || trace ? 'stderr' : 'stdout',
      program: program || null,
      level,
      text,
      spans: spans ?? [],
      cut_bytes: 0,
      signature: signature || null,
      trace: trace ?? null,
      marker,
    };
    this.lines.push(line);
    if (this.lines.length > CAPACITY) {
      this.lines.shift();
      this.rotated += 1;
    }
    for (const reader of this.readers) reader([line]);
  }

  /** What is worth a look among the lines held. */
  said(): LogRun {
    return runOf(this.lines);
  }

  search(
    query: LogQuery,
    before: number | null,
    most: number,
    receive: (batch: LogSearchBatch) => void,
    { pace = 60, fails = false } = {},
  ): () => void {
    const { matches, hits } = matcher(query);
    const rounds = 4;
    const old = this.lines.filter((line) => before === null || line.seq < before).reverse();
    let round = 0;
    let left = most;
    const timer = setInterval(() => {
      const size = Math.ceil(old.length / rounds);
      const lines = old.slice(round * size, (round + 1) * size).filter(matches);
      round += 1;
      const found = lines.slice(0, left);
      left -= found.length;
      const done = round === rounds || left === 0;
      if (fails && round > 1) {
        clearInterval(timer);
        receive({
          lines: [],
          hits: [],
          looked: size,
          all: old.length,
          back_to: old[size]?.at ?? null,
          done: true,
          error: 'the stored log of `myia-turbo` cannot be read: disk I/O error',
        });
        return;
      }
      receive({
        lines: found,
        hits: hits(found),
        looked: Math.min(old.length, round * size),
        all: old.length,
        back_to: old[Math.min(old.length, round * size) - 1]?.at ?? null,
        done,
        error: null,
      });
      if (done) clearInterval(timer);
    }, pace);
    return () => clearInterval(timer);
  }

  matching(query: LogQuery): (line: LogLine) => boolean {
    return matcher(query).matches;
  }

  subscribe(query: LogQuery, receive: (batch: LogBatch) => void): () => void {
    const { matches, hits } = matcher(query);
    const batch = (lines: LogLine[]): LogBatch => ({
      lines,
      hits: hits(lines),
      held: this.lines.length,
      matched: query.mark ? hits(this.lines).length : this.lines.filter(matches).length,
      dropped: 0,
    });
    const held = this.lines.filter(matches);
    receive(batch(query.tail === null ? held : held.slice(-query.tail)));
    const reader = (lines: LogLine[]) => receive(batch(lines.filter(matches)));
    this.readers.add(reader);
    return () => this.readers.delete(reader);
  }
}

const GRAVITY: LogLevel[] = ['unknown', 'debug', 'info', 'warning', 'error', 'fatal'];

function matcher(query: LogQuery) {
  const text = query.filter.toLowerCase();
  let test = (line: string) => text === '' || line.toLowerCase().includes(text);
  if (query.regex && query.filter !== '') {
    try {
      const expression = new RegExp(
        query.filter.replace('(?i)', ''),
        query.filter.startsWith('(?i)') ? 'i' : '',
      );
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
  // What happened to the container belongs to every program, and has no text.
  const found = (line: LogLine) => (line.marker ? query.filter === '' : test(line.text));
  const matches = (line: LogLine) =>
    (query.mark || found(line)) &&
    (query.since === null || (line.at ?? query.since) >= query.since) &&
    (query.until === null || (line.at ?? query.until) <= query.until) &&
    (query.level === null || GRAVITY.indexOf(line.level) >= GRAVITY.indexOf(query.level)) &&
    (query.program === null || line.marker !== null || line.program === query.program);
  const hits = (lines: LogLine[]) =>
    query.mark && query.filter !== ''
      ? lines.filter((line) => !line.marker && found(line)).map((line) => line.seq)
      : [];
  return { matches, hits };
}
