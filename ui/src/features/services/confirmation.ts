/** The question before an action, loaded when there is one to ask. */
export const confirmation = () => import('./ConfirmAction.svelte');
