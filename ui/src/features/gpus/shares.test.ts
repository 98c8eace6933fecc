import { beforeEach, expect, test } from 'vitest';

import type { GpuCard, Share } from '../../backend/types';
import { FakeBackend } from '../../backend/fake';
import { language } from '../../shared/i18n.svelte';
import { holderName, parts, usedPart } from './shares';
import { heldWords, pcieWords, sourceWords, throttleWords } from './words';

const GIB = 1024 ** 3;
beforeEach(() => language.use('en'));

async function cardWith(shares: Share[] | null): Promise<GpuCard> {
  const [host] = (await new FakeBackend().state()).hosts;
  const card = structuredClone(host?.gpus.cards[1]);
  if (!card) throw new Error('the fake has two cards');
  const remainder = 'windows_and_unknown';
  card.shares = shares && { shares, remainder, excess: null, contradicted: [] };
  return card;
}
const share = (holder: Share['holder'], gib: number | null, source: Share['source']): Share => ({
  holder,
  source,
  memory: gib === null ? null : gib * GIB,
  claimed: null,
  at_least: false,
  load_percent: null,
});

test('a bar is stacked by holder, and what nobody claims comes last', async () => {
  const card = await cardWith([
    share({ who: 'service', id: 'myia-turbo' }, 10.6, 'reported'),
    share({ who: 'service', id: 'myia' }, 6.2, 'reported'),
    share({ who: 'unknown' }, 1.9, 'remainder'),
  ]);
  expect(parts(card).map((part) => part.text)).toEqual([
    'myia-turbo 10.6\u00a0GB',
    'myia 6.2\u00a0GB',
    'Windows and unknown 1.9\u00a0GB',
  ]);
  expect(parts(card, Infinity, true)[0]?.text).toBe('myia-turbo 10.6\u00a0GB (reported)');
  const tones = parts(card).map((part) => part.tone);
  expect(new Set(tones).size, 'neighbours differ').toBe(3);
});

test('with many holders the smaller ones are one part', async () => {
  const named = ['a', 'b', 'c', 'd', 'e'].map((id, place) =>
    share({ who: 'service', id }, 5 - place, 'driver'),
  );
  const card = await cardWith([...named, share({ who: 'unknown' }, 1, 'remainder')]);
  expect(parts(card, 3).map((part) => part.text)).toEqual([
    'a 5\u00a0GB',
    'b 4\u00a0GB',
    'c 3\u00a0GB',
    'others 3\u00a0GB',
    'Windows and unknown 1\u00a0GB',
  ]);
});

test('who is there with an unknown amount takes no room in the bar', async () => {
  const card = await cardWith([share({ who: 'process', pid: 7, name: null }, null, 'driver')]);
  expect(parts(card)).toEqual([]);
  expect(usedPart(card)[0]?.memory, 'the sum is shown then').toBe(card.latest.memory_used);
});

test('holders are named; where the driver names processes the rest is not Windows', async () => {
  const card = await cardWith(null);
  card.latest.processes = [];
  expect(holderName({ who: 'unknown' }, card)).toBe('unknown');
  expect(holderName({ who: 'container', id: '0123456789abcdef' }, card)).toBe(
    'container 0123456789ab',
  );
  expect(holderName({ who: 'process', pid: 1203, name: 'Xorg' }, card)).toBe('Xorg (1203)');
  expect(holderName({ who: 'process', pid: 1203, name: null }, card)).toBe('process 1203');
});

test('links, reasons and sources are told as far as they are known', () => {
  const link = { generation: 4, width: 16, max_generation: 4, max_width: 16 };
  expect(pcieWords(link)).toBe('gen\u00a04\u00a0×16 of gen\u00a04\u00a0×16');
  expect(pcieWords({ ...link, width: null })).toBe('gen\u00a04\u00a0×? of gen\u00a04\u00a0×16');
  expect(pcieWords({ ...link, max_generation: null, max_width: null })).toBe('gen\u00a04\u00a0×16');
  expect(pcieWords({ ...link, generation: null, width: null })).toBeNull();
  expect(throttleWords(null)).toBeNull();
  expect(throttleWords([])).toBe('nothing');
  expect(heldWords(['idle'])).toBe('at rest');
  expect(heldWords(['software_heat'])).toBe('held back by heat (software)');
  expect(heldWords(null)).toContain('not available');
  expect(sourceWords({ source: 'nvml', driver: '576.52', cuda: null })).toBe('NVML, driver 576.52');
  expect(sourceWords({ source: 'nvidia_smi', container: 'turbo', driver: '570' })).toBe(
    'nvidia-smi in turbo, driver 570',
  );
});

test('what nobody claims is of Windows only where the domain says so', async () => {
  const card = await cardWith([share({ who: 'unknown' }, 1, 'remainder')]);
  expect(holderName({ who: 'unknown' }, card)).toBe('Windows and unknown');
  if (card.shares) card.shares.remainder = 'unknown';
  expect(holderName({ who: 'unknown' }, card)).toBe('unknown');
});
