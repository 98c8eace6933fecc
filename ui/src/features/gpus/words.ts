import type { GpuSourceInfo, PcieLink, Throttle } from '../../backend/types';
import { number, t } from '../../shared/i18n.svelte';
import { gigabytes } from '../../shared/format';

const NBSP = '\u00a0';

export const gb = (bytes: number): string => t('gpu.gb', { value: gigabytes(bytes) });
export const celsius = (value: number): string => `${number(value)}${NBSP}°C`;
export const watts = (value: number): string => `${number(value)}${NBSP}W`;
export const megahertz = (value: number): string => `${number(value)}${NBSP}MHz`;

/** A value with what it may reach; `null` when it is not known. */
export function outOf(
  value: number | null,
  most: number | null,
  unit: (value: number) => string,
): string | null {
  if (value === null) return null;
  return most === null ? unit(value) : t('gpus.of', { value: number(value), most: unit(most) });
}

const link = (gen: number | null, width: number | null): string | null =>
  gen === null && width === null ? null : t('gpus.pcie', { gen: gen ?? '?', width: width ?? '?' });

/** `gen 4 ×16 of gen 4 ×16`. */
export function pcieWords(pcie: PcieLink): string | null {
  const now = link(pcie.generation, pcie.width);
  const most = link(pcie.max_generation, pcie.max_width);
  if (now === null) return null;
  return most === null ? now : t('gpus.of', { value: now, most });
}

/** What holds a card back; `null` where the driver does not tell. */
export function throttleWords(reasons: readonly Throttle[] | null): string | null {
  if (reasons === null) return null;
  if (reasons.length === 0) return t('gpus.throttle.none');
  return reasons.map((reason) => t(`gpus.throttle.${reason}`)).join(', ');
}

/** The same as a sentence of its own. */
export function heldWords(reasons: readonly Throttle[] | null): string {
  if (reasons === null) return t('gpus.held.unknown');
  if (reasons.length === 0) return t('gpus.held.nothing');
  const calm = reasons.every((reason) => reason === 'idle' || reason === 'display');
  return calm ? t('gpus.held.rest') : t('gpus.held.by', { reasons: throttleWords(reasons) ?? '' });
}

/** Where the readings come from. */
export function sourceWords(source: GpuSourceInfo): string {
  switch (source.source) {
    case 'nvml': {
      const { cuda } = source;
      const driver = source.driver ?? t('gpus.source.untold');
      return cuda === null
        ? t('gpus.source.nvml', { driver })
        : t('gpus.source.nvml_cuda', { driver, cuda });
    }
    case 'nvidia_smi': {
      const { container, driver } = source;
      return driver === null
        ? t('gpus.source.smi', { container })
        : t('gpus.source.smi_driver', { container, driver });
    }
    case 'none':
      return t('gpus.source.none');
  }
}
