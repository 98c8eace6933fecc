import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { expect, test } from 'vitest';

import en from '../../messages/en.json';
import early from '../../messages/en.json?early';
import late from '../../messages/en.json?late';
import fr from '../../messages/fr.json';
import { CAUSES, ERROR_CODES, REFUSALS, STAGES, VERDICTS } from '../backend/types';
import { language, t } from './i18n.svelte';

type Message = string | { one: string; other: string };
const texts = (message: Message) =>
  typeof message === 'string' ? [message] : [message.one, message.other];
const holes = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map((m) => m[1]).sort();
const english: Record<string, Message> = en;
const french: Record<string, Message> = fr;

/** Every file of the window itself, by its name. */
const sources = () =>
  readdirSync('src', { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(ts|svelte)$/.test(name) && !name.endsWith('.test.ts'))
    .map((name) => [name, readFileSync(join('src', name), 'utf8')] as const);

test('French has every message and no other', () => {
  expect(Object.keys(french)).toEqual(Object.keys(english));
});

test('both languages fill the same holes', () => {
  for (const [key, message] of Object.entries(english)) {
    const other = french[key];
    expect(holes(texts(other ?? '').at(-1) ?? ''), key).toEqual(holes(texts(message).at(-1) ?? ''));
  }
});

test('French is written with French spaces, quotation marks and apostrophes', () => {
  for (const [key, message] of Object.entries(french)) {
    for (const text of texts(message)) {
      const prose = text.replace(/https?:\/\//g, '');
      expect(prose, key).not.toMatch(/[^\u202f][;!?»]|[^\u00a0\d]:(?!\d)|«[^\u202f]|'|"/);
    }
  }
});

const UNIT = String.raw`(?:°C|%|W|[kMG]Hz|[kMGT]i?[Bo]|ms|s|min|h|d|j)(?![\p{L}\d’])`;

test('a number and its unit stay on one line', () => {
  const apart = new RegExp(String.raw`[}\d] ${UNIT}`, 'u');
  for (const catalogue of [english, french]) {
    for (const [key, message] of Object.entries(catalogue)) {
      for (const text of texts(message)) expect(text, key).not.toMatch(apart);
    }
  }
  expect('{size} GB').toMatch(apart);
  expect('{size}\u00a0GB, 4 days').not.toMatch(apart);
  // In a text that is put together, or between tags.
  const built = new RegExp(`\\} ${UNIT}(?=[\`<])`, 'u');
  for (const [name, text] of sources()) expect(built.exec(text)?.[0], name).toBeUndefined();
});

test('every code of the keeper has its words', () => {
  for (const cause of CAUSES) expect(english, cause).toHaveProperty([`cause.${cause}`]);
  for (const cause of CAUSES.filter((c) => !c.startsWith('rung.'))) {
    expect(english, cause).toHaveProperty([`incident.${cause}`]);
    expect(english, cause).toHaveProperty([`next.${cause}`]);
  }
  for (const code of ERROR_CODES) expect(english, code).toHaveProperty([`error.${code}`]);
  for (const refusal of REFUSALS) expect(english, refusal).toHaveProperty([`refusal.${refusal}`]);
  for (const stage of STAGES) expect(english, stage).toHaveProperty([`stage.${stage}`]);
  for (const verdict of VERDICTS) expect(english, verdict).toHaveProperty([`verdict.${verdict}`]);
});

test('no message is left that nothing shows', () => {
  const files = sources()
    .map(([, text]) => text)
    .join('\n');
  const built = [...files.matchAll(/`([a-z_.]+)\$\{[^`]*?\}([a-z_.]*)/g)].map(
    (m) => new RegExp(`^${m[1]}[a-z0-9_]+`),
  );
  const unused = Object.keys(english).filter(
    (key) => !files.includes(`'${key}'`) && !built.some((pattern) => pattern.test(key)),
  );
  expect(unused).toEqual([]);
});

/** Every file that may run before a page with late words was loaded, by its path. */
function withoutLatePages(): Map<string, string> {
  const found = new Map<string, string>();
  const open = ['src/main.ts'];
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    if (found.has(path) || /pages\/(bench|configuration|migration)\//.test(path)) continue;
    const text = readFileSync(path, 'utf8');
    found.set(path, text);
    for (const [, name = ''] of text.matchAll(/(?:from|import)[ (]'(\.[^']+)'/g)) {
      const target = join(dirname(path), name);
      const file = ['', '.ts', '.svelte.ts']
        .map((ending) => `${target}${ending}`)
        .find((one) => /\.(ts|svelte)$/.test(one) && existsSync(one));
      if (file !== undefined) open.push(file);
    }
  }
  return found;
}

test('words that come late are shown by the pages that load them alone', () => {
  expect({ ...early, ...late }).toEqual(en);
  const prefixes = [...new Set(Object.keys(late).map((key) => key.split('.')[0] ?? ''))];
  expect(prefixes.length).toBeGreaterThan(0);
  const files = withoutLatePages();
  expect(files.size).toBeGreaterThan(100);
  const said = new RegExp(`['"\`](?:${prefixes.join('|')})\\.[a-z_$]`);
  for (const [path, text] of files) {
    if (!path.includes('/fake')) expect(text, path).not.toMatch(said);
  }
});

test('numbers and plurals follow the language', () => {
  language.use('en');
  expect(t('logs.held', { count: 1 })).toBe('1 line held');
  expect(t('logs.held', { count: 10_000 })).toBe('10,000 lines held');
  language.use('fr');
  expect(t('logs.held', { count: 0 })).toBe('0 ligne gardée');
  expect(t('logs.held', { count: 10_000 })).toBe('10\u202f000 lignes gardées');
  language.use('en');
});
