import type { Backend } from '../../backend/backend';
import type { Filled } from '../../state/bench.svelte';
import { restored } from './request';

/** What a picture's file may be; its parameters stand near its beginning or its end. */
export const PICTURES = ['image/png', 'image/jpeg', 'image/webp'];
export const MOST_BYTES = 64 * 1024 * 1024;

export const isPicture = (file: File) =>
  PICTURES.includes(file.type) || /\.(png|jpe?g|webp)$/i.test(file.name);

export const carriesFiles = (data: DataTransfer | null): boolean =>
  data?.types.includes('Files') ?? false;

/** Reads what a picture's file asks for; throws what is wrong with it. */
export async function readFile(
  backend: Pick<Backend, 'readParameters'>,
  file: File,
): Promise<Omit<Filled, 'before'>> {
  const bytes = new Uint8Array(await file.arrayBuffer());
  const read = await backend.readParameters(bytes);
  return { file: file.name, read: { ...read, request: restored(read.request) } };
}
