import type { LogGroup, LogGroupBatch, LogLevel, LogLine } from '../types';

const WORST: LogLevel[] = ['unknown', 'debug', 'info', 'warning', 'error', 'fatal'];
/** The keeper knows far more that varies; the lines made here differ in their numbers. */
const NUMBER = /\d+(?:\.\d+)?/g;

const escaped = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

function grouped(newestFirst: LogLine[]): LogGroup[] {
  const found = new Map<string, LogGroup>();
  for (const line of newestFirst) {
    const shape = line.text.trim().replace(NUMBER, '<n>');
    if (line.marker || shape === '') continue;
    const group = found.get(shape);
    if (group) {
      group.count += 1;
      group.first = line.at ?? group.first;
      group.signature ??= line.signature;
      if (WORST.indexOf(line.level) > WORST.indexOf(group.level)) group.level = line.level;
    } else {
      const { at, seq, text, level, signature } = line;
      const finder = `^\\s*${text.trim().split(NUMBER).map(escaped).join('[0-9.]+')}\\s*$`;
      const rest = { count: 1, first: at, last: at, last_seq: seq, sample: text };
      found.set(shape, { shape, ...rest, level, signature, finder });
    }
  }
  return [...found.values()].sort((a, b) => b.count - a.count);
}

/** Counts in a few rounds, as the keeper does. */
export function countGroups(
  matches: (line: LogLine) => boolean,
  lines: LogLine[],
  receive: (batch: LogGroupBatch) => void,
  { pace = 60, fails = false } = {},
): () => void {
  const rounds = 3;
  const newestFirst = [...lines].reverse();
  let round = 0;
  const timer = setInterval(() => {
    round += 1;
    const looked = Math.ceil((newestFirst.length * round) / rounds);
    const failed = fails && round > 1;
    receive({
      groups: grouped(newestFirst.slice(0, looked).filter(matches)),
      others: 0,
      looked,
      all: newestFirst.length,
      back_to: newestFirst[looked - 1]?.at ?? null,
      done: failed || round === rounds,
      error: failed ? 'the stored log of `myia-turbo` cannot be read: disk I/O error' : null,
    });
    if (failed || round === rounds) clearInterval(timer);
  }, pace);
  return () => clearInterval(timer);
}
