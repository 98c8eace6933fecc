import type { ErrorInfo } from './types';

/** What a command of the shell answers with. */
export type Answer<T> = { status: 'ok'; data: T } | { status: 'error'; error: ErrorInfo };

/** The answer itself; an error is thrown as the `ErrorInfo` it is. */
export async function given<T>(answer: Promise<Answer<T>>): Promise<T> {
  const got = await answer;
  if (got.status === 'error') throw got.error;
  return got.data;
}

/** The same where nothing comes back. */
export const done = async (answer: Promise<Answer<null>>): Promise<void> => {
  await given(answer);
};
