/** The card of known messages, loaded when the rest of the page stands. */
export const messagesCard = () => import('./MessagesCard.svelte');
