import { expect, test } from 'vitest';

import type { LogLine } from '../../backend/types';
import { LineStore } from './lines.svelte';

const line = (seq: number): LogLine => ({
  seq,
  at: new Date(1_760_000_000_000 + seq).toISOString(),
  stream: 'stdout',
  program: null,
  level: 'info',
  text: `line ${seq}`,
  spans: [],
  cut_bytes: 0,
  signature: null,
  trace: null,
  marker: null,
});

test('what is known of lines that were let go takes no memory, and the rest stays right', async () => {
  const store = new LineStore();
  const [all, kept] = [200_000, 10_000];
  for (let seq = 0; seq < all; seq++) {
    const id = store.add(line(seq), seq % 3, seq % 5 === 0);
    expect(id).toBe(seq);
    if (seq >= kept) store.drop([seq - kept]);
  }
  for (const id of [all - kept, all - 5_000, all - 1]) {
    expect(store.timeOf(id)).toBe(1_760_000_000_000 + id);
    expect(store.sourceOf(id)).toBe(id % 3);
    expect(store.isHit(id)).toBe(id % 5 === 0);
    expect((await store.read(id))?.text).toBe(`line ${id}`);
  }
  expect(store.at(0)).toBeNull();
  const { times } = store as unknown as { times: Float64Array };
  expect(times.length).toBeLessThan(4 * kept);
});
