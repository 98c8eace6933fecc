/** Tables of the domain that the page shows; the one copy is the domain's. */
export { PRESETS, VALUE_CHARS, WORKFLOW_BYTES } from './bindings.gen';
