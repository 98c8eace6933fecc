import type { GenerationRequest, Room } from '../types';
import type { FakeCard } from './gpus';
import { GIB } from './gpus';

/** What a picture needs on its card, and what is there. */
export function room(
  card: FakeCard | null,
  request: Pick<GenerationRequest, 'width' | 'height' | 'batch'>,
  low: boolean,
): Room {
  const pixels = request.width * request.height * Math.max(1, request.batch);
  const needed = 2.9 * GIB + pixels * 2048;
  if (!card) {
    return { verdict: 'unknown', needed_bytes: needed, basis: { from: 'estimated' }, card: null };
  }
  const held = low ? 0.4 * GIB : 4.2 * GIB;
  const free = low ? 0.4 * GIB : (card.total - card.rest) * GIB - held;
  return {
    verdict: free + held < needed ? 'too_little' : 'enough',
    needed_bytes: needed,
    basis: { from: 'learned', generations: 12 },
    card: { uuid: card.uuid, name: card.name, free_bytes: free, held_bytes: held },
  };
}
