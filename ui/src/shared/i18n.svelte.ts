import en from '../../messages/en.json';
import fr from '../../messages/fr.json';

/** One text, or one per plural form of `count`. */
type Message = string | { one: string; other: string };
export type MessageKey = keyof typeof en;
export type Locale = 'en' | 'fr';
export type Params = Record<string, string | number>;

const CATALOGUES: Record<Locale, Record<MessageKey, Message>> = { en, fr };

let current = $state<Locale>('en');

/** The language in use; changing it re-renders texts and nothing else. */
export const language = {
  get locale(): Locale {
    return current;
  },
  use(locale: Locale) {
    current = locale;
    document.documentElement.lang = locale;
  },
};

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
  const message = CATALOGUES[current][key];
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
  return key in en ? t(key as MessageKey, params) : null;
}
