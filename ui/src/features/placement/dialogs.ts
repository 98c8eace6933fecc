/** The dialogs about a placement, loaded when one is asked for. */
export const evidenceDialog = () => import('./EvidenceDialog.svelte');
export const remedyDialog = () => import('./RemedyDialog.svelte');
