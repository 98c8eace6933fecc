import type { GoldenRow, Vote } from '../../backend/types';
import { comparable } from './say';

/** One question: which picture is better, without telling whose it is. */
export interface Question {
  row: GoldenRow;
  /** Whether the reference stands on the left. */
  straight: boolean;
}

export type Answer = 'left' | 'right' | 'equal' | 'neither';

/** Nobody, not the one who clicks either, can foresee it. */
const coin = (): boolean => {
  const [value = 0] = crypto.getRandomValues(new Uint8Array(1));
  return value % 2 === 0;
};

/** What is left to vote on; everything once more when nothing is left. */
export function questions(rows: readonly GoldenRow[], toss: () => boolean = coin): Question[] {
  const both = rows.filter(comparable);
  const open = both.filter((row) => row.vote === null);
  return (open.length > 0 ? open : both).map((row) => ({ row, straight: toss() }));
}

export function voteOf(answer: Answer, { straight }: Question): Vote {
  if (answer === 'equal' || answer === 'neither') return answer;
  return (answer === 'left') === straight ? 'reference' : 'candidate';
}

/** Which answer a key gives; digits by their place, as French keyboards want Shift for them. */
export function answerOf({ key, code }: Pick<KeyboardEvent, 'key' | 'code'>): Answer | null {
  if (key === '1' || code === 'Digit1' || code === 'Numpad1') return 'left';
  if (key === '2' || code === 'Digit2' || code === 'Numpad2') return 'right';
  if (key === '0' || code === 'Digit0' || code === 'Numpad0') return 'neither';
  return key === '=' ? 'equal' : null;
}
