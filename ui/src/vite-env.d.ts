/// <reference types="svelte" />
/// <reference types="vite/client" />

/** True only in builds against the fake keeper. */
declare const __FAKE__: boolean;
