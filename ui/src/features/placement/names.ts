import type { GpuCard } from '../../backend/types';
import { cardModel, cardTitle } from '../../shared/cards';

/** The beginning of an id, as far as one reads it. */
export const shortUuid = (uuid: string): string =>
  uuid.length > 12 ? `${uuid.slice(0, 8)}…` : uuid;

/** A card in few words; its number only where its model does not tell it from the others. */
export function cardName(cards: readonly GpuCard[], uuid: string): string {
  const card = cards.find((one) => one.latest.uuid === uuid)?.latest;
  if (!card) return shortUuid(uuid);
  const model = cardModel(card.name);
  const alike = cards.filter((one) => one.latest.name === card.name).length > 1;
  // A card of which nothing but its number was ever read is called by that.
  return alike && model !== `GPU ${card.index}` ? cardTitle(card) : model;
}

/** The same of a card as evidence names it: `GPU 1 · NVIDIA GeForce RTX 3090`, or its UUID. */
export function cardOfEvidence(cards: readonly GpuCard[], text: string): string {
  const [, index, name] = /^GPU (\d+) · (.+)$/.exec(text) ?? [];
  if (index === undefined || name === undefined) return shortUuid(text);
  const alike = cards.filter((one) => one.latest.name === name).length > 1;
  return alike ? cardTitle({ index: Number(index), name }) : cardModel(name);
}
