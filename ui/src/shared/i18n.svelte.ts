import type english from '../../messages/en.json';

/** One text, or one per plural form of `count`. */
type Message = string | { one: string; other: string };
export type MessageKey = keyof typeof english;
export type Locale = 'en' | 'fr';
export type Params = Record<string, string | number>;
type Words = Partial<Record<MessageKey, Message>>;

type Part = 'early' | 'late';
/**
 * Only the words of the language in use are loaded; those of the other one when it is chosen, and
 * those of some pages with the first of them (`vite.config.ts` parts them).
 */
const LOAD: Record<Locale, Record<Part, () => Promise<{ default: Words }>>> = {
  en: {
    early: () => import('../../messages/en.json?early'),
    late: () => import('../../messages/en.json?late'),
  },
  fr: {
    early: () => import('../../messages/fr.json?early'),
    late: () => import('../../messages/fr.json?late'),
  },
};
const loaded: Record<Locale, Partial<Record<Part, Words>>> = { en: {}, fr: {} };
let parts: readonly Part[] = ['early'];

/** The words of a language in these parts; `null` while one of them is missing. */
function known(locale: Locale, wanted: readonly Part[]): Words | null {
  const all = wanted.map((part) => loaded[locale][part]);
  return all.includes(undefined) ? null : (Object.assign({}, ...all) as Words);
}

async function load(locale: Locale, wanted: readonly Part[]): Promise<Words> {
  const each = wanted.map(
    async (part) => (loaded[locale][part] ??= (await LOAD[locale][part]()).default),
  );
  return Object.assign({}, ...(await Promise.all(each))) as Words;
}

let current = $state<Locale>('en');
let catalogue = $state.raw<Words | null>(null);
/** The language that was asked for last. */
let wanted: Locale = 'en';

let ready: Promise<void> = Promise.resolve();

/** The language in use; changing it re-renders texts and nothing else. */
export const language = {
  get locale(): Locale {
    return current;
  },
  /** Fulfilled once what was asked for last is in use. */
  get ready(): Promise<void> {
    return ready;
  },
  /**
   * Takes a language in use once its words are there: at once when they were loaded before. Until
   * then, and when they cannot be loaded, the texts stay as they are.
   */
  use(locale: Locale): Promise<void> {
    return (ready = take(locale));
  },
  /** Loads the late words, too, from now on: for whoever shows them, before it does. */
  async whole(): Promise<void> {
    parts = ['early', 'late'];
    await ready;
    await take(wanted);
  },
};

async function take(locale: Locale): Promise<void> {
  wanted = locale;
  const words = known(locale, parts) ?? (await load(locale, parts));
  // Another one was chosen meanwhile; without any words, those that came are better than none.
  if (wanted !== locale && catalogue) return;
  current = locale;
  catalogue = words;
  document.documentElement.lang = locale;
}

const numbers: Record<string, Intl.NumberFormat> = {};

/** A number in the language in use. */
export function number(value: number, digits = 0): string {
  const key = `${current}${digits}`;
  let format = numbers[key];
  if (!format) {
    format = new Intl.NumberFormat(current === 'fr' ? 'fr-FR' : 'en-GB', {
      minimumFractionDigits: digits,
      maximumFractionDigits: digits,
    });
    numbers[key] = format;
  }
  return format.format(value);
}

const plurals: Record<Locale, Intl.PluralRules> = {
  en: new Intl.PluralRules('en'),
  fr: new Intl.PluralRules('fr'),
};

/** A message with its placeholders filled; numbers are written as the language writes them. */
export function t(key: MessageKey, params: Params = {}): string {
  const message = catalogue?.[key];
  if (message === undefined) return key;
  let pattern: string;
  if (typeof message === 'string') pattern = message;
  else {
    const form = plurals[current].select(Number(params['count'] ?? 0));
    pattern = form === 'one' ? message.one : message.other;
  }
  if (!pattern.includes('{')) return pattern;
  return pattern.replace(/\{(\w+)\}/g, (whole, name: string) => {
    const value = params[name];
    if (value === undefined) return whole;
    return typeof value === 'number' ? number(value) : value;
  });
}

/** A message whose key is built from a code, or nothing when there is none for it. */
export function tMaybe(key: string, params: Params = {}): string | null {
  return catalogue && key in catalogue ? t(key as MessageKey, params) : null;
}
