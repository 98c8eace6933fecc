import type { PlanField, PlanSetting, PlanSettings, Setting } from '../../backend/decisions';
import type { MigrationStep } from '../../backend/migration';

/** A section of the plan's file. */
export type Section = 'target' | 'iis';

export const sectionOf = (field: PlanField): Section =>
  field.startsWith('iis.') ? 'iis' : 'target';
export const keyOf = (field: PlanField): string => field.slice(field.indexOf('.') + 1);

/** What a step waits for because the plan's file does not say it. */
export function unsetOf(step: MigrationStep): PlanField | null {
  const { look } = step;
  if (look?.finding.found !== 'unknown') return null;
  const piece = look.finding.evidence.find(({ name }) => name === 'unset');
  return (piece?.value ?? null) as PlanField | null;
}

/** What a field shows: what somebody typed, what the file says, or what was found. */
export const shownIn = (setting: PlanSetting, typed: string | undefined): string =>
  typed ?? setting.value ?? setting.found ?? '';

/** What writing a section as it is shown would change. */
export function changesOf(
  shown: PlanSettings,
  section: Section,
  typed: ReadonlyMap<PlanField, string>,
): Setting[] {
  return shown.settings
    .filter(({ field }) => sectionOf(field) === section)
    .map((one) => ({ one, value: shownIn(one, typed.get(one.field)).trim() || null }))
    .filter(({ one, value }) => value !== one.value)
    .map(({ one, value }) => ({ field: one.field, value }));
}
