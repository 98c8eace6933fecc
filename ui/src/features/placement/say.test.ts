import { beforeEach, expect, test } from 'vitest';

import { FakeBackend } from '../../backend/fake';
import type {
  Declaration,
  Fading,
  GpuCard,
  Placement,
  Proved,
  ServiceState,
} from '../../backend/types';
import { language } from '../../shared/i18n.svelte';
import { laneWords } from './lane';
import { cardName, cardOfEvidence } from './names';
import { progressPart, progressWords, proofStatus, sourceWords, verdictWords } from './say';

let cards: GpuCard[] = [];
let base: ServiceState;
let [small, large] = ['', ''];

beforeEach(async () => {
  language.use('en');
  const state = await new FakeBackend({ lines: 1 }).state();
  cards = state.hosts[0]?.gpus.cards ?? [];
  const found = state.services.find((one) => one.id === 'myia');
  if (!found) throw new Error('no service');
  base = found;
  small = cards.find((card) => card.latest.name.includes('3080'))?.latest.uuid ?? '';
  large = cards.find((card) => card.latest.name.includes('3090'))?.latest.uuid ?? '';
});

const proof = (change: Partial<Proved>): Proved => ({
  at: '2026-11-20T10:00:00Z',
  verdict: 'agrees',
  confidence: 'high',
  card: small,
  shared_with: [],
  swapped_with: null,
  rounds: 2,
  faded: null,
  ...change,
});
const service = (proved: Proved | null, change: Partial<Placement> = {}): ServiceState => ({
  ...base,
  placement: {
    declared: {
      card: small,
      all: [{ source: 'reservation', value: '0', cards: [small], cuda_order: false }],
      conflict: false,
    },
    reported: null,
    unclear: null,
    remedy: null,
    proved,
    ...change,
  },
});
const lane = (of: ServiceState) => {
  const { words, wrong, tone } = laneWords(of, cards, false);
  return [words, wrong, tone];
};

test('only a proof that agrees and is believed is green', () => {
  const verdicts = {
    agrees: 'ok',
    differs: 'degraded',
    shared_card: 'degraded',
    cpu: 'failing',
    undeclared: 'not_configured',
    conflicting: 'unknown',
    could_not_tell: 'unknown',
  } as const;
  const fadings: Fading[] = ['age', 'driver', 'cards', 'engine', 'container', 'compose'];
  for (const verdict of Object.keys(verdicts) as (keyof typeof verdicts)[]) {
    expect(proofStatus(proof({ verdict })), verdict).toBe(verdicts[verdict]);
    for (const faded of fadings) expect(proofStatus(proof({ verdict, faded }))).toBe('unknown');
  }
  expect(proofStatus(null)).toBe('unknown');
});

test('the lane says what is known and nothing more', () => {
  const differs = proof({ verdict: 'differs', card: large });
  expect(lane(service(proof({})))).toEqual(['on RTX 3080, measured', null, 'measured']);
  expect(lane(service(differs))).toEqual(['declared RTX 3080', 'measured RTX 3090', 'degraded']);
  expect(
    lane(service({ ...differs, verdict: 'shared_card', shared_with: ['myia-turbo'] })),
  ).toEqual(['declared RTX 3080', 'measured RTX 3090, shared', 'degraded']);
  expect(lane(service(proof({ verdict: 'cpu', card: null })))).toEqual([
    '',
    'computes on the CPU, measured',
    'failing',
  ]);
  const unproved = ['declared RTX 3080, not measured', null, 'unproved'];
  expect(lane(service(null))).toEqual(unproved);
  expect(lane(service(proof({ faded: 'driver' })))).toEqual(unproved);
  expect(lane(service({ ...differs, faded: 'age' })), 'no warning from an old proof').toEqual(
    unproved,
  );
  expect(lane(service(proof({ verdict: 'could_not_tell', card: null })))).toEqual(unproved);
  const nothing = { declared: { card: null, all: [], conflict: false } };
  expect(lane(service(null, nothing))).toEqual(['card not known', null, 'unproved']);
  expect(lane(service(proof({ verdict: 'undeclared', card: large }), nothing))).toEqual([
    'on RTX 3090, measured',
    null,
    'measured',
  ]);
  expect(laneWords(service(proof({})), cards, true).words).toBe(
    'declared RTX 3080, being measured',
  );
});

test('a faded proof is told as something that was', () => {
  expect(verdictWords(service(proof({ faded: 'age' })), cards)).toBe(
    'Was on RTX 3080; not known now',
  );
  expect(verdictWords(service(proof({ verdict: 'cpu', card: null, faded: 'age' })), cards)).toBe(
    'Was on the CPU; not known now',
  );
});

test('cards of one model are told apart by their numbers, others by their models', () => {
  expect(cardName(cards, large)).toBe('RTX 3090');
  const twins = cards.map((card) => ({
    ...card,
    latest: { ...card.latest, name: 'NVIDIA GeForce RTX 3090' },
  }));
  expect(cardName(twins, large)).toMatch(/^GPU \d · RTX 3090$/);
  expect(cardOfEvidence(twins, 'GPU 1 · NVIDIA GeForce RTX 3090')).toBe('GPU 1 · RTX 3090');
  expect(cardOfEvidence(cards, 'GPU 1 · NVIDIA GeForce RTX 3090')).toBe('RTX 3090');
  expect(cardName(cards, 'GPU-ffffffff-0000')).toBe('GPU-ffff…');
});

test('a reservation without compose is an option of docker run', () => {
  const one: Declaration = { source: 'reservation', value: '0', cards: [], cuda_order: false };
  expect(sourceWords(one, base)).toBe('Compose reservation');
  const container = base.container && { ...base.container, compose_service: null };
  expect(sourceWords(one, { ...base, container })).toBe('--gpus of docker run');
});

test('progress tells stage and round, and waiting is no part of it', () => {
  expect(progressPart(null)).toBeNull();
  expect(progressPart({ stage: 'waiting', round: 1, rounds: 2 })).toBeNull();
  expect(progressPart({ stage: 'resting', round: 1, rounds: 2 })).toBe(0);
  expect(progressPart({ stage: 'settling', round: 3, rounds: 3 })).toBeCloseTo(8 / 9);
  expect(progressWords({ stage: 'working', round: 2, rounds: 3 })).toBe(
    'Round 2 of 3: makes a picture',
  );
  expect(progressWords(null)).toBe('Asked for…');
  expect(progressWords({ stage: 'waiting', round: 1, rounds: 2 })).toBe('Waits for its turn');
});
