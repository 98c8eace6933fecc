/** What cannot be seen, or turns around what follows: control and format characters but tab and line end. */
const UNSEEN = /(?![\t\n])[\p{Cc}\p{Cf}\u2028\u2029]/gu;

/** A text from outside, with what cannot be seen in it made visible. */
export const plain = (text: string): string =>
  text.replace(UNSEEN, (sign) => `\\u{${(sign.codePointAt(0) ?? 0).toString(16)}}`);
