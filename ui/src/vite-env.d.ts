/// <reference types="svelte" />
/// <reference types="vite/client" />

/** True only in builds against the fake keeper. */
declare const __FAKE__: boolean;

/** Messages, in the parts that `vite.config.ts` hands out. */
declare module '*.json?early' {
  const words: Record<string, string | { one: string; other: string }>;
  export default words;
}
declare module '*.json?late' {
  const words: Record<string, string | { one: string; other: string }>;
  export default words;
}
