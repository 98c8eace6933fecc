import type { ErrorCode, ErrorInfo } from './types';
import { ERROR_CODES } from './types';

/** How grave an error looks: what was refused by the state of things is no failure. */
export type Severity = 'note' | 'warning' | 'failure';

/** The only place that decides by error code; texts are the keys `error.<code>`. */
export const ERRORS: Record<ErrorCode, Severity> = {
  bad_request: 'warning',
  unknown_service: 'warning',
  unknown_job: 'warning',
  refused: 'warning',
  settings: 'failure',
  engine: 'failure',
  engine_timeout: 'failure',
  engine_refused_action: 'failure',
  container_missing: 'failure',
  port_in_use: 'failure',
  gpu_runtime: 'failure',
  api: 'failure',
  unauthorized: 'failure',
  out_of_memory: 'failure',
  cuda_context_lost: 'failure',
  bad_picture: 'failure',
  blank_picture: 'failure',
  not_proved: 'failure',
  cancelled: 'note',
  picture_missing: 'warning',
  keyring_unavailable: 'warning',
  io: 'failure',
  disk_full: 'failure',
  not_allowed: 'failure',
  store: 'failure',
  bad_filter: 'warning',
  bad_workflow: 'warning',
  editor_workflow: 'warning',
  service_busy: 'warning',
  gpu_memory_low: 'warning',
  gpu_unreadable: 'failure',
  changed_meanwhile: 'warning',
  internal: 'failure',
};

/** What a person may ask for all the same. */
export const FORCIBLE: readonly ErrorCode[] = ['gpu_memory_low'];

/** Whether a word is a code of the keeper. */
export const isErrorCode = (value: unknown): value is ErrorCode =>
  typeof value === 'string' && (ERROR_CODES as readonly string[]).includes(value);

const text = (value: unknown): string | null => (typeof value === 'string' ? value : null);

/** Whatever was thrown, in the shape the window shows; nothing is swallowed. */
export function asErrorInfo(thrown: unknown): ErrorInfo {
  if (
    typeof thrown === 'object' &&
    thrown !== null &&
    'code' in thrown &&
    isErrorCode(thrown.code)
  ) {
    const raw = thrown as Record<string, unknown>;
    return {
      code: thrown.code,
      message: text(raw['message']) ?? '',
      hint: text(raw['hint']),
      detail: text(raw['detail']),
    };
  }
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return { code: 'internal', message, hint: null, detail: null };
}

/** Something that began and could not go on: what is stored could not be read. */
export const unreadable = (message: string): ErrorInfo => ({
  code: 'store',
  message,
  hint: null,
  detail: null,
});
