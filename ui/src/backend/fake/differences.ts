import type { DriftChange } from '../types';
import { lineDiff } from './line-diff';

/** Parts that are made of lines. */
export const LINES: readonly string[] = ['compose', 'forge_styles'];

/** Lines that differ; those that begin alike are one that changed. */
export function lines(old: string, now: string): Pick<DriftChange, 'key' | 'old' | 'new'>[] {
  const all = lineDiff(old, now).groups.flat();
  const beginning = (text: string) => text.split(/[:=,]/)[0]?.trim() ?? '';
  const gone = all.filter(({ side }) => side === 'before').map(({ text }) => text);
  const come = all.filter(({ side }) => side === 'after').map(({ text }) => text);
  const changed = gone.map((text) => {
    const twin = come.findIndex((other) => beginning(other) === beginning(text));
    const [other] = twin < 0 ? [] : come.splice(twin, 1);
    return { key: [beginning(text)], old: text, new: other ?? null };
  });
  return [...changed, ...come.map((text) => ({ key: [beginning(text)], old: null, new: text }))];
}

/** Keys whose values differ. */
export function keys(old: string, now: string): Pick<DriftChange, 'key' | 'old' | 'new'>[] {
  const [a, b] = [flat(old), flat(now)];
  return [...new Set([...a.keys(), ...b.keys()])]
    .toSorted()
    .filter((name) => a.get(name) !== b.get(name))
    .map((name) => ({
      key: name.split('\u0000'),
      old: a.get(name) ?? null,
      new: b.get(name) ?? null,
    }));
}

export function flat(text: string, path: string[] = [], into = new Map<string, string>()) {
  const walk = (value: unknown, at: string[]) => {
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      for (const [key, inner] of Object.entries(value)) walk(inner, [...at, key]);
    } else into.set(at.join('\u0000'), JSON.stringify(value));
  };
  walk(JSON.parse(text), path);
  return into;
}
