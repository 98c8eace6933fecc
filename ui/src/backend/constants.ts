/** Tables of the domain that the page shows; the one copy is the domain's. */
export { PRESETS, WORKFLOW_BYTES } from './bindings.gen';
