import type { GenerationRequest, GoldenSet } from '../../backend/types';
import type { MessageKey } from '../../shared/i18n.svelte';
import { problems } from '../generation/request';

/** A prompt while it is edited: guidance is a number, and may be none that can be sent. */
export interface Draft {
  name: string;
  request: GenerationRequest;
}

/** Longest name, as the keeper has it. */
export const MAX_NAME = 80;

/** Puts the prompt of a place one place up or down; at an end it stays. */
export function moved<T>(list: readonly T[], from: number, by: -1 | 1): T[] {
  const to = from + by;
  const one = list[from];
  if (one === undefined || to < 0 || to >= list.length) return [...list];
  return list.toSpliced(from, 1).toSpliced(to, 0, one);
}

/** A name that no set has yet: that of the original with the next number. */
export function copyName(name: string, taken: readonly string[]): string {
  const stem = name.replace(/ \d+$/, '');
  for (let number = 2; ; number++) {
    const end = ` ${number}`;
    const made = `${[...stem]
      .slice(0, MAX_NAME - end.length)
      .join('')
      .trimEnd()}${end}`;
    if (!taken.includes(made)) return made;
  }
}

/** What is wrong with the name of a prompt among all of them. */
export function nameProblem(name: string, names: readonly string[]): MessageKey | null {
  const own = name.trim();
  if (own === '') return 'golden.name_missing';
  return names.filter((one) => one.trim() === own).length > 1 ? 'golden.name_double' : null;
}

/** Whether the keeper would keep a set with these prompts. */
export const keepable = (prompts: readonly Draft[]): boolean =>
  prompts.length > 0 &&
  prompts.every(
    ({ name, request }, _, all) =>
      nameProblem(
        name,
        all.map((one) => one.name),
      ) === null &&
      request.seed !== null &&
      Object.keys(problems(request)).length === 0,
  );

/** Whether anything would change. */
export const differs = (before: GoldenSet, name: string, prompts: readonly Draft[]) =>
  before.name !== name || JSON.stringify(before.prompts) !== JSON.stringify(prompts);
