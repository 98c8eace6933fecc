import type { GpuCard } from '../../backend/types';
import { ago, percent } from '../../shared/format';
import { number, t, type MessageKey } from '../../shared/i18n.svelte';
import { celsius, gb, megahertz, outOf, pcieWords, throttleWords, watts } from './words';

/** One value of every card; `null` is not available, which is never 0. */
export interface ValueRow {
  title: MessageKey;
  of: (card: GpuCard, now: number) => string | null;
  /** Identifiers are set in the fixed font. */
  mono?: boolean;
}

const some = (value: number | null, unit: (value: number) => string) =>
  value === null ? null : unit(value);

/** All that is read of a card, in groups. */
export const VALUES: readonly (readonly ValueRow[])[] = [
  [
    { title: 'gpus.value.load', of: ({ latest }) => some(latest.load_percent, percent) },
    {
      title: 'gpus.value.memory_load',
      of: ({ latest }) => some(latest.memory_load_percent, percent),
    },
    { title: 'gpus.value.encoder', of: ({ latest }) => some(latest.encoder_percent, percent) },
    { title: 'gpus.value.decoder', of: ({ latest }) => some(latest.decoder_percent, percent) },
  ],
  [
    { title: 'gpus.value.memory_used', of: ({ latest }) => some(latest.memory_used, gb) },
    { title: 'gpus.value.memory_free', of: ({ latest }) => some(latest.memory_free, gb) },
    { title: 'gpus.value.memory_total', of: ({ latest }) => some(latest.memory_total, gb) },
  ],
  [
    { title: 'gpus.value.temperature', of: ({ latest }) => some(latest.temperature_c, celsius) },
    { title: 'gpus.value.slowdown', of: ({ latest }) => some(latest.slowdown_c, celsius) },
    { title: 'gpus.value.shutdown', of: ({ latest }) => some(latest.shutdown_c, celsius) },
    { title: 'gpus.value.fan', of: ({ latest }) => some(latest.fan_percent, percent) },
    {
      title: 'gpus.value.power',
      of: ({ latest }) => outOf(latest.power_w, latest.power_limit_w, watts),
    },
  ],
  [
    {
      title: 'gpus.value.graphics',
      of: ({ latest }) => outOf(latest.graphics_mhz, latest.graphics_max_mhz, megahertz),
    },
    { title: 'gpus.value.memory_clock', of: ({ latest }) => some(latest.memory_mhz, megahertz) },
    {
      title: 'gpus.value.state',
      of: ({ latest }) => some(latest.performance_state, (state) => `P${number(state)}`),
    },
    { title: 'gpus.value.throttle', of: ({ latest }) => throttleWords(latest.throttle) },
    { title: 'gpus.value.pcie', of: ({ latest }) => pcieWords(latest.pcie) },
  ],
  [
    { title: 'gpus.value.read', of: ({ latest }, now) => ago(latest.at, now) },
    { title: 'gpus.value.address', of: ({ latest }) => latest.bus_id, mono: true },
    { title: 'gpus.value.uuid', of: ({ latest }) => latest.uuid, mono: true },
  ],
];

/** Everything that a card's verdict names, the gravest first. */
export const troubles = (card: GpuCard) =>
  [card.outcome, ...card.remarks].filter((one) => one.cause !== null);

/** What stands where nothing is wrong, or where nothing is known. */
export const calmWords = (card: GpuCard): string =>
  t(card.outcome.status === 'ok' ? 'gpus.ok' : 'gpus.not_current');
