import type {
  Declared,
  ErrorInfo,
  Found,
  Look,
  Measurement,
  Placement,
  PlacementRemedy,
  PlacementStage,
  PlacementVerdict,
  Proved,
  Round,
  UnclearProof,
} from '../types';
import { CARDS, cardOf, noGpus } from './gpus';
import type { FakeJob } from './jobs';
import { newJob } from './jobs';
import type { Fault, FakeService } from './site';
import { iso } from './site';

const COMPOSE = '/srv/forge/docker-compose.yaml';

const declaredCard = (service: FakeService) =>
  CARDS.find((card) => card.index === service.settings.declared_gpu) ?? null;

function declared(service: FakeService): Declared {
  const card = declaredCard(service);
  if (!card) return { card: null, all: [], conflict: false };
  const value = `${card.index}`;
  const cards = [card.uuid];
  return {
    card: card.uuid,
    all: [
      { source: 'reservation', value, cards, cuda_order: false },
      { source: 'settings', value, cards, cuda_order: false },
    ],
    conflict: false,
  };
}

/** What a proof finds, without a service that could know better. */
function proved(service: FakeService, faults: ReadonlySet<Fault>, at: number): Proved {
  const card = cardOf(service, faults);
  const meant = declaredCard(service);
  const together = faults.has('placement-wrong') && service.settings.kind === 'forge';
  const id = service.settings.id;
  const verdict: PlacementVerdict =
    card === null
      ? 'could_not_tell'
      : meant === null
        ? 'undeclared'
        : meant === card
          ? 'agrees'
          : 'shared_card';
  return {
    at: iso(at),
    verdict,
    confidence: card === null ? 'none' : 'high',
    card: card?.uuid ?? null,
    shared_with: together ? [id === 'myia' ? 'myia-turbo' : 'myia'] : [],
    swapped_with: null,
    rounds: card === null ? 5 : 2,
    faded: faults.has('placement-faded') ? 'driver' : null,
  };
}

/** Proofs that were made before the fake began. */
export function firstProof(service: FakeService, faults: ReadonlySet<Fault>, now: number) {
  const none = faults.has('placement-unproved') || service.settings.kind !== 'forge';
  if (none || noGpus(faults)) return null;
  return proved(service, faults, now - 14 * 60_000);
}

function remedy(service: FakeService): PlacementRemedy | null {
  const wrong = service.proved?.verdict === 'shared_card' || service.proved?.verdict === 'differs';
  const card = declaredCard(service);
  if (!wrong || service.proved?.faded || !card) return null;
  return {
    file: COMPOSE,
    diff: [
      ' services:',
      `   ${service.settings.id}:`,
      '     environment:',
      '+      CUDA_DEVICE_ORDER: PCI_BUS_ID',
      `+      CUDA_VISIBLE_DEVICES: ${card.uuid}`,
      '     deploy:',
      '       resources:',
      '         reservations:',
      '           devices:',
      '             - driver: nvidia',
      `-              device_ids: ['${card.index}']`,
      `+              device_ids: ['${card.uuid}']`,
      '               capabilities: [gpu]',
    ],
    compose: true,
  };
}

export function placementOf(service: FakeService, faults: ReadonlySet<Fault>): Placement {
  const card = cardOf(service, faults);
  return {
    declared: declared(service),
    reported:
      card && service.running
        ? {
            text: `cuda:0 ${card.name} : native`,
            source: 'log',
            at: iso(service.startedAt + 41_000),
            cpu: false,
            cards: [card.uuid],
          }
        : null,
    proved: service.proved,
    unclear: unclear(service, faults),
    remedy: remedy(service),
  };
}

/** A newer proof that could not tell, five minutes after the one that counts. */
function unclear(service: FakeService, faults: ReadonlySet<Fault>): UnclearProof | null {
  if (!service.proved || !faults.has('placement-unclear')) return null;
  return { at: iso(Date.parse(service.proved.at) + 5 * 60_000), reason: 'disturbed' };
}

export function unclearOf(service: FakeService, faults: ReadonlySet<Fault>): Measurement | null {
  const [newer, found] = [unclear(service, faults), evidenceOf(service, faults)];
  if (!newer || !found) return null;
  const finding: Found = { found: 'unclear', reason: newer.reason };
  const rounds = found.rounds.map((round) => ({ ...round, finding }));
  return { ...found, at: newer.at, finding, confidence: 'none', rounds };
}

/** Looks of one round: the card that works rises, the other one does not. */
function looks(worked: number | null): Look[] {
  const made: Look[] = [];
  const look = (at_ms: number, phase: Look['phase']) => {
    const busy = phase === 'working' || (phase === 'between' && at_ms > 300);
    const held = phase === 'before' ? 0 : phase === 'after' ? 120 : 640;
    made.push({
      at_ms,
      phase,
      load: CARDS.map(({ index }) => (busy && index === worked ? 72 + (at_ms % 17) : at_ms & 1)),
      memory_mib: CARDS.map(({ index, rest }) =>
        Math.round(rest * 1024 + 6_300 + (index === worked ? held : 0)),
      ),
    });
  };
  for (let at = -1_400; at < 0; at += 200) look(at, 'before');
  for (let at = 0; at < 600; at += 200) look(at, 'between');
  for (let at = 600; at < 2_200; at += 200) look(at, 'working');
  look(2_200, 'between');
  for (let at = 3_000; at < 4_400; at += 200) look(at, 'after');
  return made;
}

export function evidenceOf(service: FakeService, faults: ReadonlySet<Fault>): Measurement | null {
  if (!service.proved) return null;
  const ended = Date.parse(service.proved.at);
  const card = cardOf(service, faults);
  const finding: Found = card
    ? { found: 'card', uuid: card.uuid }
    : { found: 'unclear', reason: 'noise' };
  const round = (before: number): Round => ({
    at: iso(ended - before),
    steps: 4,
    pixels: 64,
    took_ms: 2_240,
    cards: CARDS.map(({ uuid }) => uuid),
    looks: looks(card?.index ?? null),
    finding,
  });
  return {
    service: service.settings.id,
    at: service.proved.at,
    finding,
    confidence: service.proved.confidence,
    basis: {
      driver: '576.52',
      cards: CARDS.map(({ uuid }) => uuid),
      engine: '28.3.0',
      container: '4f1c0d7e9a2b',
      compose: '5d0f3c',
      address: service.settings.api,
    },
    rounds: [round(11_000), round(4_400)],
  };
}

/** Why no proof can be made now. */
export function proofRefused(service: FakeService, faults: ReadonlySet<Fault>): ErrorInfo | null {
  const because = (code: ErrorInfo['code'], message: string): ErrorInfo => ({
    code,
    message,
    hint: null,
    detail: null,
  });
  if (noGpus(faults) || faults.has('gpu-lost')) {
    return because('gpu_unreadable', 'a card of the host cannot be read');
  }
  if (faults.has('gpu-memory-low')) {
    return because('gpu_memory_low', '410 MiB are free on GPU 1; a round needs 1024 MiB');
  }
  if (service.generating || service.acting) {
    return because('service_busy', `${service.settings.id} makes a picture`);
  }
  if (!service.apiUp) return because('api', `${service.settings.id} does not answer`);
  return null;
}

/** Milliseconds into a round at which each stage begins; a round takes `ROUND_MS`. */
const STAGES: [PlacementStage, number][] = [
  ['settling', 1_700],
  ['working', 600],
  ['resting', 0],
];
const ROUND_MS = 2_250;
const ROUNDS = 2;

export function placementJob(
  id: string,
  service: FakeService,
  now: number,
  faults: ReadonlySet<Fault>,
): FakeJob {
  const job = newJob(id, { what: 'prove_placement' }, service, now);
  return {
    job,
    service,
    begun: now,
    move(elapsed, at) {
      if (elapsed >= ROUNDS * ROUND_MS) {
        service.proved = { ...proved(service, faults, at), faded: null };
        job.proved = service.proved;
        job.placement = null;
        job.phase = 'succeeded';
        job.finished_at = iso(at);
        job.cancellable = false;
        return;
      }
      const into = elapsed % ROUND_MS;
      job.placement = {
        stage: STAGES.find(([, begins]) => into >= begins)?.[0] ?? 'resting',
        round: Math.floor(elapsed / ROUND_MS) + 1,
        rounds: ROUNDS,
      };
    },
  };
}
