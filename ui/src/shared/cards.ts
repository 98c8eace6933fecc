/** What is needed of a card to call it by name. */
export interface NamedCard {
  index: number;
  name: string;
}

/** A card's model without the maker's words before it: `RTX 3090`. */
export const cardModel = (name: string): string => name.replace(/^NVIDIA (GeForce )?/, '');

/** How a card is called wherever one is: `GPU 1 · RTX 3090`. */
export const cardTitle = ({ index, name }: NamedCard): string =>
  `GPU ${index} · ${cardModel(name)}`;
