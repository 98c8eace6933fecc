/** How long heat or a lack of power held a card back: a share of each step's time. */
import type { GpuHistory } from '../../backend/types';
import type { ChartStrip } from '../../shared/chart';
import { STRIP_LEVELS } from '../../shared/chart';
import { duration, part } from '../../shared/format';
import { t } from '../../shared/i18n.svelte';
import type { Lane } from './charts';
import { valuesOf } from './charts';

/** Shares arrive in tenths of a percent; what is less, and not nothing, arrives as 0. */
const LEAST = 0.05;

/** The share of each step in percent; `null` where nothing is known of it. */
function sharesOf(history: GpuHistory | null, uuid: string): (number | null)[] {
  const line = valuesOf(history, uuid, 'throttled');
  return (line?.mean ?? []).map((share, place) =>
    share === 0 && (line?.max[place] ?? 0) > 0 ? LEAST : share,
  );
}

const levelOf = (share: number): number =>
  Math.min(STRIP_LEVELS, Math.max(1, Math.ceil((share / 100) * STRIP_LEVELS)));

/** The time of each card that was held back, one row a card; as high as the share is large. */
export function stripsOf(history: GpuHistory | null, lanes: readonly Lane[]): ChartStrip[] {
  if (!history) return [];
  const from = Date.parse(history.from) / 1000;
  const strips: ChartStrip[] = [];
  const rows = lanes
    .map(({ uuid }) => sharesOf(history, uuid))
    .filter((shares) => shares.some((share) => (share ?? 0) > 0));
  rows.forEach((shares, row) => {
    let open: ChartStrip | null = null;
    shares.forEach((share, place) => {
      const level = (share ?? 0) > 0 ? levelOf(share ?? 0) : 0;
      if (level === 0) open = null;
      else if (open?.level === level) open.to = from + (place + 1) * history.step_s;
      else {
        const begin = from + place * history.step_s;
        open = { from: begin, to: begin + history.step_s, row, level };
        strips.push(open);
      }
    });
  });
  return strips;
}

/** Share of the recorded time in which a card was held back, in percent; `null` when never. */
export function heldBack(history: GpuHistory | null, uuid: string): number | null {
  const shares = sharesOf(history, uuid).filter((share) => share !== null);
  const sum = shares.reduce((all, share) => all + share, 0);
  return sum > 0 ? sum / shares.length : null;
}

/** Which cards were held back in a step, and for how much of it, in words. */
export function heldAt(
  history: GpuHistory | null,
  lanes: readonly Lane[],
  place: number | null,
): string[] {
  if (!history || place === null) return [];
  return lanes.flatMap(({ uuid, index }) => {
    const share = sharesOf(history, uuid)[place] ?? 0;
    if (share <= 0) return [];
    const card = `GPU ${index}`;
    // A single reading knows no part of its second.
    return history.step_s === 1
      ? t('gpus.throttled_whole', { card })
      : t('gpus.throttled_step', {
          card,
          share: part(share),
          time: duration(history.step_s * 1000),
        });
  });
}
