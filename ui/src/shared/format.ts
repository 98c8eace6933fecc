import { language, number, t } from './i18n.svelte';

const NBSP = '\u00a0';

/** Memory in binary gigabytes, as cards are labelled. */
export function gigabytes(bytes: number): string {
  const value = bytes / 1024 ** 3;
  const whole = Math.abs(value - Math.round(value)) < 0.05;
  return number(value, whole ? 0 : 1);
}

export const percent = (value: number): string => `${number(value)}${NBSP}%`;

/** From one share to another: `0–3 %`. */
export const percents = (low: number, high: number): string =>
  number(low) === number(high) ? percent(high) : `${number(low)}–${percent(high)}`;

/** A share in percent: what is not nothing is never written as 0, what is not all never as 100. */
export function part(value: number): string {
  if (value > 0 && value < 1) return `<${percent(1)}`;
  if (value > 99 && value < 100) return `>${percent(99)}`;
  return percent(value);
}

type Style = 'time' | 'day' | 'day_utc' | 'full';
const STYLES: Record<Style, Intl.DateTimeFormatOptions> = {
  time: { hour: '2-digit', minute: '2-digit' },
  day: { day: 'numeric', month: 'short' },
  day_utc: { day: 'numeric', month: 'short', timeZone: 'UTC' },
  full: { dateStyle: 'medium', timeStyle: 'medium' },
};
const formats = new Map<string, Intl.DateTimeFormat>();

function dated(style: Style, at: Date): string {
  const key = `${language.locale} ${style}`;
  let format = formats.get(key);
  if (!format) {
    format = new Intl.DateTimeFormat(language.locale === 'fr' ? 'fr-FR' : 'en-GB', STYLES[style]);
    formats.set(key, format);
  }
  return format.format(at);
}

/** The day a moment falls on, in the reader's own zone, as a number that differs by day. */
export function dayOf(moment: number | Date): number {
  const at = new Date(moment);
  return (at.getFullYear() * 12 + at.getMonth()) * 31 + at.getDate();
}

/** A time of the day; the date is added when it is not today. */
export function clockTime(iso: string, today: number): string {
  const at = new Date(iso);
  const time = dated('time', at);
  return dayOf(at) === today ? time : `${dated('day', at)}${NBSP}${time}`;
}

/** Time of a log line to the millisecond, in the reader's own zone. */
export function logTime(iso: string): string {
  const at = new Date(iso);
  // As if the reader's zone were UTC, which alone is printed to the millisecond.
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(11, 23);
}

/** When a log line was written: to the millisecond on the present day, with the day on others. */
export function stamp(iso: string, utc: boolean, today: number): string {
  const at = new Date(iso);
  const time = utc ? at.toISOString().slice(11, 23) : logTime(iso);
  const zone = utc ? 'Z' : '';
  if (dayOf(at) === today) return `${time}${zone}`;
  return `${dated(utc ? 'day_utc' : 'day', at)}${NBSP}${time.slice(0, 8)}${zone}`;
}

/** A moment in full, for tooltips. */
export const fullTime = (at: string | number): string => dated('full', new Date(at));

/** A length of time in at most two units: `41 s`, `12 min`, `21 h 04`, `3 d 2 h`. */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  const days = Math.floor(hours / 24);
  if (days > 0) return t('time.days', { d: days, h: hours % 24 });
  if (hours > 0) return t('time.hours', { h: hours, m: String(minutes % 60).padStart(2, '0') });
  if (minutes > 0) return t('time.minutes', { m: minutes });
  return t('time.seconds', { s: seconds });
}

/** What is left of a work, as far as that can be said. */
export const left = (ms: number): string =>
  ms < 1_000 ? t('job.left_moment') : t('job.left', { time: duration(ms) });

/** Seconds with one decimal below ten: `1.9 s`, `42 s`. */
export function seconds(ms: number): string {
  const value = ms / 1000;
  return `${number(value, value < 9.95 ? 1 : 0)}${NBSP}s`;
}

/** A part of a time: what is not nothing is never written as 0. */
export function brief(ms: number): string {
  if (ms >= 1000) return seconds(ms);
  return ms > 0 && ms < 1 ? `<${number(1)}${NBSP}ms` : `${number(ms)}${NBSP}ms`;
}

/** How long ago something was; seconds by fives, so that it does not change all the time. */
export function ago(iso: string, now: number): string {
  const ms = now - Date.parse(iso);
  if (ms < 5_000) return t('time.now');
  return t('time.ago', { time: duration(ms < 60_000 ? Math.floor(ms / 5_000) * 5_000 : ms) });
}
