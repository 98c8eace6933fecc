/** The kinds of line in a diff, and a line without its sign. */
export interface DiffLine {
  sign: ' ' | '-' | '+';
  text: string;
}

export const diffLines = (diff: string[]): DiffLine[] =>
  diff.map((line) => {
    const sign = line.startsWith('+') ? '+' : line.startsWith('-') ? '-' : ' ';
    return { sign, text: line.slice(1) };
  });

/** What is to be written, as it stands in the file: without signs, indented. */
export const newLines = (diff: string[]): string =>
  diffLines(diff)
    .filter((line) => line.sign === '+')
    .map((line) => line.text)
    .join('\n');

export const asDiff = (diff: string[]): string => diff.join('\n');

/** What takes the change up. A name that is none of compose's is not put into a command. */
export const upCommand = (service: string | null): string =>
  service !== null && /^[A-Za-z0-9][\w.-]*$/.test(service)
    ? `docker compose up -d ${service}`
    : 'docker compose up -d';

/** The compose files that the container's label names, one after the other. */
export const composeFiles = (label: string): string[] =>
  label
    .split(',')
    .map((file) => file.trim())
    .filter((file) => file !== '');
