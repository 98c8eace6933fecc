/** What is selected of a list, and where the keyboard is in it. */
export interface Selection {
  ids: ReadonlySet<string>;
  /** Where the keyboard is. */
  cursor: string | null;
  /** Where a range begins. */
  anchor: string | null;
}

export const NOTHING: Selection = { ids: new Set(), cursor: null, anchor: null };

export interface Keys {
  shift: boolean;
  /** One more or one less, the others stay. */
  toggle: boolean;
}

/** Chooses an item as a list of files does. */
export function choose(
  before: Selection,
  list: readonly string[],
  id: string,
  { shift, toggle }: Keys,
): Selection {
  if (shift) {
    const from = list.indexOf(before.anchor ?? id);
    const to = list.indexOf(id);
    const range = list.slice(Math.min(from, to), Math.max(from, to) + 1);
    // Something that is not shown any more is no place to begin at.
    const ids = from < 0 ? [id] : range;
    const kept = toggle ? [...before.ids] : [];
    return { ids: new Set([...kept, ...ids]), cursor: id, anchor: before.anchor ?? id };
  }
  if (!toggle) return { ids: new Set([id]), cursor: id, anchor: id };
  const ids = new Set(before.ids);
  if (!ids.delete(id)) ids.add(id);
  return { ids, cursor: id, anchor: id };
}

export const all = (before: Selection, list: readonly string[]): Selection => ({
  ...before,
  ids: new Set(list),
});

export const none = (before: Selection): Selection => ({
  ...before,
  ids: new Set(),
  anchor: null,
});

/** Without what is not in the list any more. */
export function among(before: Selection, list: readonly string[]): Selection {
  const there = (id: string | null) => (id !== null && list.includes(id) ? id : null);
  return {
    ids: new Set(list.filter((id) => before.ids.has(id))),
    cursor: there(before.cursor),
    anchor: there(before.anchor),
  };
}

/** Where a key leads to in a grid of so many columns; `null` when it is no such key. */
export function step(
  key: string,
  place: number,
  count: number,
  columns: number,
  rows: number,
): number | null {
  const to: Record<string, number> = {
    ArrowRight: place + 1,
    ArrowLeft: place - 1,
    ArrowDown: place + columns,
    ArrowUp: place - columns,
    PageDown: place + columns * rows,
    PageUp: place - columns * rows,
    Home: 0,
    End: count - 1,
  };
  const wanted = to[key];
  if (wanted === undefined || count === 0) return null;
  // From nowhere the first one is next, whichever key it was.
  if (place < 0) return key === 'End' ? count - 1 : 0;
  // Above the first row and below the last one there is nothing to go to.
  if (key === 'ArrowUp' && wanted < 0) return place;
  if (key === 'ArrowDown' && wanted >= count) {
    return Math.floor(place / columns) < Math.floor((count - 1) / columns) ? count - 1 : place;
  }
  return Math.min(count - 1, Math.max(0, wanted));
}
